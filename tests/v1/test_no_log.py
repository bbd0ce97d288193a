"""A no-log key: nothing of what its requests or answers say is kept, whichever door they take.

The same requests of another key are kept, so what is looked for would be found.
"""

import base64
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.upstream.servers import Exchange, whole

from .mounted import Mounted, mounted

pytestmark = pytest.mark.anyio

SAID, ANSWERED = "canary-said-5f1c0a", "canary-answered-9be2d7"
HELLO = [{"role": "user", "content": f"hello {SAID}"}]
MODEL = "one/m"
TOOL = {
    "name": "omniroute_route_request",
    "arguments": {"model": MODEL, "messages": HELLO},
}
TASK = {"messages": HELLO, "metadata": {"model": MODEL}}
DOORS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": MODEL, "messages": HELLO}),
    "messages": ("/v1/messages", {"model": MODEL, "max_tokens": 50, "messages": HELLO}),
    "responses": ("/v1/responses", {"model": MODEL, "input": f"hello {SAID}"}),
    "completions": ("/v1/completions", {"model": MODEL, "prompt": f"hello {SAID}"}),
    "gemini": (
        f"/v1beta/models/{MODEL}:generateContent",
        {"contents": [{"role": "user", "parts": [{"text": f"hello {SAID}"}]}]},
    ),
    "ollama": ("/api/chat", {"model": MODEL, "messages": HELLO, "stream": False}),
    "mcp": ("/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": TOOL}),
    "a2a": ("/a2a", {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": TASK}),
    "refused": ("/v1/chat/completions", {"model": "two/m", "messages": HELLO}),
}
HEADERS = {
    "idempotency-key": "once-more",
    "x-omniroute-cache-s": "60",
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25",
}


async def answering(exchange: Exchange) -> None:
    """Answer with words of its own."""
    body = (
        b'{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,'
        b'"message":{"role":"assistant","content":"%s"},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}'
    )
    await exchange.send(whole(body % ANSWERED.encode()))


async def refusing(exchange: Exchange) -> None:
    """Refuse with the words that were asked."""
    body = b'{"error":{"message":"no: hello %s","type":"invalid_request_error","code":null}}'
    await exchange.send(whole(body % SAID.encode(), status="400 Bad Request"))


async def asked_everywhere(here: Mounted, key: str) -> dict[str, int]:
    statuses = {}
    for name, (path, body) in DOORS.items():
        headers = {**HEADERS, "authorization": f"Bearer {key}", "idempotency-key": f"once-{name}"}
        answer = await here.client.post(path, json=body, headers=headers)
        statuses[name] = answer.status_code
    await here.composed.parts.storage.flush()
    return statuses


def kept(folder: Path) -> str:
    """Give all that is stored, as text."""
    with closing(sqlite3.connect(folder / "data" / "storage.sqlite")) as database:
        dump = "\n".join(database.iterdump())
    files = [one for one in folder.rglob("*") if one.is_file()]
    return dump + "".join(one.read_bytes().decode("latin-1") for one in files)


def found_in(text: str) -> list[str]:
    forms = {
        form
        for canary in (SAID, ANSWERED)
        for form in (canary, canary.encode().hex(), base64.b64encode(canary.encode()).decode()[:16])
    }
    return sorted(form for form in forms if form in text)


@pytest.mark.parametrize("keeps", [False, True], ids=["no-log", "kept"])
async def test_nothing_of_a_no_log_keys_words_is_kept(
    tmp_path: Path, keeps: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "omniroute")
    settings = {"OMNIROUTE_WORKERS": "2", "OMNIROUTE_MCP_AUDIT_ARGUMENTS": "true"}
    async with mounted(
        tmp_path, ("openai_chat", answering), ("openai_chat", refusing), **settings
    ) as here:
        terms = KeyTerms("quiet", ("full",), keep_content=keeps)
        key = (await here.composed.parts.storage.keys.create(terms, actor="test")).text
        statuses = await asked_everywhere(here, key)

    logged = "\n".join(str(record.__dict__) for record in caplog.records)
    assert statuses == {**dict.fromkeys(DOORS, 200), "refused": 400}
    assert bool(found_in(kept(tmp_path))) == keeps
    assert found_in(logged) == []
