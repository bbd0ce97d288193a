"""Every row of the fault table, as a client of the HTTP server sees it."""

import asyncio
import gzip
import time
import zlib
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from omniroute.routing.simulator.disturbances import OVERALL, PLACED
from omniroute.routing.simulator.faults import FAULTS
from omniroute.server.simulator.simulator import Simulator

from . import raw
from .raw import chat, events, exchange

pytestmark = pytest.mark.anyio

DIALECTS = ("openai_chat", "openai_responses", "anthropic", "gemini")
BRIEF = "seconds=2,size=100000"

# What a client sees: the status, None when none came, and how the answer ended, "silent" when
# it lost its patience; first when the answer streams, then when it does not.
SEEN: dict[str, tuple[tuple[int | None, raw.End], tuple[int | None, raw.End]]] = {
    "rate_limited": ((429, "complete"), (429, "complete")),
    "rate_limited_date": ((429, "complete"), (429, "complete")),
    "rate_limited_silent": ((429, "complete"), (429, "complete")),
    "quota_exhausted": ((429, "complete"), (429, "complete")),
    "spend_limit": ((429, "complete"), (429, "complete")),
    "server_error": ((500, "complete"), (500, "complete")),
    "bad_gateway": ((502, "complete"), (502, "complete")),
    "unavailable": ((503, "complete"), (503, "complete")),
    "gateway_timeout": ((504, "complete"), (504, "complete")),
    "overloaded": ((529, "complete"), (529, "complete")),
    "bad_key": ((401, "complete"), (401, "complete")),
    "forbidden": ((403, "complete"), (403, "complete")),
    "context_too_long": ((400, "complete"), (400, "complete")),
    "content_policy": ((400, "complete"), (400, "complete")),
    "model_gone": ((404, "complete"), (404, "complete")),
    "usage_missing": ((200, "complete"), (200, "complete")),
    "usage_absurd": ((200, "complete"), (200, "complete")),
    "other_model": ((200, "complete"), (200, "complete")),
    "finish_twice": ((200, "complete"), (200, "complete")),
    "terminator_missing": ((200, "complete"), (200, "complete")),
    "empty_answer": ((200, "complete"), (200, "complete")),
    "tool_json_broken": ((200, "complete"), (200, "complete")),
    "huge_event": ((200, "complete"), (200, "complete")),
    "error_first": ((200, "complete"), (529, "complete")),
    "error_later": ((200, "complete"), (529, "complete")),
    "connection_refused": ((None, "reset"), (None, "reset")),
    "slow_first_byte": ((None, "silent"), (None, "silent")),
    "slow_first_event": ((200, "silent"), (200, "silent")),
    "keep_alives_only": ((200, "complete"), (200, "complete")),
    "stall": ((200, "silent"), (200, "silent")),
    "reset": ((200, "reset"), (200, "reset")),
    "hang_up": ((200, "closed"), (200, "closed")),
    "stops_early": ((200, "complete"), (200, "complete")),
    "malformed_line": ((200, "complete"), (200, "complete")),
    "malformed_json": ((200, "complete"), (200, "complete")),
    "short_body": ((200, "closed"), (200, "closed")),
    "html": ((200, "complete"), (200, "complete")),
    "html_502": ((502, "complete"), (502, "complete")),
    "error_as_200": ((200, "complete"), (200, "complete")),
    "gzip": ((200, "complete"), (200, "complete")),
    "early_hints": ((200, "complete"), (200, "complete")),
    "close_after_head": ((200, "closed"), (200, "closed")),
}
# Where a vendor's own status differs.
OWN_STATUS = {
    ("anthropic", "quota_exhausted"): 402,
    ("gemini", "bad_key"): 400,
    ("gemini", "content_policy"): 200,
}


async def ask(
    simulator: Simulator,
    fault: str,
    dialect: str = "openai_chat",
    *,
    stream: bool = True,
    patience_s: float = raw.LIMIT_S,
) -> raw.Received:
    """Ask for a fault, written with its directives: "stall,after=3"."""
    asked = chat(dialect, f"fast@latency=0,pace=0,fault={fault}", stream=stream)
    return await exchange(simulator, asked, patience_s)


def test_every_fault_has_a_row_of_what_is_seen() -> None:
    assert SEEN.keys() == FAULTS.keys()
    assert all(row.name == name and row.does for name, row in FAULTS.items())


