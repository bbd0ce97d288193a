"""What passes between a client and a provider of its own dialect, byte for byte, both ways."""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from omniroute.routing.model import Dialect
from tests.upstream.servers import Exchange, chunked, whole

from .mounted import BODIES, KEY, mounted

pytestmark = pytest.mark.anyio

HELLO = '[{"role": "user", "content": [{"type": "text", "text": "hi", "x_block": {"a": [1, 2]}}]}]'
CACHED = '{"type": "ephemeral", "ttl": "1h", "x_new": true}'
ASKED: dict[Dialect, str] = {
    "openai_chat": '{ "x_new": {"deep": [1, null]},  "model":"one/m", "messages": '
    + HELLO
    + ', "prompt_cache_key": "k", "reasoning_effort": "sideways", "temperature": 1e0}',
    "openai_responses": '{"input": [{"type": "x_item", "cache": 1}, {"role": "user", "content":'
    ' "hi"}], "model": "one/m", "x_new": {"a": 1.50}, "include": ["x.y"], "store": false}',
    "anthropic": '{"max_tokens": 50, "model": "one/m", "context_management": {"edits": [{"type":'
    ' "x_edit"}]}, "system": [{"type": "text", "text": "s", "cache_control": '
    + CACHED
    + '}], "messages": '
    + HELLO
    + ', "x_new": "\\u00e4"}',
    "gemini": '{"contents": [{"role": "user", "parts": [{"text": "hi", "thoughtSignature": "c2ln",'
    ' "x_new": 1}]}], "x_new": {"a": [ ]}, "cachedContent": "cachedContents/1"}',
}
ANSWERED: dict[Dialect, bytes] = {
    "openai_chat": b'{"id":"c1", "object":"chat.completion", "created":1, "model":"m", "x_new": 1,'
    b' "choices":[{"index":0, "message":{"role":"assistant","content":"hello", "x_part": []},'
    b' "finish_reason":"stop"}], "usage":{"prompt_tokens":3,"completion_tokens":1,'
    b'"total_tokens":4, "x_tokens": 7}}',
    "openai_responses": b'{"id":"r1", "object":"response", "status":"completed", "model":"m",'
    b' "output":[{"type":"message","id":"m1","role":"assistant","status":"completed","content":'
    b'[{"type":"output_text","text":"hello","annotations":[], "x_new": 1}]}, {"type": "x_item"}],'
    b' "usage":{"input_tokens":3,"output_tokens":1,"total_tokens":4}, "x_new": null}',
    "anthropic": b'{"id":"m1", "type":"message", "role":"assistant", "model":"m", "content":'
    b'[{"type":"text","text":"hello", "citations": null}, {"type": "x_block"}],'
    b' "stop_reason":"end_turn", "stop_sequence":null, "usage":{"input_tokens":3,'
    b'"output_tokens":1, "x_tokens": 2}, "context_management": {"applied_edits": []}}',
    "gemini": b'{"candidates": [{"content": {"role": "model", "parts": [{"text": "hello",'
    b' "thoughtSignature": "c2ln"}]}, "finishReason": "STOP", "x_new": 1}], "usageMetadata":'
    b' {"promptTokenCount": 3, "candidatesTokenCount": 1, "totalTokenCount": 4}, "x_new": {}}',
}
PATHS: dict[Dialect, str] = {
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/one/m:generateContent",
}
ALL: tuple[Dialect, ...] = ("openai_chat", "openai_responses", "anthropic", "gemini")


@dataclass
class Heard:
    """A provider that gives one answer, and what it was asked."""

    answer: bytes
    headers: bytes = b""
    asked: list[Exchange] = field(default_factory=list[Exchange])

    async def script(self, exchange: Exchange) -> None:
        self.asked.append(exchange)
        await exchange.send(whole(self.answer, headers=self.headers))


def named(exchange: Exchange) -> dict[str, str]:
    lines = exchange.head.decode().split("\r\n")[1:]
    return dict(line.lower().split(": ", 1) for line in lines if ": " in line)


@pytest.mark.parametrize("dialect", ALL)
async def test_a_body_reaches_a_provider_of_its_dialect_byte_for_byte_but_for_the_model(
    dialect: Dialect, tmp_path: Path
) -> None:
    provider = Heard(ANSWERED[dialect])

    async with mounted(tmp_path, (dialect, provider.script)) as here:
        answer = await here.client.post(PATHS[dialect], content=ASKED[dialect].encode())

    assert answer.status_code == 200, answer.text
    assert provider.asked[0].body.decode() == ASKED[dialect].replace('"one/m"', '"m"')
    assert answer.content == ANSWERED[dialect]


