"""JSON that breaks parsers: on every door the client's mistake, never a fault of ours (T15)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .mounted import Mounted, mounted

pytestmark = pytest.mark.anyio

PATHS = (
    "/v1/chat/completions",
    "/v1/messages",
    "/v1/responses",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/images/generations",
    "/v1/rerank",
    "/v1/moderations",
    "/v1/messages/count_tokens",
    "/v1beta/models/sim/fast:generateContent",
    "/api/chat",
    "/api/combos",
    "/api/keys",
    "/a2a",
    "/mcp",
)
IMPORT_S_MAX = 60.0
"""The first request to MCP waits for its SDK to be imported, on a machine with more to do."""
DEEP = 200_000
BODIES = {
    "arrays": b"[" * DEEP,
    "closed arrays": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep content": b'{"model":"sim/fast","messages":' + b"[" * 900 + b"]" * 900 + b"}",
    "deeper content": b'{"model":"sim/fast","messages":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep tools": b'{"model":"sim/fast","messages":[{"role":"user","content":"x"}],"tools":'
    + b'[{"a":' * 5_000
    + b"1"
    + b"}]" * 5_000
    + b"}",
    "NaN": b'{"model":"sim/fast","temperature":NaN,"max_tokens":Infinity}',
    "a long number": b'{"model":"sim/fast","max_tokens":' + b"9" * 10_000 + b"}",
    "a large exponent": b'{"model":"sim/fast","max_tokens":1e999999,"temperature":1e400}',
    "a negative count": b'{"model":"sim/fast","max_tokens":-1,"n":-5,"messages":[]}',
    "half a pair": b'{"model":"sim/fast","messages":[{"role":"user","content":"\\ud800"}]}',
    "half a pair in a name": b'{"model":"\\udfff","\\ud800":1,"messages":[]}',
    "not UTF-8": b'{"model":"\xff\xfe","messages":[]}',
    "a zero byte": b'{"model":"sim\\u0000fast","messages":[]}',
    "a name twice": b'{"model":"sim/fast","model":"other/one","messages":[],"messages":1}',
    "many names": b"{" + b",".join(b'"k%d":1' % number for number in range(50_000)) + b"}",
    "UTF-16": '{"model":"sim/fast"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"model":"sim/fast","messages":[]}',
    "no object": b'"text"',
    "nothing": b"",
    "blanks": b" " * 100_000,
    "two values": b"{}{}",
    "half": b'{"model":"sim/fast","mess',
}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Mounted]:
    async with mounted(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize("body", BODIES)
async def test_json_that_breaks_parsers_is_no_fault_of_ours(here: Mounted, body: str) -> None:
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25",
    }

    answers = {
        path: await here.client.post(
            path, content=BODIES[body], headers=headers, timeout=IMPORT_S_MAX
        )
        for path in PATHS
    }
    after = await here.client.get("/health")

    assert {path: one.text for path, one in answers.items() if one.status_code >= 500} == {}
    assert after.status_code == 200
