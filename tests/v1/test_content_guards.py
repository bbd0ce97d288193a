"""Content guards in the whole gateway: every door's requests and answers, streamed or whole."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from omniroute.server.compose import compose
from omniroute.server.settings import load_settings

pytestmark = pytest.mark.anyio

HOST = "http://127.0.0.1:20128"
SECRET = "maria@example.org"
CARD = "4111 1111 1111 1111"
SAYING = f"Write to {SECRET} and charge {CARD} today."
SHOWN = "Write to [EMAIL_REDACTED] and charge [CARD_REDACTED] today."
CHAT = {"model": "sim/fast", "messages": [{"role": "user", "content": SAYING}]}
ASKED: Mapping[str, tuple[str, dict[str, Any]]] = {
    "openai_chat": ("/v1/chat/completions", CHAT),
    "anthropic": ("/v1/messages", {**CHAT, "max_tokens": 200}),
    "openai_responses": ("/v1/responses", {"model": "sim/fast", "input": SAYING}),
    "gemini": (
        "/v1beta/models/sim%2Ffast:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": SAYING}]}]},
    ),
    "completions": ("/v1/completions", {"model": "sim/fast", "prompt": SAYING}),
}
STREAMED = {
    name: (path.replace(":generateContent", ":streamGenerateContent?alt=sse"), body)
    if name == "gemini"
    else (path, {**body, "stream": True})
    for name, (path, body) in ASKED.items()
}


MCP_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
MCP_HEADERS = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
    "mcp-name": "omniroute_route_request",
}


def called(method: str, params: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def said_by_agent(text: str) -> str:
    """Give the artifacts of a task: its history has the client's own words."""
    return json.dumps(json.loads(text)["result"]["artifacts"])


@dataclass
class Running:
    client: httpx.AsyncClient

    async def rule(self, **rules: Any) -> httpx.Response:
        return await self.client.put("/api/settings/guards", json=rules)

    async def ask(self, path: str, body: object) -> httpx.Response:
        return await self.client.post(path, json=body)

    async def explained(self, answer: httpx.Response) -> Any:
        told = await self.client.get(f"/api/explain/{answer.headers['x-request-id']}")
        return told.json()


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[Running]:
    environment = {"HOME": str(folder), "OMNIROUTE_DATA_DIR": str(folder / "data")}
    settings, sources = load_settings({}, environment, folder)
    async with compose(settings, sources) as opened:
        transport = httpx.ASGITransport(app=opened.app, client=("127.0.0.1", 1))
        headers = {"authorization": f"Bearer {opened.token}", "x-api-key": opened.token}
        async with httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers) as client:
            yield Running(client)


def words(text: str) -> str:
    """Give the text that a stream or a whole answer says, in whatever dialect."""
    found: list[str] = []

    def look(value: Any, name: str = "") -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                look(one, key)
        elif isinstance(value, list):
            for one in value:
                look(one, name)
        elif isinstance(value, str) and name in ("content", "text", "delta"):
            found.append(value)

    lines = [line[6:] for line in text.splitlines() if line.startswith("data: {")]
    for one in lines or [text]:
        look(json.loads(one))
    return "".join(found)


@pytest.mark.parametrize("name", ASKED)
async def test_what_a_request_holds_is_replaced_before_a_provider_sees_it(
    tmp_path: Path, name: str
) -> None:
    async with gateway(tmp_path) as running:
        open_answer = await running.ask(*ASKED[name])
        await running.rule(everywhere={"requests": "redact"})

        whole = await running.ask(*ASKED[name])
        stream = await running.ask(*STREAMED[name])
        story = await running.explained(whole)

    assert SAYING in words(open_answer.text)
    assert SHOWN in words(whole.text)
    assert SHOWN in words(stream.text)
    assert SECRET not in whole.text + stream.text
    assert story["findings"] == [
        {"side": "request", "kind": "card", "count": 1, "mode": "redact"},
        {"side": "request", "kind": "email", "count": 1, "mode": "redact"},
    ]


@pytest.mark.parametrize("name", ASKED)
async def test_what_an_answer_holds_is_replaced_however_it_comes(tmp_path: Path, name: str) -> None:
    async with gateway(tmp_path) as running:
        await running.rule(everywhere={"answers": "redact"})

        whole = await running.ask(*ASKED[name])
        stream = await running.ask(*STREAMED[name])
        story = await running.explained(stream)

    assert whole.status_code == stream.status_code == 200
    assert SHOWN in words(whole.text)
    assert SHOWN in words(stream.text)
    assert SECRET not in words(whole.text) + words(stream.text)
    assert {(one["side"], one["kind"]) for one in story["findings"]} == {
        ("answer", "card"),
        ("answer", "email"),
    }


@pytest.mark.parametrize("name", ASKED)
async def test_what_is_not_to_be_shown_ends_a_stream_with_the_dialects_error(
    tmp_path: Path, name: str
) -> None:
    async with gateway(tmp_path) as running:
        await running.rule(everywhere={"answers": "block"})

        whole = await running.ask(*ASKED[name])
        stream = await running.ask(*STREAMED[name])
        story = await running.explained(stream)

    assert whole.status_code == 400
    assert "the answer holds" in whole.text
    assert SECRET not in words(stream.text)
    assert CARD not in words(stream.text)
    assert "this gateway's rules show none of that" in stream.text
    assert (story["request"]["status"], story["request"]["error"]) == ("failed", "content_blocked")


