"""The stdio relay against a scripted gateway on loopback: what it sends and what it says."""

import json
import os
import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.cli import relay_stream
from omniroute.server.cli.relay import EXIT_S, Relay
from omniroute.server.cli.relay_calls import CALLS_MAX, WAITING_MAX
from omniroute.server.cli.relay_gateway import Gateways
from omniroute.server.cli.relay_http import header_value
from omniroute.server.cli.relay_stdio import LINE_BYTES_MAX, Output, lines
from omniroute.server.settings import Settings

WAIT_S = 10.0
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request to the scripted gateway, answered by its script."""

    protocol_version = "HTTP/1.1"
    body: bytes

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers["content-length"]))
        server = self.server
        assert isinstance(server, ScriptedGateway)
        server.requests.put(self)
        server.script(self)

    def do_DELETE(self) -> None:
        self.do_POST()

    def do_GET(self) -> None:
        self.body = b"{}"
        server = self.server
        assert isinstance(server, ScriptedGateway)
        server.requests.put(self)
        server.stream(self)

    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def answer(self, status: int, text: str, kind: str = "application/json", **more: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        for name, value in more.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def result(self, **result: Any) -> None:
        self.answer(
            200, json.dumps({"jsonrpc": "2.0", "id": self.message()["id"], "result": result})
        )

    def session(self, session_id: str, **capabilities: Any) -> None:
        """Answer `initialize`."""
        result = {"protocolVersion": "2025-11-25", "capabilities": capabilities}
        answer = {"jsonrpc": "2.0", "id": self.message()["id"], "result": result}
        self.answer(200, json.dumps(answer), mcp_session_id=session_id)

    def event(self, method: str) -> None:
        self.wfile.write(b'data: {"jsonrpc":"2.0","method":"%b"}\n\n' % method.encode())
        self.wfile.flush()

    def begin_events(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        return


class ScriptedGateway(ThreadingHTTPServer):
    """Answers by its script, and keeps what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.script: Answer = lambda request: request.result()
        self.stream: Answer = lambda request: request.answer(405, "")
        self.requests: queue.Queue[Request] = queue.Queue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        return


class Client:
    """Speaks lines to a relay and reads what it says."""

    def __init__(self, relay: Relay, said: int) -> None:
        self._relay = relay
        self._said: queue.Queue[bytes] = queue.Queue()
        threading.Thread(target=self._listen, args=(said,), daemon=True).start()
        self.relay = relay

    def _listen(self, descriptor: int) -> None:
        for line in lines(descriptor):
            self._said.put(line)

    def say(self, message: Any) -> None:
        self._relay.take(message if isinstance(message, bytes) else json.dumps(message).encode())

    def hear(self) -> Any:
        return json.loads(self._said.get(timeout=WAIT_S))

    def hears_nothing(self, for_s: float = 0.2) -> bool:
        time.sleep(for_s)
        return self._said.empty()


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    with ScriptedGateway() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@contextmanager
def relayed(url: str, data_dir: Path, *, api_key: str | None = None) -> Iterator[Client]:
    reading, writing = os.pipe()
    gateways = Gateways(Settings(data_dir), url)
    client = Client(Relay(Output(writing), gateways, api_key=api_key), reading)
    try:
        yield client
    finally:
        client.relay.finish(within_s=EXIT_S)
        os.close(writing)


@pytest.fixture
def client(gateway: ScriptedGateway, tmp_path: Path) -> Iterator[Client]:
    with relayed(gateway.url, tmp_path, api_key="sk-omni-fake-key") as one:
        yield one


