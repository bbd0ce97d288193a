"""The HTTP server itself: its control, its limits, clients that leave, HTTP as it comes."""

import asyncio
import resource
import time

import orjson
import pytest

from omniroute.routing.errors import BadRequest
from omniroute.routing.simulator.directives import Directives
from omniroute.server.simulator import connection as limits
from omniroute.server.simulator.control import Control, read_rule
from omniroute.server.simulator.simulator import Simulator, serve

from . import raw
from .raw import chat, connect, exchange, read, request

pytestmark = pytest.mark.anyio

QUICK = "fast@latency=0,pace=0"
DISCONNECTED_MS_MAX = 100
CLIENTS = 1_000


async def until_open(simulator: Simulator, connections: int) -> None:
    """Wait until the simulator has so many connections open."""
    async with asyncio.timeout(raw.LIMIT_S):
        while simulator.control.connections_open != connections:
            await asyncio.sleep(0.005)


async def until_left(simulator: Simulator, clients: int) -> None:
    """Wait until so many clients were seen to leave."""
    async with asyncio.timeout(raw.LIMIT_S):
        while len(simulator.control.disconnects) < clients:
            await asyncio.sleep(0.005)


async def until_asked(simulator: Simulator, requests: int) -> None:
    async with asyncio.timeout(raw.LIMIT_S):
        while simulator.control.requests < requests:
            await asyncio.sleep(0.005)


async def test_a_connection_serves_one_request_after_another(simulator: Simulator) -> None:
    reader, writer = await connect(simulator)
    statuses = []
    for _ in range(3):
        writer.write(chat("openai_chat", QUICK, stream=True))
        statuses.append((await read(reader)).status)
    writer.close()

    assert statuses == [200, 200, 200]
    assert simulator.control.connections_opened == 1


async def test_pipelined_requests_are_answered_in_order(simulator: Simulator) -> None:
    reader, writer = await connect(simulator)
    count = limits.PIPELINED_MAX * 2
    writer.write(b"".join(chat("openai_chat", QUICK, f"n{n}.", stream=False) for n in range(count)))

    seen = b""
    async with asyncio.timeout(raw.LIMIT_S):
        while b"n%d." % (count - 1) not in seen:
            seen += await reader.read(65_536)
    writer.close()

    places = [seen.index(b"said: n%d." % n) for n in range(count)]
    assert places == sorted(places)


async def test_a_body_is_asked_for_when_the_client_waits_to_send_it(simulator: Simulator) -> None:
    reader, writer = await connect(simulator)
    whole = chat("openai_chat", QUICK, stream=False)
    head, _, body = whole.partition(b"\r\n\r\n")

    writer.write(head + b"\r\nexpect: 100-continue\r\n\r\n")
    async with asyncio.timeout(raw.LIMIT_S):
        interim = await reader.readuntil(b"\r\n\r\n")
    writer.write(body)
    received = await read(reader)
    writer.close()

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert received.status == 200


async def test_a_request_may_come_byte_by_byte(simulator: Simulator) -> None:
    reader, writer = await connect(simulator)
    for byte in chat("openai_chat", QUICK, stream=False):
        writer.write(bytes([byte]))
        await writer.drain()
    received = await read(reader)
    writer.close()

    assert received.status == 200


async def test_chunks_have_the_size_that_is_asked_for(simulator: Simulator) -> None:
    whole = await exchange(simulator, chat("anthropic", QUICK, stream=True))
    split = await exchange(simulator, chat("anthropic", f"{QUICK},chunk=7", stream=True))

    kinds = [event["type"] for event in raw.events(whole.body)]
    assert [event["type"] for event in raw.events(split.body)] == kinds
    assert {len(chunk) for chunk in split.chunks[:-1]} == {7}


async def test_an_old_client_gets_an_answer_that_ends_with_the_connection(
    simulator: Simulator,
) -> None:
    sent = chat("openai_chat", QUICK, stream=True).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    reader, writer = await connect(simulator)
    writer.write(sent)
    async with asyncio.timeout(raw.LIMIT_S):
        answer = await reader.read()
    writer.close()

    assert b"transfer-encoding" not in answer
    assert answer.endswith(b"data: [DONE]\n\n")