@pytest.mark.parametrize("mode", ["redact", "block"])
async def test_no_part_of_a_finding_is_shown_before_it_is_whole(tmp_path: Path, mode: str) -> None:
    saying = f"For today charge {CARD} and no more."
    body = {**CHAT, "messages": [{"role": "user", "content": saying}], "stream": True}
    async with gateway(tmp_path) as running:
        await running.rule(everywhere={"answers": mode})

        stream = await running.ask("/v1/chat/completions", body)

    assert "For today charge" in words(stream.text)
    assert "4111" not in words(stream.text)


async def test_a_stream_that_is_looked_at_tells_its_usage(tmp_path: Path) -> None:
    body = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}
    async with gateway(tmp_path) as running:
        plain = await running.ask("/v1/chat/completions", body)
        await running.rule(everywhere={"answers": "redact"})
        guarded = await running.ask("/v1/chat/completions", body)

    told = [
        [
            json.loads(line[6:])["usage"]["total_tokens"]
            for line in one.text.splitlines()
            if '"usage":{' in line
        ]
        for one in (plain, guarded)
    ]
    assert len(told[0]) == 1
    assert told[1] == told[0]


async def test_a_request_that_is_blocked_reaches_nobody_and_the_error_quotes_nothing(
    tmp_path: Path,
) -> None:
    async with gateway(tmp_path) as running:
        await running.rule(everywhere={"requests": "block", "kinds": ["email"]})

        refused = await running.ask(*ASKED["openai_chat"])
        story = await running.explained(refused)

    error = refused.json()["error"]
    assert (refused.status_code, error["code"]) == (400, "content_blocked")
    assert "the request holds 1 email" in error["message"]
    assert SECRET not in refused.text + json.dumps(story)
    assert (story["request"]["status"], story["attempts"]) == ("refused", [])


async def test_warnings_are_on_record_and_change_no_word(tmp_path: Path) -> None:
    async with gateway(tmp_path) as running:
        await running.rule(everywhere={"requests": "warn", "answers": "warn"})

        answer = await running.ask(*STREAMED["openai_chat"])
        story = await running.explained(answer)

    assert SAYING in words(answer.text)
    assert {(one["side"], one["mode"]) for one in story["findings"]} == {
        ("request", "warn"),
        ("answer", "warn"),
    }


async def test_the_rule_of_a_combo_is_for_who_asks_for_it(tmp_path: Path) -> None:
    async with gateway(tmp_path) as running:
        duo = {"name": "duo", "models": [{"target": "sim/fast"}]}
        await running.client.post("/api/combos", json=duo)
        await running.rule(combos={"duo": {"requests": "redact"}})

        through = await running.ask("/v1/chat/completions", {**CHAT, "model": "duo"})
        beside = await running.ask("/v1/chat/completions", CHAT)
        audited = (await running.client.get("/api/audit/log?target=content_guards")).json()

    assert SHOWN in words(through.text)
    assert SAYING in words(beside.text)
    assert len(audited["entries"]) == 1


@pytest.mark.parametrize("rule", ["requests", "answers"])
async def test_agents_are_guarded_like_everybody(tmp_path: Path, rule: str) -> None:
    messages = [{"role": "user", "content": SAYING}]
    task = {"skill": "smart-routing", "messages": messages, "metadata": {"model": "sim/fast"}}
    arguments = {"model": "sim/fast", "messages": messages}
    tool = {"name": "omniroute_route_request", "arguments": arguments, "_meta": MCP_META}
    async with gateway(tmp_path) as running:
        await running.rule(everywhere={rule: "redact"})

        sent = await running.ask("/a2a", called("message/send", task))
        streamed = await running.ask("/a2a", called("message/stream", task))
        answer = await running.client.post(
            "/mcp", json=called("tools/call", tool), headers=MCP_HEADERS
        )

    for one in (sent, streamed, answer):
        assert one.status_code == 200
        assert "[EMAIL_REDACTED]" in one.text
        assert "[CARD_REDACTED]" in one.text
    assert SECRET not in said_by_agent(sent.text) + answer.text


async def test_vectors_are_made_of_what_is_left(tmp_path: Path) -> None:
    body = {"model": "sim/embed", "input": [SAYING, "plain"]}
    cleaned = {"model": "sim/embed", "input": [SHOWN, "plain"]}
    async with gateway(tmp_path) as running:
        expected = (await running.ask("/v1/embeddings", cleaned)).json()["data"]
        await running.rule(everywhere={"requests": "redact", "answers": "redact"})
        found = (await running.ask("/v1/embeddings", body)).json()["data"]

    assert found == expected


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ({"everywhere": {"requests": "eat"}}, "Invalid enum value 'eat'"),
        ({"everywhere": {"requests": "warn", "kinds": ["name"]}}, "knows no kind 'name'"),
        ({"everywhere": {"guard": "magic"}}, "there is no guard 'magic'; there is pii"),
        ({"all": {}}, "'all' is not a field"),
    ],
)
async def test_rules_that_cannot_be_are_refused(
    tmp_path: Path, rules: dict[str, Any], said: str
) -> None:
    async with gateway(tmp_path) as running:
        refused = await running.rule(**rules)
        shown = (await running.client.get("/api/settings/guards")).json()

    assert refused.status_code == 400
    assert said in refused.text
    assert shown["rules"]["everywhere"]["requests"] == "off"