def call(number: int | str = 1, method: str = "tools/call", **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def test_a_message_is_posted_as_it_is_with_the_key(
    gateway: ScriptedGateway, client: Client
) -> None:
    line = b'{"jsonrpc":"2.0", "id": 1,"method":"tools/list"}'

    client.say(line)

    request = gateway.requests.get(timeout=WAIT_S)
    assert (request.path, request.body) == ("/mcp", line)
    assert request.headers["authorization"] == "Bearer sk-omni-fake-key"
    assert request.headers["accept"] == "application/json, text/event-stream"
    assert client.hear() == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_a_message_of_the_newer_era_carries_the_headers_that_repeat_it(
    gateway: ScriptedGateway, client: Client
) -> None:
    client.say(call(name="omniroute_get_health", _meta=MODERN))

    headers = gateway.requests.get(timeout=WAIT_S).headers
    assert headers["mcp-protocol-version"] == "2026-07-28"
    assert headers["mcp-method"] == "tools/call"
    assert headers["mcp-name"] == "omniroute_get_health"
    assert headers["mcp-session-id"] is None


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("plain", "plain"),
        ("with space inside", "with space inside"),
        (" edge", "=?base64?IGVkZ2U=?="),
        ("line\nbreak", "=?base64?bGluZQpicmVhaw==?="),
        ("süß", "=?base64?c8O8w58=?="),
        ("=?base64?eA==?=", "=?base64?PT9iYXNlNjQ/ZUE9PT89?="),
    ],
)
def test_a_name_that_no_header_can_hold_is_wrapped(text: str, header: str) -> None:
    assert header_value(text) == header


def test_the_older_eras_session_is_kept_and_sent(gateway: ScriptedGateway, client: Client) -> None:
    gateway.script = lambda request: request.answer(
        200,
        '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}',
        mcp_session_id="abc",
    )
    client.say(call(1, "initialize"))
    client.hear()
    gateway.requests.get(timeout=WAIT_S)
    gateway.script = lambda request: request.result()

    client.say(call(2, "tools/list"))

    headers = gateway.requests.get(timeout=WAIT_S).headers
    assert headers["mcp-session-id"] == "abc"
    assert headers["mcp-protocol-version"] == "2025-11-25"
    client.hear()


def test_a_session_that_the_gateway_forgot_is_opened_again_unseen(
    gateway: ScriptedGateway, client: Client
) -> None:
    live = iter(["first", "second"])
    known: list[str] = []

    def script(request: Request) -> None:
        if request.command == "DELETE":
            request.answer(200, "")
        elif request.message().get("method") == "initialize":
            known[:] = [next(live)]
            request.answer(
                200,
                '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}',
                mcp_session_id=known[0],
            )
        elif request.headers["mcp-session-id"] not in known:
            request.answer(404, '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":""}}')
        elif "id" not in request.message():
            request.answer(202, "")
        else:
            request.result(session=request.headers["mcp-session-id"])

    gateway.script = script
    client.say(call(1, "initialize"))
    client.hear()
    known[:] = []

    client.say(call(2, "tools/list"))

    assert client.hear() == {"jsonrpc": "2.0", "id": 2, "result": {"session": "second"}}


INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Session:
    """A script: one session after the other, of which only the last is known."""

    def __init__(self, **capabilities: Any) -> None:
        self.capabilities = capabilities
        self.opened = 0
        self.heard: list[Any] = []

    def __call__(self, request: Request) -> None:
        if request.command == "DELETE":
            self.heard.append(("DELETE", request.headers["mcp-session-id"]))
            request.answer(200, "")
            return
        message = request.message()
        self.heard.append(message)
        if message.get("method") == "initialize":
            self.opened += 1
            request.session(self.known, **self.capabilities)
        elif request.headers["mcp-session-id"] != self.known:
            request.answer(404, '{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":""}}')
        elif "id" in message:
            request.result(session=self.known)
        else:
            request.answer(202, "")

    @property
    def known(self) -> str:
        return f"session-{self.opened}"

    def forget(self) -> None:
        self.opened += 1


def begin(client: Client) -> None:
    client.say(call(0, "initialize"))
    client.hear()
    client.say(INITIALIZED)


def streams(gateway: ScriptedGateway, number: int) -> list[str]:
    """Give the sessions of the next so many streams that are asked for."""
    found: list[str] = []
    while len(found) < number:
        request = gateway.requests.get(timeout=WAIT_S)
        if request.command == "GET":
            assert request.headers["accept"] == "text/event-stream"
            assert request.headers["mcp-protocol-version"] == "2025-11-25"
            assert request.headers["authorization"] == "Bearer sk-omni-fake-key"
            found.append(request.headers["mcp-session-id"])
    return found


def test_what_the_gateway_says_of_itself_in_the_older_era_is_relayed(
    gateway: ScriptedGateway, client: Client
) -> None:
    def stream(request: Request) -> None:
        request.begin_events()
        request.event("notifications/tools/list_changed")
        assert request.connection.recv(1) == b""

    gateway.script, gateway.stream = Session(), stream

    begin(client)

    assert streams(gateway, 1) == ["session-1"]
    assert client.hear()["method"] == "notifications/tools/list_changed"