async def test_a_head_request_gets_no_body(simulator: Simulator) -> None:
    reader, writer = await connect(simulator)
    writer.write(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n" + request("GET", "/v1/models"))
    async with asyncio.timeout(raw.LIMIT_S):
        first = await reader.readuntil(b"\r\n\r\n")
    second = await read(reader)
    writer.close()

    assert first.startswith(b"HTTP/1.1 200")
    assert second.json["object"] == "list"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * limits.HEAD_BYTES_MAX + b"\r\n\r\n", 431),
        (request("POST", "/v1/chat/completions", b"{"), 400),
        (request("POST", "/v1/chat/completions", b"{}"), 400),
        (request("POST", "/v1/messages", b"{}"), 400),
        (request("GET", "/nowhere"), 404),
        (request("DELETE", "/v1/models"), 405),
        (request("POST", "/v1beta/models/fast:sing", b"{}"), 400),
        (chat("openai_chat", "fast@speed=9", stream=True), 400),
        (chat("gemini", "fast@speed=9", stream=True), 400),
    ],
)
async def test_what_cannot_be_served_is_refused(
    simulator: Simulator, sent: bytes, status: int
) -> None:
    received = await exchange(simulator, sent)

    assert (received.status, received.end) == (status, "complete")
    assert received.json["error"]["message"]


async def test_an_upgrade_is_not_heard_and_the_request_is_answered(simulator: Simulator) -> None:
    wish = (("upgrade", "websocket"), ("connection", "upgrade"))

    received = await exchange(simulator, request("GET", "/v1/models", headers=wish))

    assert received.status == 200
    assert received.headers["connection"] == "close"


async def test_a_head_without_end_is_refused(simulator: Simulator) -> None:
    reader, writer = await connect(simulator)
    writer.write(b"GET / HTTP/1.1\r\nx: ")
    async with asyncio.timeout(raw.LIMIT_S):
        while simulator.control.bytes_sent == 0:
            writer.write(b"y" * 4_096)
            await asyncio.sleep(0)
    received = await read(reader)
    writer.close()

    assert received.status == 431


async def test_a_body_over_the_limit_is_refused(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BODY_BYTES_MAX", 1_000)

    received = await exchange(simulator, request("POST", "/v1/responses", b"x" * 1_001))

    assert received.status == 413


async def test_anthropic_needs_its_version_header(simulator: Simulator) -> None:
    sent = chat("anthropic", "fast", stream=False).replace(b"anthropic-version", b"other")

    received = await exchange(simulator, sent)

    assert received.status == 400
    assert received.json["error"]["message"] == "anthropic-version: header is required"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("authorization", "Bearer sk-fake-bad"),
        ("x-api-key", "sk-fake-bad"),
        ("x-goog-api-key", "sk-fake-bad"),
    ],
)
async def test_the_bad_key_is_refused_wherever_it_stands(
    simulator: Simulator, header: str, value: str
) -> None:
    received = await exchange(simulator, request("GET", "/v1/models", headers=((header, value),)))

    assert received.status == 401


async def test_models_come_in_the_shape_of_the_dialect(simulator: Simulator) -> None:
    version = (("anthropic-version", "2023-06-01"),)
    openai = await exchange(simulator, request("GET", "/v1/models"))
    anthropic = await exchange(simulator, request("GET", "/v1/models", headers=version))
    gemini = await exchange(simulator, request("GET", "/v1beta/models"))

    assert openai.json["data"][0]["object"] == "model"
    assert anthropic.json["data"][0]["type"] == "model"
    assert (anthropic.json["first_id"], anthropic.json["has_more"]) == ("fast", False)
    assert gemini.json["models"][0]["name"] == "models/fast"


async def test_tokens_are_counted_as_they_are_charged(simulator: Simulator) -> None:
    body = orjson.dumps({"model": "fast", "messages": [{"role": "user", "content": "x" * 40}]})
    version = (("anthropic-version", "2023-06-01"),)
    counted = await exchange(simulator, request("POST", "/v1/messages/count_tokens", body, version))
    contents = orjson.dumps({"contents": [{"parts": [{"text": "x" * 40}]}]})
    path = "/v1beta/models/fast:countTokens"
    by_gemini = await exchange(simulator, request("POST", path, contents))
    charged = await exchange(simulator, chat("anthropic", QUICK, "x" * 40, stream=False))

    assert counted.json == {"input_tokens": 10}
    assert by_gemini.json == {"totalTokens": 10}
    assert charged.json["usage"]["input_tokens"] == 10


