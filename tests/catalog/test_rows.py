"""Every row of the catalogue against the simulator that wears it: as strict as the row says.

Real HTTP on loopback, one server for all. The request holds all that providers are known to
refuse: a developer's message, two users' turns in a row, names, odds, a schema, foreign ids.
"""

import json
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
from msgspec import structs

from omniroute.routing.catalog import providers
from omniroute.routing.catalog.providers import PROVIDERS, Provider, provider_named, read_rows
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Call, Candidate, Dialect, Features, Limits, Operation
from omniroute.routing.upstream.upstream import HttpUpstream
from omniroute.routing.wire.quirks import NO_QUIRKS
from omniroute.routing.wire.table import codec
from omniroute.server.accounts import AccountEntry, make_account
from omniroute.server.simulator.simulator import Simulator

from ..upstream.servers import read_all, upstream

pytestmark = pytest.mark.anyio

LIMITS = Limits(connect_s=5.0, first_byte_s=10.0, idle_s=10.0, total_s=20.0)
SPEED = "fast@latency=0"
TOOL = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}
CHAT: dict[str, object] = {
    "model": SPEED,
    "messages": [
        {"role": "developer", "content": [{"type": "text", "text": "Be brief."}]},
        {"role": "user", "name": "ada", "content": "one"},
        {"role": "user", "content": [{"type": "text", "text": "two"}]},
        {"role": "assistant", "content": "three", "reasoning_content": "so", "refusal": None},
        {"role": "user", "content": "four"},
    ],
    "max_completion_tokens": 64,
    "seed": 7,
    "user": "u-1",
    "store": False,
    "logprobs": True,
    "top_logprobs": 2,
    "logit_bias": {"1": 1},
    "frequency_penalty": 0.1,
    "presence_penalty": 0.1,
    "service_tier": "auto",
    "metadata": {"a": "b"},
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
}
WITH_TOOLS: dict[str, object] = {
    "model": SPEED,
    "messages": [
        {"role": "user", "content": "look"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": "call_from-elsewhere",
                    "type": "function",
                    "function": {"name": "look", "arguments": "{}"},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "call_from-elsewhere", "content": "seen"},
    ],
    "tools": [TOOL],
    "parallel_tool_calls": True,
}
ANTHROPIC: dict[str, object] = {
    "model": SPEED,
    "max_tokens": 64,
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": "one"},
        {"role": "user", "content": "two"},
    ],
    "metadata": {"user_id": "u-1"},
}
PLAIN: dict[str, object] = {"model": SPEED, "messages": [{"role": "user", "content": "one"}]}
GEMINI: dict[str, object] = {
    "contents": [{"role": "user", "parts": [{"text": "one"}]}],
    "generationConfig": {"maxOutputTokens": 64},
}
OWN: dict[Dialect, dict[str, object]] = {
    "openai_chat": CHAT,
    "anthropic": ANTHROPIC,
    "gemini": GEMINI,
}


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    async with Simulator() as made:
        yield made


@pytest.fixture
async def calls() -> AsyncIterator[HttpUpstream]:
    async with upstream() as made:
        yield made


def call_as(
    row: Provider, simulator: Simulator, body: dict[str, object], dialect: Dialect, *, stream: bool
) -> Call:
    """Give a call to the simulator that wears the row, made as the user's own account is."""
    path = urlsplit(row.base_url).path
    account = make_account(
        AccountEntry(
            row.name, base_url=f"{simulator.url}/as/{row.name}{path}", key="sk-fake-0123456789"
        )
    )
    told = dict(body)
    if stream and dialect != "gemini":
        told["stream"] = True
    text = json.dumps(told).encode()
    named = "" if dialect == "gemini" else str(body["model"])
    operation = Operation("chat", dialect, text, Features(stream=stream), model_in_body=named)
    candidate = Candidate(account.account_id, row.name, SPEED, account.dialect)
    return Call("req_1", 1, candidate, account, operation, LIMITS)


async def answered(calls: HttpUpstream, call: Call) -> tuple[str, tuple[str, ...]]:
    """Give the text of the answer, and what was left out of the request."""
    answer = await calls.open(call)
    dropped = answer.dropped
    forwarded = call.operation.dialect == call.account.dialect
    text = ""
    if not forwarded:
        async for piece in answer:
            text += piece.delta.text if piece.delta is not None else ""
        answer.close()
        return text, dropped
    raw = await read_all(answer)
    theirs = codec(call.account.dialect)
    deltas = (
        theirs.reader().feed(raw) if call.operation.features.stream else theirs.parse_answer(raw)
    )
    return "".join(one.text for one in deltas), dropped


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("row", PROVIDERS, ids=lambda row: row.name)
async def test_every_row_answers_in_its_own_dialect_and_in_another(
    row: Provider, stream: bool, simulator: Simulator, calls: HttpUpstream
) -> None:
    other: Dialect = "openai_chat" if row.dialect == "anthropic" else "anthropic"

    own, _ = await answered(
        calls, call_as(row, simulator, OWN[row.dialect], row.dialect, stream=stream)
    )
    translated, _ = await answered(
        calls,
        call_as(row, simulator, ANTHROPIC if other == "anthropic" else PLAIN, other, stream=stream),
    )

    assert own
    assert translated


