"""What is refused as no message of MCP is refused without what was in it."""

import json
from pathlib import Path

import pytest

from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

SECRET = "my-diary"
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
@pytest.mark.parametrize(
    "body",
    [
        [SECRET],
        {"x": SECRET},
        SECRET,
        {**CALL, "params": SECRET},
        {**CALL, "method": [SECRET]},
        {"jsonrpc": SECRET, "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "result": [SECRET]},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": [SECRET]},
    ],
)
async def test_a_message_that_is_none_is_refused_without_repeating_it(
    body: object, version: str, tmp_path: Path
) -> None:
    headers = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": version,
    }
    async with opened(tmp_path) as gateway, client(gateway) as http:
        answer = await http.post("/mcp", content=json.dumps(body), headers=headers)

    assert answer.status_code == 400
    assert SECRET not in answer.text
    assert answer.json()["error"]["message"]