@pytest.mark.parametrize(
    ("dialect", "sent", "passes"),
    [
        ("openai_chat", {"openai-beta": "x=1", "x-title": "Kilo"}, True),
        ("openai_chat", {"http-referer": "https://a.example", "x-grok-conv-id": "c"}, True),
        ("openai_chat", {"openai-organization": "org-1", "openai-project": "p"}, False),
        ("openai_chat", {"x-stainless-lang": "python", "cookie": "a=b", "x-app": "cli"}, False),
        ("openai_chat", {"anthropic-beta": "b", "x-goog-api-client": "c"}, False),
        ("openai_responses", {"originator": "codex_exec", "session-id": "s"}, True),
        ("openai_responses", {"x-codex-turn-metadata": '{"a":1}', "thread-id": "t"}, True),
        ("anthropic", {"anthropic-version": "2023-06-01", "anthropic-beta": "a-1,b-2"}, True),
        ("anthropic", {"x-claude-code-session-id": "s", "anthropic-new-thing": "n"}, True),
        ("anthropic", {"anthropic-dangerous-direct-browser-access": "true"}, False),
        ("gemini", {"x-goog-api-client": "google-genai-sdk/1", "x-goog-new": "n"}, True),
        ("gemini", {"x-goog-user-project": "p", "x-goog-iam-authorization-token": "t"}, False),
    ],
)
async def test_headers_pass_to_a_provider_of_the_same_dialect_by_the_vendors_list(
    dialect: Dialect, sent: dict[str, str], *, passes: bool, tmp_path: Path
) -> None:
    provider = Heard(ANSWERED[dialect])

    async with mounted(tmp_path, (dialect, provider.script)) as here:
        answer = await here.client.post(
            PATHS[dialect], content=ASKED[dialect].encode(), headers=sent
        )

    got = named(provider.asked[0])
    came = {name: value for name, value in sent.items() if got.get(name) == value.lower()}
    assert answer.status_code == 200
    assert came == (sent if passes else {})


async def test_a_header_that_comes_twice_passes_as_one_list(tmp_path: Path) -> None:
    provider = Heard(ANSWERED["anthropic"])
    headers = [("anthropic-beta", "a-1"), ("anthropic-beta", "b-2")]

    async with mounted(tmp_path, ("anthropic", provider.script)) as here:
        await here.client.post(
            PATHS["anthropic"], content=ASKED["anthropic"].encode(), headers=headers
        )

    assert named(provider.asked[0])["anthropic-beta"] == "a-1, b-2"


async def test_headers_of_one_dialect_do_not_reach_a_provider_of_another(tmp_path: Path) -> None:
    provider = Heard(ANSWERED["openai_chat"], headers=b"openai-version: 1\r\n")

    async with mounted(tmp_path, ("openai_chat", provider.script)) as here:
        answer = await here.ask("anthropic", anthropic_beta="b", anthropic_version="2023-06-01")

    assert answer.status_code == 200
    assert not [name for name in named(provider.asked[0]) if name.startswith("anthropic")]
    assert "openai-version" not in answer.headers


@pytest.mark.parametrize(
    ("dialect", "told"),
    [
        ("openai_chat", {"openai-processing-ms": "9", "x-ratelimit-remaining-tokens": "5"}),
        ("openai_responses", {"x-codex-primary-used-percent": "40", "openai-version": "v"}),
        ("anthropic", {"anthropic-ratelimit-input-tokens-remaining": "5", "request-id": "r"}),
        ("gemini", {"x-gemini-service-tier": "standard"}),
    ],
)
async def test_headers_pass_to_a_client_of_the_same_dialect_by_the_vendors_list(
    dialect: Dialect, told: dict[str, str], tmp_path: Path
) -> None:
    hidden = {
        "set-cookie": "a=b",
        "openai-organization": "org-1",
        "anthropic-organization-id": "o",
        "server": "nginx",
        "x-request-id": "theirs",
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in {**told, **hidden}.items())
    provider = Heard(ANSWERED[dialect], lines.encode())

    async with mounted(tmp_path, (dialect, provider.script)) as here:
        answer = await here.client.post(PATHS[dialect], content=ASKED[dialect].encode())

    assert told.items() <= dict(answer.headers).items()
    assert answer.headers["x-request-id"].startswith("req_")
    assert {"set-cookie", "openai-organization", "anthropic-organization-id"}.isdisjoint(
        answer.headers
    )


async def test_headers_of_a_stream_pass_as_those_of_a_whole_answer_do(tmp_path: Path) -> None:
    async def script(exchange: Exchange) -> None:
        events = (
            b'event: message_start\ndata: {"type":"message_start","message":{"id":"m1","type":'
            b'"message","role":"assistant","model":"m","content":[],"usage":{"input_tokens":1}}}\n\n',
            b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
            b'"content_block":{"type":"text","text":""}}\n\n',
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
            b'"delta":{"type":"text_delta","text":"hello"}}\n\n',
            b'event: x_new\ndata: {"type":"x_new"}\n\n',
            b'event: message_stop\ndata: {"type":"message_stop"}\n\n',
        )
        sent.append(b"".join(events))
        await exchange.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: r\r\n"
            b"transfer-encoding: chunked\r\n\r\n",
            chunked(*events) + b"0\r\n\r\n",
        )

    sent: list[bytes] = []
    async with mounted(tmp_path, ("anthropic", script)) as here:
        answer = await here.ask("anthropic", stream=True)

    assert answer.headers["request-id"] == "r"
    assert answer.content == sent[0]