def test_every_effect_is_played_in_one_way() -> None:
    effects = {row.how for row in FAULTS.values() if isinstance(row.how, str)}

    assert effects == OVERALL.keys() | PLACED.keys()
    assert not OVERALL.keys() & PLACED.keys()


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_is_seen_as_its_row_says(simulator: Simulator, fault: str) -> None:
    cases = [(dialect, stream) for dialect in DIALECTS for stream in (True, False)]
    patience_s = raw.PATIENCE_S if SEEN[fault][0][1] == "silent" else raw.LIMIT_S

    received = await asyncio.gather(
        *(
            ask(simulator, f"{fault},{BRIEF}", dialect, stream=stream, patience_s=patience_s)
            for dialect, stream in cases
        )
    )

    for (dialect, stream), one in zip(cases, received, strict=True):
        status, end = SEEN[fault][0 if stream else 1]
        own = OWN_STATUS.get((dialect, fault), status)
        assert (dialect, stream, one.status, one.end) == (dialect, stream, own, end)


def texts(received: raw.Received) -> list[str]:
    """Give the content of every chunk that has some."""
    return [
        choice["delta"]["content"]
        for event in events(received.body)
        for choice in event.get("choices", ())
        if choice["delta"].get("content")
    ]


def finishes(received: raw.Received) -> list[str]:
    return [
        choice["finish_reason"]
        for event in events(received.body)
        for choice in event.get("choices", ())
        if choice["finish_reason"]
    ]


def usages(received: raw.Received) -> list[dict[str, Any]]:
    return [event["usage"] for event in events(received.body) if event.get("usage")]


async def test_retry_after_comes_in_the_form_that_is_asked_for(simulator: Simulator) -> None:
    seconds = await ask(simulator, "rate_limited,retry=3")
    date = await ask(simulator, "rate_limited_date,retry=90")
    silent = await ask(simulator, "rate_limited_silent")

    assert seconds.headers["retry-after"] == "3"
    until_s = parsedate_to_datetime(date.headers["retry-after"]).timestamp() - time.time()
    assert 60 < until_s <= 91
    assert "retry-after" not in silent.headers


async def test_gemini_says_in_the_body_when_to_retry(simulator: Simulator) -> None:
    received = await ask(simulator, "rate_limited,retry=3", "gemini")

    error = received.json["error"]
    assert "retry-after" not in received.headers
    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert error["details"][0]["retryDelay"] == "3s"


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        ("rate_limited", "requests", "rate_limit_exceeded"),
        ("quota_exhausted", "insufficient_quota", "insufficient_quota"),
        ("spend_limit", "insufficient_quota", "organization_spend_limit_exceeded"),
        ("bad_key", "invalid_request_error", "invalid_api_key"),
        ("context_too_long", "invalid_request_error", "context_length_exceeded"),
        ("content_policy", "invalid_request_error", "content_policy_violation"),
        ("model_gone", "invalid_request_error", "model_not_found"),
        ("server_error", "server_error", None),
    ],
)
async def test_openai_errors_have_its_types_and_codes(
    simulator: Simulator, fault: str, kind: str, code: str | None
) -> None:
    received = await ask(simulator, fault)

    error = received.json["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert (error["type"], error["code"]) == (kind, code)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("rate_limited", "rate_limit_error"),
        ("quota_exhausted", "billing_error"),
        ("spend_limit", "rate_limit_error"),
        ("bad_key", "authentication_error"),
        ("forbidden", "permission_error"),
        ("model_gone", "not_found_error"),
        ("overloaded", "overloaded_error"),
        ("server_error", "api_error"),
    ],
)
async def test_anthropic_errors_have_its_types(simulator: Simulator, fault: str, kind: str) -> None:
    received = await ask(simulator, fault, "anthropic")

    body = received.json
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == received.headers["request-id"]


