/*
 * A closed-loop load: each connection sends its next request when its answer is complete.
 *
 *     load PORT PATH CONNECTIONS REQUESTS BODY_FILE [KEY [RAMP_S [stay|leave [HEADERS]]]]
 *
 * Connections are opened evenly over RAMP_S seconds (at once without). Prints one line of JSON,
 * times in microseconds. `first` is the time to the first byte of the body; `lag` is how long an
 * event that carries the upstream's stamp (`t=` and nanoseconds) was under way; `at_once` is the
 * most answers that had begun and not ended. A tenth of the requests warms up: it counts as
 * requests and errors, not in the times. Anything but a whole answer of status 200 is an error,
 * and so is a stream without its [DONE]; the first one's beginning goes to standard error. With
 * `leave` each connection is closed as soon as its answer's first bytes are there, as by people
 * who close their window, and that is no error. HEADERS are more lines of the request's head, each
 * with its CRLF.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    HEAD_BYTES_MAX = 1 << 14,
    READ_BYTES = 1 << 16,
    LINE_BYTES_MAX = 1024,
    READY_AT_ONCE = 512,
    RUN_S_MAX = 240,
};

/* Where an answer's chunked body is; a body with a length is one long CHUNK_DATA. */
enum { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, TRAILER };

typedef struct {
    int fd, open;
    size_t sent;
    int64_t began, first;
    int64_t number;
    char head[HEAD_BYTES_MAX];
    int head_size;
    int status; /* 0 until the head is read */
    int chunked, closes, events, done;
    int where, trailer_size;
    int64_t left; /* bytes of the chunk or body that are to come; -1: until the end */
    char line[LINE_BYTES_MAX];
    int line_size;
} Connection;

typedef struct {
    int64_t *all;
    size_t size, room;
} Times;

static Connection *connections;
static struct sockaddr_in address;
static char *request;
static size_t request_size;
static char *sample;
static int epoll, leaves;
static int64_t requests, warm_up, issued, finished, errors, events, at_once, at_once_most;
static Times whole, first, lags;

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void note(Times *times, int64_t value) {
    if (times->size == times->room) {
        times->room = times->room ? times->room * 2 : 4096;
        times->all = realloc(times->all, times->room * sizeof *times->all);
    }
    times->all[times->size++] = value;
}

static void watch(Connection *one, int operation, int wanted) {
    struct epoll_event event = {wanted, {.u32 = one - connections}};
    epoll_ctl(epoll, operation, one->fd, &event);
}