def test_a_stream_of_notifications_that_breaks_off_is_opened_again(
    gateway: ScriptedGateway, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_stream, "PAUSE_S", 0.01)
    answers = iter(["breaks", "refused", "goes on"])

    def stream(request: Request) -> None:
        match next(answers):
            case "refused":
                request.answer(409, "")
            case "breaks":
                request.begin_events()
            case _:
                request.begin_events()
                request.event("notifications/resources/list_changed")
                assert request.connection.recv(1) == b""

    gateway.script, gateway.stream = Session(), stream

    begin(client)

    assert streams(gateway, 3) == ["session-1"] * 3
    assert client.hear()["method"] == "notifications/resources/list_changed"


@pytest.mark.parametrize("status", [401, 404, 405])
def test_a_gateway_without_a_stream_is_asked_for_it_once(
    gateway: ScriptedGateway, client: Client, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setattr(relay_stream, "PAUSE_S", 0.0)
    gateway.script = Session()
    gateway.stream = lambda request: request.answer(status, "")

    begin(client)

    assert streams(gateway, 1) == ["session-1"]
    assert client.hears_nothing()
    assert gateway.requests.empty()


def test_a_session_that_is_opened_again_is_what_it_was_and_tells_what_may_have_changed(
    gateway: ScriptedGateway, client: Client
) -> None:
    session = Session(tools={"listChanged": True}, resources={"subscribe": True}, prompts={})
    gateway.script = session
    begin(client)
    for number, method, params in (
        (1, "resources/subscribe", {"uri": "omniroute://health"}),
        (2, "resources/subscribe", {"uri": "omniroute://combos"}),
        (3, "resources/unsubscribe", {"uri": "omniroute://health"}),
        (4, "logging/setLevel", {"level": "info"}),
    ):
        client.say(call(number, method, **params))
        assert "result" in client.hear()
    assert streams(gateway, 1) == ["session-1"]
    session.forget()
    session.heard.clear()

    client.say(call(5, "tools/list"))
    heard = [client.hear() for _ in range(3)]

    assert [one.get("method") for one in session.heard] == [
        "tools/list",
        "initialize",
        "notifications/initialized",
        "resources/subscribe",
        "logging/setLevel",
        "tools/list",
    ]
    assert session.heard[3]["params"] == {"uri": "omniroute://combos"}
    assert streams(gateway, 1) == ["session-3"]
    assert [one["method"] for one in heard if "method" in one] == [
        "notifications/tools/list_changed",
        "notifications/resources/updated",
    ]
    assert heard[-1] == {"jsonrpc": "2.0", "id": 5, "result": {"session": "session-3"}}


def test_the_end_of_the_relay_closes_its_stream_and_its_session(
    gateway: ScriptedGateway, client: Client
) -> None:
    hung_up = threading.Event()

    def stream(request: Request) -> None:
        request.begin_events()
        request.event("notifications/tools/list_changed")
        assert request.connection.recv(1) == b""
        hung_up.set()

    session = Session()
    gateway.script, gateway.stream = session, stream
    begin(client)
    client.hear()

    client.relay.finish(within_s=0)

    assert hung_up.wait(WAIT_S)
    assert session.heard[-1] == ("DELETE", "session-1")


def test_a_call_waits_for_the_initialized_notification_before_it(
    gateway: ScriptedGateway, client: Client
) -> None:
    arrived: list[str] = []

    def script(request: Request) -> None:
        method = request.message()["method"]
        if method == "initialize":
            request.result(protocolVersion="2025-11-25")
            return
        if method == "notifications/initialized":
            time.sleep(0.2)
        arrived.append(method)
        if "id" in request.message():
            request.result()
        else:
            request.answer(202, "")

    gateway.script = script
    client.say(call(1, "initialize"))
    client.hear()

    client.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
    client.say(call(2, "tools/list"))

    assert client.hear()["id"] == 2
    assert arrived == ["notifications/initialized", "tools/list"]


def test_events_become_lines_however_they_are_cut(gateway: ScriptedGateway, client: Client) -> None:
    progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progress": 1}}
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"text": "é\u2028 ünd \\n"}}
    stream = (
        f": ping\r\n\r\nevent: message\r\ndata: {json.dumps(progress)}\r\n\r\n"
        f"id: 6\nretry: 10\ndata:\n\nid: 7\ndata: {json.dumps(answer, ensure_ascii=False)[:1]}\n"
        f"data: {json.dumps(answer, ensure_ascii=False)[1:]}\n\n"
    ).encode()

    def script(request: Request) -> None:
        request.begin_events()
        for place in range(len(stream)):
            request.wfile.write(stream[place : place + 1])
            request.wfile.flush()

    gateway.script = script

    client.say(call())

    assert client.hear() == progress
    assert client.hear() == answer