async def test_a_model_may_stand_encoded_in_the_path(simulator: Simulator) -> None:
    body = orjson.dumps({"contents": [{"parts": [{"text": "hi"}]}]})
    path = "/v1beta/models/fast%40words%3D2%2Clatency%3D0:generateContent"

    received = await exchange(simulator, request("POST", path, body))

    assert received.json["modelVersion"] == "fast@words=2,latency=0"


async def test_control_faults_the_next_requests_and_no_more(simulator: Simulator) -> None:
    rule = orjson.dumps({"fault": "rate_limited", "requests": 2})
    await exchange(simulator, request("POST", "/control", rule))

    statuses = [
        (await exchange(simulator, chat("openai_chat", QUICK, stream=False))).status
        for _ in range(3)
    ]

    assert statuses == [429, 429, 200]


async def test_control_holds_until_it_is_cleared(simulator: Simulator) -> None:
    asked = chat("openai_chat", QUICK, stream=False)
    await exchange(simulator, request("POST", "/control", b'{"fault": "server_error"}'))
    faulty = [(await exchange(simulator, asked)).status for _ in range(2)]

    cleared = await exchange(simulator, request("DELETE", "/control"))
    well = await exchange(simulator, asked)

    assert faulty == [500, 500]
    assert cleared.json["rules"] == []
    assert well.status == 200


async def test_control_is_for_one_model_or_one_key(simulator: Simulator) -> None:
    simulator.control.set(Directives(fault="unavailable"), model="smart")
    simulator.control.set(Directives(fault="forbidden"), key="sk-fake-two")
    two = b"authorization: Bearer sk-fake-two\r\nhost"

    smart = await exchange(simulator, chat("openai_chat", "smart@pace=0", stream=False))
    other = chat("openai_chat", QUICK, stream=False)
    fast = await exchange(simulator, other)
    keyed = await exchange(simulator, other.replace(b"host", two, 1))

    assert (smart.status, fast.status, keyed.status) == (503, 200, 403)


async def test_control_can_refuse_a_connection_at_its_start(simulator: Simulator) -> None:
    simulator.control.set(Directives(fault="connection_refused"), requests=1)

    refused = await exchange(simulator, b"")
    served = await exchange(simulator, request("GET", "/v1/models"))

    assert refused.end == "reset"
    assert served.status == 200
    assert simulator.control.connections_refused == 1


async def test_control_shows_counts_and_hides_keys(simulator: Simulator) -> None:
    simulator.control.set(Directives(fault="stall", after=2), key="sk-fake-secret", requests=4)
    await exchange(simulator, chat("openai_chat", QUICK, stream=False))

    shown = (await exchange(simulator, request("GET", "/control"))).json

    assert shown["rules"] == [
        {"fault": "stall", "after": 2, "requests": 4, "model": None, "key": "...cret"}
    ]
    assert (shown["requests"], shown["connections_opened"]) == (2, 2)
    assert shown["answers_finished"] == 1
    assert shown["bytes_sent"] > 100


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"nonsense", "JSON object"),
        (b"[]", "JSON object"),
        (b'{"requests": 0}', "at least 1"),
        (b'{"fire": 1}', "known are"),
        (b'{"fault": "fire"}', "no fault is named"),
        (b'{"fault": "connection_refused"}', "for how many"),
    ],
)
def test_a_control_request_that_makes_no_sense_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        read_rule(body)


def test_rules_are_used_in_the_order_in_which_they_were_set() -> None:
    control = Control()
    control.set(Directives(after=1), requests=1)
    control.set(Directives(after=2), requests=1)

    assert [control.directives_for("fast", "").after for _ in range(3)] == [1, 2, None]


async def test_requests_can_be_looked_at(simulator: Simulator) -> None:
    await exchange(simulator, chat("anthropic", QUICK, stream=False))

    (seen,) = simulator.control.seen
    assert (seen.method, seen.path) == ("POST", "/v1/messages")
    assert ("anthropic-version", "2023-06-01") in seen.headers
    assert orjson.loads(seen.body)["model"] == QUICK