@pytest.mark.parametrize(
    ("dialect", "query", "asked"),
    [
        ("anthropic", "beta=true", "/v1/messages?beta=true"),
        ("anthropic", "beta=true&key=sk-fake&x=1", "/v1/messages?beta=true"),
        ("openai_responses", "beta=true&model=x", "/v1/responses?beta=true"),
        ("openai_chat", "api-version=1", "/v1/chat/completions"),
        ("gemini", "key=sk-fake&alt=json", "/v1beta/models/m:generateContent"),
    ],
)
async def test_a_query_passes_as_far_as_the_vendor_uses_it(
    dialect: Dialect, query: str, asked: str, tmp_path: Path
) -> None:
    provider = Heard(ANSWERED[dialect])

    async with mounted(tmp_path, (dialect, provider.script)) as here:
        await here.client.post(f"{PATHS[dialect]}?{query}", content=ASKED[dialect].encode())

    assert provider.asked[0].head.decode().split(" ")[1] == asked


async def test_what_passed_is_not_in_the_record(tmp_path: Path) -> None:
    provider = Heard(ANSWERED["anthropic"])

    async with mounted(tmp_path, ("anthropic", provider.script)) as here:
        answer = await here.ask("anthropic", anthropic_beta="a-secret-beta")
        record = None
        while record is None:
            record = await here.composed.parts.gateway.route.ledger.find(
                answer.headers["x-request-id"], key_id=None
            )

    assert record.outcome.request.operation.headers == ()
    assert record.outcome.status == "answered"


@pytest.mark.parametrize("dialect", ALL)
async def test_the_gateways_key_is_read_from_every_place_and_never_passed_on(
    dialect: Dialect, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    provider = Heard(ANSWERED[dialect])

    async with mounted(tmp_path, (dialect, provider.script)) as here:
        key = await _new_key(here.client)

        async def status(query: str = "", **headers: str) -> int:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            path = PATHS[dialect] + query
            body = ASKED[dialect].encode()
            return (await here.client.post(path, content=body, headers=sent)).status_code

        good = [
            await status(authorization=f"Bearer {key}"),
            await status(x_api_key=key),
            await status(x_goog_api_key=key),
            await status(api_key=key),
            await status(api_key=key, authorization=f"bearer {key}"),
        ]
        none, twice = await status(), await status(x_api_key=key, authorization="Bearer sk-fake")
        queried = await status(f"?key={key}")

    assert (set(good), none, twice) == ({200}, 401, 401)
    assert queried == (200 if dialect == "gemini" else 401)
    assert all(key.encode() not in one.head for one in provider.asked)
    assert {KEY in one.head.decode() for one in provider.asked} == {True}
    # The test's own client logs the addresses that it asks.
    logged = [one for one in caplog.records if not one.name.startswith("http")]
    assert not [one for one in logged if key in one.getMessage()]


async def test_two_keys_in_one_kind_of_header_are_refused_as_well(tmp_path: Path) -> None:
    async with mounted(tmp_path) as here:
        key = await _new_key(here.client)
        headers = [("x-api-key", "sk-fake"), ("x-api-key", key)]
        body = BODIES["anthropic"] | {"model": "sim/fast@latency=0"}
        answer = await here.client.post("/v1/messages", json=body, headers=headers)

    assert answer.status_code == 401
    assert "different keys were sent in x-api-key" in answer.json()["error"]["message"]


async def test_the_key_may_stand_in_the_query_of_googles_newer_paths_too(tmp_path: Path) -> None:
    async with mounted(tmp_path) as here:
        key = await _new_key(here.client)
        path = f"/v1/models/sim/fast@latency=0:generateContent?key={key}"
        google = await here.client.post(path, json=BODIES["gemini"])
        openai = await here.client.get(f"/v1/models?key={key}")

    assert (google.status_code, openai.status_code) == (200, 401)


async def test_the_refusal_of_two_keys_says_where_they_stood(tmp_path: Path) -> None:
    async with mounted(tmp_path) as here:
        await _new_key(here.client)
        answer = await here.ask(
            "anthropic", x_api_key="sk-fake-a", authorization="Bearer sk-fake-b"
        )

    assert answer.status_code == 401
    assert "authorization and x-api-key" in answer.json()["error"]["message"]


async def _new_key(client: httpx.AsyncClient) -> str:
    made = await client.post("/api/keys", json={"name": "test", "scopes": ["write:route"]})
    secret: str = json.loads(made.content)["secret"]
    return secret


def test_every_dialect_has_its_body_here() -> None:
    assert set(ALL) == set(BODIES) == set(ASKED) == set(ANSWERED)