static void connect_again(Connection *one) {
    int yes = 1;
    if (one->fd >= 0) close(one->fd);
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (one->fd < 0) {
        perror("load: socket");
        exit(1);
    }
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    connect(one->fd, (struct sockaddr *)&address, sizeof address);
    one->open = 0;
    watch(one, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
}

/* Send what is left of the request; the answer is watched for all the while. */
static int send_rest(Connection *one) {
    while (one->sent < request_size) {
        ssize_t sent = send(one->fd, request + one->sent, request_size - one->sent, MSG_NOSIGNAL);
        if (sent < 0) return errno == EAGAIN ? 0 : -1;
        one->sent += sent;
    }
    return 1;
}

/* Begin the next request, if one is left; the connection may still be on its way. */
static int begin(Connection *one) {
    if (issued == requests) {
        if (one->fd >= 0) close(one->fd);
        one->fd = -1;
        return 0;
    }
    one->number = issued++;
    one->sent = 0;
    one->head_size = one->status = one->chunked = one->closes = one->events = one->done = 0;
    one->line_size = one->where = one->trailer_size = 0;
    one->left = 0;
    one->first = 0;
    one->began = now_ns();
    if (one->open && send_rest(one) == 0) watch(one, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    return 1;
}

static void end(Connection *one, int whole_answer) {
    int64_t now = now_ns();
    if (one->status) at_once--;
    int failed = !whole_answer || one->status != 200 || (one->events && !one->done && !leaves);
    if (failed && !sample)
        sample = strndup(one->head_size ? one->head : "no answer", HEAD_BYTES_MAX - 1);
    errors += failed;
    finished++;
    if (!failed && one->number >= warm_up) {
        note(&whole, now - one->began);
        note(&first, (one->first ? one->first : now) - one->began);
    }
    if (issued < requests && (!whole_answer || one->closes)) connect_again(one);
    begin(one);
}

static void read_line(Connection *one) {
    if (one->line_size < 5 || memcmp(one->line, "data:", 5)) return;
    one->events++;
    events++;
    if (memmem(one->line, one->line_size, "[DONE]", 6)) one->done = 1;
    const char *at = memmem(one->line, one->line_size, "t=", 2);
    int64_t made = at ? strtoll(at + 2, NULL, 10) : 0;
    if (made > 1000000 && one->number >= warm_up) note(&lags, now_ns() - made);
}

static void read_body(Connection *one, const char *bytes, size_t size) {
    if (!one->first) one->first = now_ns();
    while (size) {
        const char *stop = memchr(bytes, '\n', size);
        size_t part = stop ? (size_t)(stop - bytes) : size;
        size_t room = LINE_BYTES_MAX - 1 - one->line_size;
        size_t kept = part < room ? part : room;
        memcpy(one->line + one->line_size, bytes, kept);
        one->line_size += kept;
        one->line[one->line_size] = 0;
        if (!stop) return;
        read_line(one);
        one->line_size = 0;
        bytes += part + 1;
        size -= part + 1;
    }
}

static int digit(char letter) {
    return letter <= '9' ? letter - '0' : (letter | 32) - 'a' + 10;
}

/* Read body bytes; gives 1 when the answer is whole. */
static int feed(Connection *one, const char *bytes, size_t size) {
    for (const char *stop = bytes + size; bytes < stop;) {
        size_t part = stop - bytes;
        switch (one->where) {
        case CHUNK_SIZE:
        case CHUNK_EXTENSION:
            if (*bytes == '\n')
                one->where = one->left ? CHUNK_DATA : TRAILER;
            else if (*bytes == ';' || *bytes == '\r')
                one->where = CHUNK_EXTENSION;
            else if (one->where == CHUNK_SIZE)
                one->left = one->left * 16 + digit(*bytes);
            bytes++;
            break;
        case CHUNK_DATA:
            if (one->left >= 0 && part > (size_t)one->left) part = one->left;
            read_body(one, bytes, part);
            bytes += part;
            if (one->left > 0 && !(one->left -= part)) {
                if (!one->chunked) return 1;
                one->where = CHUNK_END;
            }
            break;
        case CHUNK_END:
            if (*bytes++ == '\n') one->where = CHUNK_SIZE;
            break;
        case TRAILER:
            if (*bytes == '\n') {
                if (!one->trailer_size) return 1;
                one->trailer_size = 0;
            } else if (*bytes != '\r') {
                one->trailer_size++;
            }
            bytes++;
        }
    }
    return 0;
}

/* Read bytes of an answer; gives 1 when it is whole. */
static int receive(Connection *one, const char *bytes, size_t size) {
    if (one->status) return feed(one, bytes, size);
    size_t room = HEAD_BYTES_MAX - 1 - one->head_size, kept = size < room ? size : room;
    int before = one->head_size;
    memcpy(one->head + before, bytes, kept);
    one->head_size += kept;
    one->head[one->head_size] = 0;
    char *stop = memmem(one->head, one->head_size, "\r\n\r\n", 4);
    if (!stop) return 0;
    one->status = atoi(one->head + 9);
    if (++at_once > at_once_most) at_once_most = at_once;
    stop[2] = 0;
    const char *length = strcasestr(one->head, "\r\ncontent-length:");
    one->chunked = strcasestr(one->head, "\r\ntransfer-encoding: chunked") != NULL;
    one->closes = strcasestr(one->head, "\r\nconnection: close") != NULL;
    stop[2] = '\r';
    one->where = one->chunked ? CHUNK_SIZE : CHUNK_DATA;
    one->left = one->chunked ? 0 : length ? atoll(length + 17) : -1;
    if (!one->chunked && !one->left) return 1;
    size_t used = stop + 4 - one->head - before;
    return feed(one, bytes + used, size - used);
}

static void turn(Connection *one, uint32_t ready) {
    static char bytes[READ_BYTES];
    if (ready & EPOLLOUT) {
        one->open = 1;
        int sent = send_rest(one);
        if (sent) watch(one, EPOLL_CTL_MOD, EPOLLIN);
        if (sent < 0) {
            end(one, 0);
            return;
        }
    }
    if (!(ready & ~EPOLLOUT)) return;
    ssize_t got = recv(one->fd, bytes, sizeof bytes, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0)
        /* An answer without a length ends with its connection. */
        end(one, (one->closes = one->status && !one->chunked && one->left < 0));
    else if (receive(one, bytes, got) || (leaves && one->first)) {
        one->closes |= leaves;
        end(one, 1);
    }
}

static int compare(const void *left, const void *right) {
    int64_t one = *(const int64_t *)left, other = *(const int64_t *)right;
    return (one > other) - (one < other);
}

static double percentile_us(Times *times, double share) {
    return times->size ? times->all[(size_t)(share * (times->size - 1))] / 1000.0 : 0;
}

static void read_request(char **words, const char *key, const char *headers) {
    FILE *file = fopen(words[5], "rb");
    if (!file) {
        perror("load: the body's file");
        exit(1);
    }
    fseek(file, 0, SEEK_END);
    size_t size = ftell(file);
    rewind(file);
    size_t room = strlen(headers) + 4096;
    request = malloc(size + room);
    request_size = snprintf(
        request, room,
        "POST %s HTTP/1.1\r\nhost: 127.0.0.1:%s\r\ncontent-type: application/json\r\n"
        "%s%s%s%saccept: */*\r\nuser-agent: load/1\r\ncontent-length: %zu\r\n\r\n", words[2],
        words[1], *key ? "authorization: Bearer " : "", key, *key ? "\r\n" : "", headers, size);
    request_size += fread(request + request_size, 1, size, file);
    fclose(file);
}

int main(int count, char **words) {
    if (count < 6 || count > 10) {
        fprintf(stderr, "usage: load PORT PATH CONNECTIONS REQUESTS BODY_FILE "
                        "[KEY [RAMP_S [stay|leave [HEADERS]]]]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int size = atoi(words[3]), opened = 0;
    requests = atoll(words[4]);
    warm_up = requests > 2 * size ? requests / 10 : 0;
    int64_t ramp_ns = count > 7 ? (int64_t)(atof(words[7]) * 1e9) : 0;
    leaves = count > 8 && !strcmp(words[8], "leave");
    read_request(words, count > 6 ? words[6] : "", count > 9 ? words[9] : "");
    epoll = epoll_create1(0);
    connections = calloc(size, sizeof *connections);
    int64_t began = now_ns(), ends = began + RUN_S_MAX * 1000000000LL;
    while (finished < requests && now_ns() < ends) {
        while (opened < size && now_ns() >= began + ramp_ns / size * opened) {
            Connection *one = &connections[opened++];
            one->fd = -1;
            if (issued < requests) {
                connect_again(one);
                begin(one);
            }
        }
        struct epoll_event ready[READY_AT_ONCE];
        int found = epoll_wait(epoll, ready, READY_AT_ONCE, opened < size ? 1 : 1000);
        for (int number = 0; number < found; number++)
            turn(&connections[ready[number].data.u32], ready[number].events);
    }
    double took_s = (now_ns() - began) / 1e9;
    errors += requests - finished;
    Times *all[] = {&whole, &first, &lags};
    for (int number = 0; number < 3; number++)
        qsort(all[number]->all, all[number]->size, sizeof(int64_t), compare);
    printf("{\"requests\":%lld,\"errors\":%lld,\"per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"first_p50_us\":%.1f,\"first_p99_us\":%.1f,\"events\":%lld,\"lag_p50_us\":%.1f,"
           "\"lag_p99_us\":%.1f,\"at_once\":%lld}\n",
           (long long)requests, (long long)errors, requests / took_s, percentile_us(&whole, 0.5),
           percentile_us(&whole, 0.99), percentile_us(&first, 0.5), percentile_us(&first, 0.99),
           (long long)events, percentile_us(&lags, 0.5), percentile_us(&lags, 0.99),
           (long long)at_once_most);
    if (sample) fprintf(stderr, "the first failed answer: %.500s\n", sample);
    return 0;
}
