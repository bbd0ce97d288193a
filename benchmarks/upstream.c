/*
 * An upstream that is not the bottleneck: one thread, epoll, fixed answers.
 *
 *     upstream PORT
 *
 * A POST whose body holds "stream":true gets a stream of events, any other a whole answer of
 * 1 KB. How the stream runs is said in the body, since a proxy hands that on untouched: the
 * words `pace=20000x100` mean 100 events, one every 20,000 microseconds; without them there are
 * 100 events in one burst. Each event carries `t=` and the nanoseconds of CLOCK_MONOTONIC when
 * it was made, so that the load can tell how long it was under way. The model that was asked for
 * is the model that answers. A POST to .../messages is answered in Anthropic's dialect, any other
 * in OpenAI's. A GET gets a list with one model.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
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
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 1 << 16,
    BODY_BYTES_MAX = 64 << 20,
    CHUNKS = 100,
    EVENT_BYTES_MAX = 1024,
    HEAD_LINE_BYTES_MAX = 256,
    EVENTS_AT_ONCE = 512,
    MODEL_BYTES_MAX = 128,
};

static const char TEXT[] =
    "The quick brown fox jumps over the lazy dog. Pack my box with five dozen liquor jugs. How "
    "vexingly quick daft zebras jump! Sphinx of black quartz, judge my vow. The five boxing "
    "wizards jump quickly. Jackdaws love my big sphinx of quartz. Crazy Frederick bought many very "
    "exquisite opal jewels. We promptly judged antique ivory buckles for the next prize.";

/* Bytes that grow; `begin` to `end` are in use. */
typedef struct {
    char *bytes;
    size_t begin, end, room;
} Buffer;

typedef struct {
    int fd;
    Buffer in, out;
    char model[MODEL_BYTES_MAX];
    int anthropic;   /* the dialect that was asked in */
    int left;        /* events of the stream that are still to be sent */
    int64_t every;   /* nanoseconds between them */
    int64_t next;    /* when the next one is due */
    int place;       /* in the heap of paced streams; -1 when not in it */
    int waits_write; /* the socket was full */
} Connection;

static Connection *connections[CONNECTIONS_MAX];
static Connection *heap[CONNECTIONS_MAX];
static int paced, epoll, timer;
static unsigned started;

static int64_t now_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void make_room(Buffer *buffer, size_t more) {
    if (buffer->begin == buffer->end) buffer->begin = buffer->end = 0;
    if (buffer->end + more <= buffer->room) return;
    while (buffer->end + more > buffer->room) buffer->room = buffer->room ? buffer->room * 2 : 4096;
    buffer->bytes = realloc(buffer->bytes, buffer->room);
}

static void append(Buffer *buffer, const char *bytes, size_t size) {
    make_room(buffer, size);
    memcpy(buffer->bytes + buffer->end, bytes, size);
    buffer->end += size;
}

/* A binary heap of paced streams, the one that is due first on top. */

static void put(int place, Connection *one) {
    heap[place] = one;
    one->place = place;
}

static void rise(int place) {
    Connection *one = heap[place];
    for (; place && heap[(place - 1) / 2]->next > one->next; place = (place - 1) / 2)
        put(place, heap[(place - 1) / 2]);
    put(place, one);
}

static void sink(int place) {
    Connection *one = heap[place];
    for (;;) {
        int child = 2 * place + 1;
        if (child >= paced) break;
        if (child + 1 < paced && heap[child + 1]->next < heap[child]->next) child++;
        if (heap[child]->next >= one->next) break;
        put(place, heap[child]);
        place = child;
    }
    put(place, one);
}

static void enter_heap(Connection *one) {
    put(paced++, one);
    rise(one->place);
}

static void leave_heap(Connection *one) {
    int place = one->place;
    if (place < 0) return;
    one->place = -1;
    if (place == --paced) return;
    put(place, heap[paced]);
    rise(place);
    sink(heap[place]->place);
}