@pytest.mark.parametrize(
    "row",
    [row for row in PROVIDERS if row.dialect == "openai_chat" and row.quirks.tools],
    ids=lambda row: row.name,
)
async def test_every_row_takes_a_tools_result_whoever_made_the_call(
    row: Provider, simulator: Simulator, calls: HttpUpstream
) -> None:
    text, _ = await answered(
        calls, call_as(row, simulator, WITH_TOOLS, "openai_chat", stream=False)
    )

    assert "seen" in text


async def test_what_a_row_refuses_is_left_out_and_said(
    simulator: Simulator, calls: HttpUpstream
) -> None:
    row = provider_named("groq")
    assert row is not None

    _, dropped = await answered(calls, call_as(row, simulator, CHAT, "openai_chat", stream=False))

    assert dropped == (
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "messages.name",
        "messages.reasoning_content",
    )


async def test_a_schema_that_must_be_followed_is_not_sent_where_none_is_known(
    simulator: Simulator, calls: HttpUpstream
) -> None:
    row = provider_named("deepseek")
    assert row is not None
    schema = {"name": "n", "schema": {}, "strict": True}
    body = {**CHAT, "response_format": {"type": "json_schema", "json_schema": schema}}

    with pytest.raises(UpstreamFailure, match="follows no schema") as failure:
        await calls.open(call_as(row, simulator, body, "openai_chat", stream=False))

    assert failure.value.kind == "inexpressible"


async def test_a_row_without_quirks_is_sent_the_clients_own_bytes(
    simulator: Simulator, calls: HttpUpstream
) -> None:
    row = provider_named("openai")
    assert row is not None
    call = call_as(row, simulator, CHAT, "openai_chat", stream=False)

    _, dropped = await answered(calls, call)

    assert simulator.control.seen[-1].body == call.operation.body
    assert dropped == ()


@pytest.mark.parametrize("name", ["kimi", "mistral", "groq", "deepseek"])
async def test_a_body_that_needs_nothing_keeps_its_bytes_at_a_row_with_quirks(
    name: str, simulator: Simulator, calls: HttpUpstream
) -> None:
    row = provider_named(name)
    assert row is not None
    plain: dict[str, object] = {
        "model": SPEED,
        "messages": [{"role": "user", "content": 'say "developer"'}],
        "temperature": 0.30,
    }
    call = call_as(row, simulator, plain, "openai_chat", stream=False)

    await answered(calls, call)

    assert simulator.control.seen[-1].body == call.operation.body


async def test_the_same_request_is_refused_where_nobody_knows_of_the_quirks(
    simulator: Simulator, calls: HttpUpstream
) -> None:
    """The battery can fail: under a name of the user's own, nothing is fitted."""
    rows = [row for row in PROVIDERS if row.quirks != NO_QUIRKS and row.auth is None]
    kinds: set[str] = set()
    for row in rows:
        path = urlsplit(row.base_url).path
        made = make_account(
            AccountEntry(
                "my-own",
                base_url=f"{simulator.url}/as/{row.name}{path}",
                dialect=row.dialect,
                key="sk-fake-0123456789",
            )
        )
        call = call_as(row, simulator, CHAT, "openai_chat", stream=False)
        with pytest.raises(UpstreamFailure) as failure:
            await calls.open(structs.replace(call, account=made))
        kinds.add(failure.value.kind)

    assert len(rows) > 90
    assert kinds == {"bad_request"}


async def test_a_provider_is_added_by_one_row_and_no_code(
    simulator: Simulator, calls: HttpUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = read_rows(
        b"""[{
            "name": "brand-new", "title": "Brand New", "base_url": "https://new.example/llm/v9",
            "source": "https://new.example/docs", "auth": "api-key", "aliases": ["bn"],
            "key_variables": ["BRAND_NEW_KEY"], "models": ["new-1"],
            "quirks": {"developer": "system", "refused": ["user"], "text_only": true}
        }]"""
    )
    monkeypatch.setitem(providers._BY_NAME, "brand-new", row)

    text, dropped = await answered(calls, call_as(row, simulator, CHAT, "openai_chat", stream=True))

    assert text
    assert dropped == ("user",)