def test_a_stream_stays_open_for_as_long_as_it_says_something(
    gateway: ScriptedGateway, client: Client
) -> None:
    more = threading.Event()

    def script(request: Request) -> None:
        request.begin_events()
        request.wfile.write(b'data: {"jsonrpc":"2.0","method":"notifications/ack"}\n\n')
        more.wait(WAIT_S)
        request.wfile.write(b'data: {"jsonrpc":"2.0","method":"notifications/changed"}\n\n')
        more.clear()
        more.wait(WAIT_S)

    gateway.script = script
    client.say(call(1, "subscriptions/listen", _meta=MODERN))
    assert client.hear()["method"] == "notifications/ack"
    gateway.script = lambda request: request.result()

    client.say(call(2, "tools/list", _meta=MODERN))

    assert client.hear()["id"] == 2
    more.set()
    assert client.hear()["method"] == "notifications/changed"
    client.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    assert client.hears_nothing()
    more.set()


@pytest.mark.parametrize("meta", [{}, {"_meta": MODERN}])
def test_a_cancelled_call_is_cut_and_never_heard_of_again(
    gateway: ScriptedGateway, client: Client, meta: dict[str, Any]
) -> None:
    cut = threading.Event()

    def script(request: Request) -> None:
        if "id" not in request.message():
            request.answer(202, "")
            return
        request.begin_events()
        request.wfile.write(b'data: {"jsonrpc":"2.0","method":"notifications/progress"}\n\n')
        # Nothing to read but the end: the relay has hung up.
        assert request.connection.recv(1) == b""
        cut.set()

    gateway.script = script
    client.say(call(1, **meta))
    client.hear()

    client.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})

    assert cut.wait(WAIT_S)
    assert client.hears_nothing()


def test_a_call_of_the_same_number_in_words_is_not_the_one_that_is_cancelled(
    gateway: ScriptedGateway, client: Client
) -> None:
    go_on = threading.Event()

    def script(request: Request) -> None:
        go_on.wait(WAIT_S)
        request.result()

    gateway.script = script
    client.say(call(1, _meta=MODERN))
    gateway.requests.get(timeout=WAIT_S)

    client.say(
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "1"}}
    )
    go_on.set()

    assert client.hear()["id"] == 1


def test_a_refusal_in_http_keeps_its_words_and_gets_the_calls_id(
    gateway: ScriptedGateway, client: Client
) -> None:
    error = {"code": -32001, "message": "this gateway needs a key"}
    gateway.script = lambda request: request.answer(
        401, json.dumps({"jsonrpc": "2.0", "id": None, "error": error})
    )

    client.say(call("a"))

    assert client.hear() == {"jsonrpc": "2.0", "id": "a", "error": error}


