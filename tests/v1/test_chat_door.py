"""POST /v1/chat/completions, through the door: good answers and every kind of bad input."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest
from msgspec import structs

from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call, Caller
from omniroute.routing.wire.sessions import session_id
from omniroute.server.asgi import answer
from tests.fakes import account, combo
from tests.v1.door import BODY_BYTES_MAX, scope, setting

pytestmark = pytest.mark.anyio

HELLO = [{"role": "user", "content": "hello there"}]
ROUTER = Caller("router", frozenset({"write:route"}))
READER = Caller("reader", frozenset({"read:usage"}))


async def test_a_chat_is_answered_whole_with_where_it_came_from() -> None:
    response = await setting().post({"model": "sim/fast@latency=0", "messages": HELLO})

    assert response.status == 200
    message = response.json()["choices"][0]["message"]
    assert message["content"] == "[simulated by sim/fast] You said: hello there"
    assert response.headers["x-omniroute-provider"] == "sim"
    assert response.headers["x-omniroute-attempts"] == "1"
    assert float(response.headers["x-omniroute-cost-usd"]) > 0
    assert response.headers["x-request-id"].startswith("req_")


async def test_a_stream_folds_to_the_whole_answer_and_ends_once() -> None:
    body = {"model": "sim/fast@latency=0", "stream": True, "messages": HELLO}

    response = await setting().post(body)

    assert response.headers["content-type"].startswith("text/event-stream")
    assert response.events().count("[DONE]") == 1
    assert response.events()[-1] == "[DONE]"
    assert b"You " in response.body


async def test_an_anthropic_client_is_answered_by_a_provider_of_the_openai_dialect() -> None:
    whole = await setting(dialect="anthropic").post(
        {"model": "sim/fast@latency=0", "max_tokens": 50, "messages": HELLO}
    )
    streamed = await setting(dialect="anthropic").post(
        {"model": "sim/fast@latency=0", "max_tokens": 50, "stream": True, "messages": HELLO}
    )

    assert whole.json()["content"][0]["text"].endswith("You said: hello there")
    assert whole.json()["stop_reason"] == "end_turn"
    assert streamed.body.count(b"event: message_stop") == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_provider_could_not_be_told_is_said(stream: bool) -> None:
    body = {
        "model": "sim/fast@latency=0",
        "max_tokens": 50,
        "messages": HELLO,
        "stream": stream,
        "context_management": {"edits": []},
    }

    foreign = await setting(dialect="anthropic").post(body)
    same = await setting().post(body)

    assert foreign.headers["x-omniroute-dropped"] == "context_management"
    assert "x-omniroute-dropped" not in same.headers


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'"x"', None),
        (b'{"model": 3, "messages": []}', "model"),
        (b'{"messages": []}', "model"),
        (b'{"model": "sim/fast"}', "messages"),
        (b'{"model": "sim/fast", "messages": "x"}', "messages"),
        (b'{"model": "sim/fast", "messages": [], "stream": "yes"}', "stream"),
        (b'{"model": "\xff", "messages": []}', None),
        (b"[" * 5000, None),
    ],
)
async def test_a_body_that_is_not_a_chat_is_a_400_that_names_the_field(
    body: bytes, field: str | None
) -> None:
    response = await setting().post(body)

    error = response.json()["error"]
    assert (response.status, error["type"]) == (400, "invalid_request_error")
    if field is not None:
        assert field in (error["param"] or error["message"])


async def test_an_unknown_model_is_a_404_with_what_to_do() -> None:
    response = await setting().post({"model": "sim/fastt", "messages": HELLO})
    other = await setting().post({"model": "no-such-model-anywhere", "messages": HELLO})

    assert other.status == 404
    assert other.json()["error"]["code"] == "model_not_found"
    assert response.status in (400, 404)


async def test_too_large_a_body_is_a_413_before_it_is_read() -> None:
    response = await setting().post(b"x" * (BODY_BYTES_MAX + 1))
    declared = await setting().post(b"{}", content_length=str(10**9))

    assert (response.status, declared.status) == (413, 413)


async def test_a_compressed_body_is_refused_in_words() -> None:
    response = await setting().post(b"\x1f\x8b", content_encoding="gzip")

    assert response.status == 400
    assert "content-encoding" in response.json()["error"]["message"]


async def test_a_key_is_needed_once_there_is_one() -> None:
    there = setting(check=lambda text: ROUTER if text == "sk-fake-good" else None)
    body = {"model": "sim/fast@latency=0", "messages": HELLO}

    none = await there.post(body)
    bad = await there.post(body, authorization="Bearer sk-fake-bad")
    good = await there.post(body, authorization="Bearer sk-fake-good")
    other_header = await there.post(body, x_api_key="sk-fake-good")

    assert (none.status, bad.status, good.status, other_header.status) == (401, 401, 200, 200)
    assert "www-authenticate" in none.headers


async def test_without_keys_any_credential_is_ignored_but_a_forwarded_request_is_not_local() -> (
    None
):
    body = {"model": "sim/fast@latency=0", "messages": HELLO}

    ignored = await setting().post(body, authorization="Bearer whatever")
    forwarded = await setting().post(body, x_forwarded_for="203.0.113.9")

    assert (ignored.status, forwarded.status) == (200, 401)


async def test_a_key_without_the_scope_is_a_403() -> None:
    there = setting(check=lambda text: READER)

    response = await there.post(
        {"model": "sim/fast", "messages": HELLO}, authorization="Bearer sk-fake"
    )

    assert response.status == 403
    assert "write:route" in response.json()["error"]["message"]


async def test_a_request_that_came_through_this_gateway_is_a_508() -> None:
    response = await setting().post(
        {"model": "sim/fast", "messages": HELLO}, x_omniroute_hop="other,gateway"
    )

    assert response.status == 508


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("rate_limited", 429),
        ("overloaded", 503),
        ("server_error", 502),
        ("bad_key", 502),
    ],
)
async def test_a_provider_that_fails_is_reported_in_the_clients_dialect(
    fault: str, status: int
) -> None:
    there = setting()

    response = await there.post({"model": f"sim/fast@fault={fault},latency=0", "messages": HELLO})

    assert response.status == status, response.body
    assert response.json()["error"]["message"]
    assert there.here.ledger.records[0].outcome.status == "failed"


async def test_a_stream_that_breaks_off_ends_with_an_error_event_and_never_with_done() -> None:
    there = setting()
    body = {
        "model": "sim/fast@fault=hang_up,after=2,latency=0",
        "stream": True,
        "messages": HELLO,
    }

    response = await there.post(body)

    assert response.status == 200
    assert '"error"' in response.events()[-1]
    assert "[DONE]" not in response.events()
    assert there.here.ledger.records[0].outcome.status == "failed"


async def test_the_second_model_of_a_combo_answers_when_the_first_is_down() -> None:
    pair = combo("pair", "sim/smart@fault=server_error,latency=0", "sim/fast@latency=0")
    there = setting(combos=(pair,))

    response = await there.post({"model": "pair", "messages": HELLO})

    assert response.status == 200
    assert response.headers["x-omniroute-model"].startswith("fast")
    assert response.headers["x-omniroute-attempts"] == "2"


async def test_a_slow_stream_is_committed_after_the_hold_and_kept_alive() -> None:
    there = setting(hold_s=0.01)
    body = {"model": "sim/fast@latency=0.2", "stream": True, "messages": HELLO}

    response = await there.post(body)

    assert response.chunks[0] == b": keep-alive\n\n"
    assert response.events()[-1] == "[DONE]"


async def test_a_failure_after_the_hold_is_an_error_event() -> None:
    class Late:
        async def open(self, call: Call) -> Any:
            await asyncio.sleep(0.1)
            raise UpstreamFailure("it never came", kind="timeout_first_byte")

    there = setting(account("one"), upstream=Late(), hold_s=0.01)

    response = await there.post({"model": "one/m", "stream": True, "messages": HELLO})

    assert response.status == 200
    assert "it never came" in response.events()[-1]


async def test_a_client_that_leaves_before_the_first_byte_frees_the_upstream() -> None:
    opened = asyncio.Event()
    closed = asyncio.Event()

    class Silent:
        async def open(self, call: Call) -> Any:
            opened.set()
            try:
                await asyncio.Event().wait()
            finally:
                closed.set()

    there = setting(account("one"), upstream=Silent())
    sent: list[Any] = []
    messages = [
        {"type": "http.request", "body": b'{"model": "one/m", "messages": []}'},
    ]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await opened.wait()
        return {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    async with asyncio.timeout(5):
        await answer(there.door, scope(), receive, send)

    assert closed.is_set()
    assert sent == []
    assert there.here.ledger.records[0].outcome.status == "client_gone"


async def test_a_session_is_recorded_as_an_id_of_the_key_that_named_it() -> None:
    callers = {"a": structs.replace(ROUTER, key_id="a"), "b": structs.replace(ROUTER, key_id="b")}
    door = setting(check=callers.get)
    body = {"model": "sim/fast@latency=0", "messages": HELLO}

    for key in ("a", "a", "b"):
        await door.post(body, authorization=f"Bearer {key}", x_session_id="conversation 1")
    await door.post({**body, "prompt_cache_key": "conversation 1"}, authorization="Bearer a")
    await door.post(body, authorization="Bearer a")

    sessions = [one.outcome.request.session_id for one in door.here.ledger.records]
    mine, theirs = session_id("a", "conversation 1"), session_id("b", "conversation 1")
    assert sessions == [mine, mine, theirs, mine, None]


@pytest.mark.parametrize(
    ("target", "told"),
    [("auto", "smart"), ("sim/fast@latency=0", "ignored; strategy priority")],
)
async def test_a_wished_mode_is_told_with_the_answer(target: str, told: str) -> None:
    body = {"model": target, "messages": [{"role": "user", "content": "hello"}]}

    wished = await setting().post(body, x_omniroute_mode="quality")
    unknown = await setting().post(body, x_omniroute_mode="best")
    without = await setting().post(body)

    assert wished.headers["x-omniroute-mode"] == told
    assert unknown.status == 400
    assert "x-omniroute-mode is one of balanced" in unknown.json()["error"]["message"]
    assert "x-omniroute-mode" not in without.headers