static void set_timer(void) {
    static int64_t set;
    int64_t due = paced ? heap[0]->next : 0;
    if (due == set) return;
    struct itimerspec when = {{0, 0}, {due / 1000000000, due % 1000000000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
    set = due;
}

/* What is said. */

static void add_chunk(Connection *one, const char *data, int size) {
    char head[16];
    append(&one->out, head, sprintf(head, "%x\r\n", size));
    append(&one->out, data, size);
    append(&one->out, "\r\n", 2);
}

static void add_event(Connection *one) {
    char data[EVENT_BYTES_MAX];
    if (one->anthropic) {
        int said = snprintf(
            data, sizeof data,
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
            "\"delta\":{\"type\":\"text_delta\",\"text\":\"t=%lld words \"}}\n\n",
            (long long)now_ns());
        add_chunk(one, data, said);
        return;
    }
    int size = snprintf(
        data, sizeof data,
        "data: {\"id\":\"chatcmpl-fake\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,"
        "\"model\":\"%s\",\"system_fingerprint\":\"fp_fake\",\"choices\":[{\"index\":0,\"delta\":"
        "{\"content\":\"t=%lld words \"},\"logprobs\":null,\"finish_reason\":null}],\"usage\":null}\n\n",
        one->model, (long long)now_ns());
    add_chunk(one, data, size);
}

/* What Anthropic's streams begin with; OpenAI's begin with their first words. */
static void add_first(Connection *one) {
    char data[EVENT_BYTES_MAX];
    if (!one->anthropic) return;
    int size = snprintf(
        data, sizeof data,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_fake\","
        "\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\",\"content\":[],"
        "\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":42,"
        "\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":"
        "\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        one->model);
    add_chunk(one, data, size);
}

static void add_last(Connection *one, int events) {
    char data[EVENT_BYTES_MAX];
    if (one->anthropic) {
        int said = snprintf(
            data, sizeof data,
            "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n"
            "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
            "\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":%d}}\n\n"
            "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            events);
        add_chunk(one, data, said);
        append(&one->out, "0\r\n\r\n", 5);
        return;
    }
    int size = snprintf(
        data, sizeof data,
        "data: {\"id\":\"chatcmpl-fake\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,"
        "\"model\":\"%s\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,"
        "\"finish_reason\":\"stop\"}],\"usage\":null}\n\n"
        "data: {\"id\":\"chatcmpl-fake\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,"
        "\"model\":\"%s\",\"choices\":[],\"usage\":{\"prompt_tokens\":42,\"completion_tokens\":%d,"
        "\"total_tokens\":%d}}\n\ndata: [DONE]\n\n",
        one->model, one->model, events, events + 42);
    add_chunk(one, data, size);
    append(&one->out, "0\r\n\r\n", 5);
}

static void add_whole(Connection *one, const char *body, int size) {
    char head[256];
    append(&one->out, head,
           sprintf(head, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                         "x-request-id: req_fake\r\ncontent-length: %d\r\n\r\n", size));
    append(&one->out, body, size);
}

static void answer_whole(Connection *one) {
    char body[2048];
    if (one->anthropic) {
        int said = snprintf(
            body, sizeof body,
            "{\"id\":\"msg_fake\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"%s\","
            "\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"end_turn\","
            "\"stop_sequence\":null,\"usage\":{\"input_tokens\":42,\"output_tokens\":96}}",
            one->model, TEXT);
        add_whole(one, body, said);
        return;
    }
    int size = snprintf(
        body, sizeof body,
        "{\"id\":\"chatcmpl-fake\",\"object\":\"chat.completion\",\"created\":1763800000,\"model\":"
        "\"%s\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\","
        "\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
        "\"usage\":{\"prompt_tokens\":42,\"completion_tokens\":96,\"total_tokens\":138,"
        "\"prompt_tokens_details\":{\"cached_tokens\":0,\"audio_tokens\":0},"
        "\"completion_tokens_details\":{\"reasoning_tokens\":0,\"audio_tokens\":0,"
        "\"accepted_prediction_tokens\":0,\"rejected_prediction_tokens\":0}},"
        "\"service_tier\":\"default\",\"system_fingerprint\":\"fp_fake\"}",
        one->model, TEXT);
    add_whole(one, body, size);
}

static void answer_models(Connection *one) {
    static const char body[] =
        "{\"object\":\"list\",\"data\":[{\"id\":\"gpt-4o\",\"object\":\"model\","
        "\"created\":1763800000,\"owned_by\":\"fake\"}]}";
    add_whole(one, body, sizeof body - 1);
}

static int flush(Connection *one);

static void answer_stream(Connection *one, const char *body, size_t size) {
    static const char head[] =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n"
        "cache-control: no-cache\r\nx-request-id: req_fake\r\ntransfer-encoding: chunked\r\n\r\n";
    append(&one->out, head, sizeof head - 1);
    add_first(one);
    const char *asked = memmem(body, size, "pace=", 5);
    if (!asked) {
        /* One write an event, as a provider does: it is for the proxy to put them together. */
        for (int number = 0; number < CHUNKS && !flush(one); number++) add_event(one);
        add_last(one, CHUNKS);
        return;
    }
    char *rest;
    one->every = strtoll(asked + 5, &rest, 10) * 1000;
    one->left = atoi(rest + 1);
    /* Streams of real users do not tick together: each begins at its own part of the interval,
       spread by the golden ratio. */
    one->next = now_ns() + (int64_t)(one->every * (started++ * 40503u % 65536u / 65536.0));
    enter_heap(one);
}

/* What is asked. */

static void read_model(Connection *one, const char *body, size_t size) {
    strcpy(one->model, "gpt-4o");
    const char *at = memmem(body, size, "\"model\":", 8), *end = body + size;
    if (!at) return;
    for (at += 8; at < end && *at != '"'; at++);
    const char *close = at < end ? memchr(at + 1, '"', end - at - 1) : NULL;
    if (!close || close - at > MODEL_BYTES_MAX) return;
    memcpy(one->model, at + 1, close - at - 1);
    one->model[close - at - 1] = 0;
}

static void answer(Connection *one, const char *head, const char *body, size_t size) {
    if (head[0] != 'P') {
        answer_models(one);
        return;
    }
    const char *line = memchr(head, '\r', HEAD_LINE_BYTES_MAX);
    one->anthropic = line && memmem(head, line - head, "/messages", 9);
    read_model(one, body, size);
    if (memmem(body, size, "\"stream\":true", 13) || memmem(body, size, "\"stream\": true", 14))
        answer_stream(one, body, size);
    else
        answer_whole(one);
}

/* The bytes of the first request in the buffer, 0 while it is not whole. */
static size_t whole_request(const Buffer *in, size_t *head_size) {
    const char *begin = in->bytes + in->begin;
    size_t size = in->end - in->begin;
    const char *end = memmem(begin, size, "\r\n\r\n", 4);
    if (!end) return 0;
    *head_size = end - begin + 4;
    for (const char *line = begin; line < end;) {
        const char *next = (const char *)memchr(line, '\n', end + 2 - line) + 1;
        if (!strncasecmp(line, "content-length:", 15)) {
            size_t whole = *head_size + strtoul(line + 15, NULL, 10);
            return size >= whole ? whole : 0;
        }
        if (!strncasecmp(line, "transfer-encoding:", 18)) {
            const char *last = memmem(end, size - (end - begin), "\r\n0\r\n\r\n", 7);
            return last ? (size_t)(last - begin + 7) : 0;
        }
        line = next;
    }
    return *head_size;
}

static int flush(Connection *one) {
    Buffer *out = &one->out;
    while (out->begin < out->end) {
        ssize_t sent = send(one->fd, out->bytes + out->begin, out->end - out->begin, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return -1;
        if (sent < 0) break;
        out->begin += sent;
    }
    int full = out->begin < out->end;
    if (full != one->waits_write) {
        struct epoll_event event = {EPOLLIN | (full ? EPOLLOUT : 0), {.fd = one->fd}};
        epoll_ctl(epoll, EPOLL_CTL_MOD, one->fd, &event);
        one->waits_write = full;
    }
    return 0;
}

static int answer_all(Connection *one) {
    size_t head, whole;
    while (one->place < 0 && (whole = whole_request(&one->in, &head))) {
        const char *begin = one->in.bytes + one->in.begin;
        answer(one, begin, begin + head, whole - head);
        one->in.begin += whole;
    }
    return flush(one);
}

static void drop(Connection *one) {
    leave_heap(one);
    connections[one->fd] = NULL;
    close(one->fd);
    free(one->in.bytes);
    free(one->out.bytes);
    free(one);
}

static void receive(Connection *one) {
    make_room(&one->in, 1 << 16);
    ssize_t got = recv(one->fd, one->in.bytes + one->in.end, one->in.room - one->in.end, 0);
    if (got < 0 && errno == EAGAIN) return;
    one->in.end += got > 0 ? got : 0;
    if (got <= 0 || one->in.end - one->in.begin > BODY_BYTES_MAX || answer_all(one) < 0) drop(one);
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        if (fd >= CONNECTIONS_MAX) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        connections[fd] = calloc(1, sizeof(Connection));
        connections[fd]->fd = fd;
        connections[fd]->place = -1;
        struct epoll_event event = {EPOLLIN, {.fd = fd}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void send_due(void) {
    int64_t now = now_ns();
    while (paced && heap[0]->next <= now) {
        Connection *one = heap[0];
        /* A stream whose reader does not keep up is not fed further; it goes on when it reads. */
        if (one->out.begin == one->out.end) {
            add_event(one);
            one->left--;
        }
        one->next += one->every;
        if (one->left > 0) {
            sink(0);
            if (flush(one) < 0) drop(one);
        } else {
            leave_heap(one);
            add_last(one, CHUNKS);
            if (answer_all(one) < 0) drop(one);
        }
    }
}

int main(int count, char **words) {
    if (count != 2) {
        fprintf(stderr, "usage: upstream PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(words[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("upstream");
        return 1;
    }
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    for (int number = 0; number < 2; number++) {
        int fd = number ? timer : listener;
        struct epoll_event event = {EPOLLIN, {.fd = fd}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
    for (;;) {
        struct epoll_event events[EVENTS_AT_ONCE];
        int ready = epoll_wait(epoll, events, EVENTS_AT_ONCE, -1);
        for (int number = 0; number < ready; number++) {
            int fd = events[number].data.fd;
            uint64_t expired;
            if (fd == listener) {
                accept_all(listener);
            } else if (fd == timer) {
                if (read(timer, &expired, sizeof expired) < 0 && errno != EAGAIN) return 1;
            } else if (connections[fd]) {
                if (events[number].events & EPOLLOUT && flush(connections[fd]) < 0)
                    drop(connections[fd]);
                else if (events[number].events & ~EPOLLOUT)
                    receive(connections[fd]);
            }
        }
        send_due();
        set_timer();
    }
}