async def test_anthropic_names_the_spend_limit_in_the_details(simulator: Simulator) -> None:
    received = await ask(simulator, "spend_limit", "anthropic")

    assert received.json["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}
    assert "retry-after" not in received.headers


async def test_gemini_blocks_a_prompt_with_a_200(simulator: Simulator) -> None:
    whole = await ask(simulator, "content_policy", "gemini", stream=False)
    streamed = await ask(simulator, "content_policy", "gemini", stream=True)

    assert whole.json == {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
    assert events(streamed.body) == [whole.json]


@pytest.mark.parametrize("after", [0, 1, 4])
@pytest.mark.parametrize("fault", ["reset", "hang_up", "stops_early", "stall"])
async def test_a_fault_comes_after_the_pieces_that_were_asked_for(
    simulator: Simulator, fault: str, after: int
) -> None:
    received = await ask(simulator, f"{fault},after={after},seconds=5", patience_s=raw.PATIENCE_S)

    assert len(texts(received)) == after
    assert finishes(received) == []


async def test_a_fault_far_behind_the_end_comes_before_the_last_piece(
    simulator: Simulator,
) -> None:
    received = await ask(simulator, "reset,after=1000")

    assert received.end == "reset"
    assert texts(received)[-1] == "two "


async def test_an_answer_goes_on_after_a_stall(simulator: Simulator) -> None:
    received = await ask(simulator, "stall,seconds=0.3")

    assert received.end == "complete"
    assert received.took_s >= 0.3
    assert "".join(texts(received)).endswith("You said: one two three")


async def test_keep_alives_come_before_a_late_answer(simulator: Simulator) -> None:
    streamed = await ask(simulator, "keep_alives_only,seconds=0.5")
    whole = await ask(simulator, "keep_alives_only,seconds=0.5", stream=False)

    assert streamed.body.startswith(b": keep-alive\n\n" * 2)
    assert finishes(streamed) == ["stop"]
    assert whole.body.startswith(b"\n\n{")


async def test_usage_can_be_missing_or_absurd(simulator: Simulator) -> None:
    missing = await ask(simulator, "usage_missing")
    absurd = await ask(simulator, "usage_absurd")

    assert usages(missing) == []
    assert [(one["prompt_tokens"], one["completion_tokens"]) for one in usages(absurd)] == [
        (-1, 10**12)
    ]


async def test_another_model_says_its_name(simulator: Simulator) -> None:
    received = await ask(simulator, "other_model")

    assert {event["model"] for event in events(received.body)} == {"another-model"}


async def test_endings_can_be_too_many_or_missing(simulator: Simulator) -> None:
    twice = await ask(simulator, "finish_twice")
    missing = await ask(simulator, "terminator_missing")

    assert finishes(twice) == ["stop", "stop"]
    assert finishes(missing) == ["stop"]
    assert b"[DONE]" not in missing.body


@pytest.mark.parametrize(
    ("dialect", "last"),
    [
        ("openai_chat", b"[DONE]"),
        ("openai_responses", b"response.completed"),
        ("anthropic", b"message_stop"),
        ("gemini", b"finishReason"),
    ],
)
async def test_every_dialect_can_leave_its_last_event_out(
    simulator: Simulator, dialect: str, last: bytes
) -> None:
    well = await exchange(simulator, chat(dialect, "fast@pace=0", stream=True))
    cut = await ask(simulator, "terminator_missing", dialect)

    assert last in well.body
    assert last not in cut.body


async def test_an_error_event_comes_before_or_after_content(simulator: Simulator) -> None:
    first = await ask(simulator, "error_first")
    later = await ask(simulator, "error_later,after=3")

    assert texts(first) == []
    assert len(texts(later)) == 3
    assert events(first.body)[-1]["error"]["code"] == "server_is_overloaded"
    assert events(later.body)[-1]["error"]["code"] == "server_is_overloaded"


async def test_malformed_events_stand_among_good_ones(simulator: Simulator) -> None:
    line = await ask(simulator, "malformed_line,after=2")
    half = await ask(simulator, "malformed_json,after=2")

    assert b'\n\n{"id"' in line.body
    with pytest.raises(ValueError, match="unexpected end"):
        events(half.body)
    assert line.body.endswith(b"data: [DONE]\n\n")
    assert half.body.endswith(b"data: [DONE]\n\n")


async def test_a_huge_event_has_the_size_that_was_asked_for(simulator: Simulator) -> None:
    received = await ask(simulator, "huge_event,size=3000000")

    assert max(len(text) for text in texts(received)) == 3_000_000


async def test_tool_arguments_can_be_broken(simulator: Simulator) -> None:
    chat_answer = await ask(simulator, "tool_json_broken", stream=False)
    gemini_answer = await ask(simulator, "tool_json_broken", "gemini", stream=False)

    call = chat_answer.json["choices"][0]["message"]["tool_calls"][0]
    with pytest.raises(ValueError, match="unexpected end"):
        raw.parse(call["function"]["arguments"])
    assert gemini_answer.json["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL"


async def test_a_gzipped_answer_says_so_and_unpacks(simulator: Simulator) -> None:
    whole = await ask(simulator, "gzip", stream=False)
    streamed = await ask(simulator, "gzip", stream=True)

    assert whole.headers["content-encoding"] == streamed.headers["content-encoding"] == "gzip"
    assert raw.parse(gzip.decompress(whole.body))["object"] == "chat.completion"
    assert zlib.decompress(streamed.body, wbits=31).endswith(b"data: [DONE]\n\n")


async def test_an_interim_answer_comes_before_the_final_one(simulator: Simulator) -> None:
    received = await ask(simulator, "early_hints")

    assert received.interim == [103]
    assert finishes(received) == ["stop"]


async def test_pages_and_errors_come_where_answers_should_be(simulator: Simulator) -> None:
    page = await ask(simulator, "html")
    error = await ask(simulator, "error_as_200", "anthropic")

    assert page.headers["content-type"].startswith("text/html")
    assert error.headers["content-type"] == "application/json"
    assert error.json["error"]["type"] == "api_error"