@pytest.mark.parametrize(
    ("status", "text", "told"),
    [
        (421, '{"error":{"message":"wrong host","code":"host_not_allowed"}}', "wrong host"),
        (502, "<html>bad</html>", "the gateway answered HTTP 502: <html>bad</html>"),
        (307, "", "the gateway answered HTTP 307"),
        (202, "", "the gateway answered HTTP 202"),
        (200, "not json", "not JSON"),
        (200, "[1]", "not a JSON-RPC message"),
        (200, "[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_answer_is_told_as_an_error(
    gateway: ScriptedGateway, client: Client, status: int, text: str, told: str
) -> None:
    gateway.script = lambda request: request.answer(status, text)

    client.say(call())

    error = client.hear()["error"]
    assert error["code"] == -32603
    assert told in error["message"]


def test_an_answer_that_breaks_off_is_an_error_that_says_so(
    gateway: ScriptedGateway, client: Client
) -> None:
    def script(request: Request) -> None:
        request.begin_events()
        request.wfile.write(b'data: {"jsonrpc":"2.0","met')

    gateway.script = script

    client.say(call())

    assert "went away while it worked on this" in client.hear()["error"]["message"]


def test_a_gateway_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    with relayed("http://127.0.0.1:9", tmp_path) as client:
        client.say(call())

        message = client.hear()["error"]["message"]

    assert "http://127.0.0.1:9 does not answer" in message


@pytest.mark.parametrize("url", ["http://127.0.0.1:port", "http://[", "127.0.0.1:9", "file:///x"])
def test_an_address_that_is_none_is_an_error(url: str, tmp_path: Path) -> None:
    with relayed(url, tmp_path) as client:
        client.say(call())

        assert client.hear()["error"]["code"] == -32603


def test_an_address_may_be_written_as_for_another_door(
    gateway: ScriptedGateway, tmp_path: Path
) -> None:
    with relayed(f"{gateway.url}/v1/", tmp_path) as client:
        client.say(call())

        assert client.hear()["result"] == {}
    assert gateway.requests.get(timeout=WAIT_S).path == "/mcp"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'"hello"', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"tools/list"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"tools/list"}', -32600),
        (b"x" * (LINE_BYTES_MAX + 1), -32600),
    ],
)
def test_a_line_that_is_no_message_is_answered_at_once(
    gateway: ScriptedGateway, client: Client, line: bytes, code: int
) -> None:
    client.say(line)

    heard = client.hear()
    assert (heard["id"], heard["error"]["code"]) == (None, code)
    assert gateway.requests.empty()


def test_an_id_in_use_and_too_many_calls_are_refused(
    gateway: ScriptedGateway, client: Client
) -> None:
    go_on = threading.Event()

    def script(request: Request) -> None:
        go_on.wait(WAIT_S)
        request.result()

    gateway.script = script
    for number in range(CALLS_MAX + WAITING_MAX):
        client.say(call(number))

    client.say(call(0))
    twice = client.hear()
    client.say(call("one more"))
    many = client.hear()
    go_on.set()

    assert "still running" in twice["error"]["message"]
    assert f"{CALLS_MAX} requests run and {WAITING_MAX} wait" in many["error"]["message"]
    everyone = range(CALLS_MAX + WAITING_MAX)
    assert sorted(client.hear()["id"] for _ in everyone) == list(everyone)


def test_a_call_that_is_cancelled_while_it_waits_never_reaches_the_gateway(
    gateway: ScriptedGateway, client: Client
) -> None:
    go_on = threading.Event()

    def script(request: Request) -> None:
        go_on.wait(WAIT_S)
        request.result()

    gateway.script = script
    for number in range(CALLS_MAX + 2):
        client.say(call(number, _meta=MODERN))

    cancelled = {"requestId": CALLS_MAX}
    client.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled})
    go_on.set()
    heard = {client.hear()["id"] for _ in range(CALLS_MAX + 1)}

    assert CALLS_MAX not in heard
    assert client.hears_nothing()
    asked = {gateway.requests.get(timeout=WAIT_S).message()["id"] for _ in heard}
    assert asked == heard
    assert gateway.requests.empty()


def test_long_and_cut_lines_are_read_whole() -> None:
    reading, writing = os.pipe()
    long = b"x" * 200_000
    said = b'{"a":1}\r\n\n' + long + b'\n{"b":2}'

    def write() -> None:
        for place in range(0, len(said), 70_001):
            os.write(writing, said[place : place + 70_001])
        os.close(writing)

    threading.Thread(target=write, daemon=True).start()

    # What the client did not end with a line break it did not say.
    assert list(lines(reading)) == [b'{"a":1}', long]
    os.close(reading)


def test_of_a_line_without_end_no_more_is_kept_than_shows_its_length() -> None:
    reading, writing = os.pipe()

    def write() -> None:
        for _ in range(3 * LINE_BYTES_MAX // 65_536):
            os.write(writing, b"x" * 65_536)
        os.write(writing, b"\nshort\n")
        os.close(writing)

    threading.Thread(target=write, daemon=True).start()
    first, second = lines(reading)

    assert LINE_BYTES_MAX < len(first) <= LINE_BYTES_MAX + 2 * 65_536
    assert second == b"short"
    os.close(reading)