@pytest.mark.parametrize(
    ("model", "at_least", "at_most"),
    [
        ("fast@latency=5", 0, 0),
        ("fast@latency=0,fault=slow_first_event", 1, 400),
        ("fast@latency=0,pace=0,fault=stall,after=3", 600, 2_000),
    ],
)
async def test_a_client_that_leaves_is_seen_at_once(
    simulator: Simulator, model: str, at_least: int, at_most: int
) -> None:
    _, writer = await connect(simulator)
    writer.write(chat("openai_chat", model, stream=True))
    await until_asked(simulator, 1)
    await asyncio.sleep(0.05)

    left_s = time.monotonic()
    writer.close()
    await until_left(simulator, 1)

    (gone,) = simulator.control.disconnects
    assert (gone.at_s - left_s) * 1000 < DISCONNECTED_MS_MAX
    assert at_least <= gone.bytes_sent <= at_most
    assert (gone.path, gone.model) == ("/v1/chat/completions", model)
    assert simulator.control.bytes_after_disconnect == 0


async def test_a_client_that_stays_is_no_disconnect(simulator: Simulator) -> None:
    for fault in ("reset", "hang_up", "short_body", "close_after_head"):
        await exchange(simulator, chat("openai_chat", f"{QUICK},fault={fault}", stream=True))
    await exchange(simulator, chat("openai_chat", QUICK, stream=True))
    await until_open(simulator, 0)

    assert list(simulator.control.disconnects) == []


async def test_a_client_that_reads_slowly_is_waited_for(simulator: Simulator) -> None:
    model = f"{QUICK},fault=huge_event,size=20000000"
    reader, writer = await connect(simulator)
    writer.write(chat("openai_chat", model, stream=True))
    await asyncio.sleep(0.2)
    held_back = simulator.control.bytes_sent

    received = await read(reader)
    writer.close()

    assert len(received.body) > 20_000_000
    assert held_back < 15_000_000
    assert received.end == "complete"


async def test_a_thousand_clients_come_and_go(simulator: Simulator) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 2 * CLIENTS + 100:
        resource.setrlimit(
            resource.RLIMIT_NOFILE,
            (2 * CLIENTS + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),
        )
    asked = chat("openai_chat", "fast@latency=60", stream=True)
    clients = await asyncio.gather(*(connect(simulator) for _ in range(CLIENTS)))
    for _, writer in clients:
        writer.write(asked)
    await until_asked(simulator, CLIENTS)

    for _, writer in clients:
        writer.transport.abort()
    await until_left(simulator, CLIENTS)
    await until_open(simulator, 0)

    assert simulator.control.bytes_sent == 0
    assert {gone.bytes_sent for gone in simulator.control.disconnects} == {0}


@pytest.mark.parametrize("anyio_backend", [("asyncio", {"use_uvloop": True})], ids=["uvloop"])
@pytest.mark.parametrize(
    ("fault", "end"), [("reset", "reset"), ("hang_up", "closed"), ("connection_refused", "reset")]
)
async def test_connections_end_alike_on_the_other_event_loop(
    simulator: Simulator, fault: str, end: str
) -> None:
    received = await exchange(simulator, chat("openai_chat", f"{QUICK},fault={fault}", stream=True))

    assert received.end == end


async def test_closing_the_simulator_cuts_what_is_open() -> None:
    simulator = Simulator()
    await simulator.open()
    reader, writer = await connect(simulator)
    writer.write(chat("openai_chat", "fast@latency=60", stream=True))
    await until_asked(simulator, 1)

    async with asyncio.timeout(raw.LIMIT_S):
        await simulator.close()
        received = await read(reader)
    writer.close()

    assert received.end in ("closed", "reset")
    assert list(simulator.control.disconnects) == []


async def test_serving_tells_when_it_is_ready_and_ends_when_cancelled() -> None:
    listening: asyncio.Future[Simulator] = asyncio.get_running_loop().create_future()
    serving = asyncio.ensure_future(serve("127.0.0.1", 0, ready=listening.set_result))

    async with asyncio.timeout(raw.LIMIT_S):
        simulator = await listening
        answer = await exchange(simulator, request("GET", "/"))
        serving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await serving

    assert answer.json["simulated"] is True
    assert answer.headers["x-simulated"] == "1"
