"""Whatever is wrong with a key, its client is told the same, at every door: nobody learns more.

Threat T5: a wrong secret, an unknown id, a key that has ended, was switched off, rolled or revoked
give the same status, headers and body, apart from the ids of the requests.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.compose import Composed
from omniroute.server.store.key_terms import KeyTerms

from .whole import client, opened

pytestmark = pytest.mark.anyio

AGENT = KeyTerms("an agent", ("full", "admin"))
HELLO = [{"role": "user", "content": "hello"}]
CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
DOORS: dict[str, tuple[str, str, Any]] = {
    "chat": ("POST", "/v1/chat/completions", {"model": "auto", "messages": HELLO}),
    "messages": ("POST", "/v1/messages", {"model": "auto", "messages": HELLO}),
    "responses": ("POST", "/v1/responses", {"model": "auto", "input": "hello"}),
    "gemini": ("POST", "/v1beta/models/auto:generateContent", {"contents": []}),
    "embeddings": ("POST", "/v1/embeddings", {"model": "auto", "input": "hello"}),
    "models": ("GET", "/v1/models", None),
    "ollama": ("POST", "/api/chat", {"model": "auto", "messages": HELLO}),
    "management": ("GET", "/api/keys", None),
    "mcp": ("POST", "/mcp", CALL),
    "a2a": ("POST", "/a2a", {**CALL, "method": "tasks/get", "params": {"taskId": "x"}}),
}
IDS = re.compile(r"req_[0-9a-f]{12}[0-9a-f]{20}|[0-9a-f]{32}")


async def wrong_keys(gateway: Composed) -> dict[str, str]:
    """Give keys that are wrong, each in another way."""
    keys = gateway.parts.storage.keys
    good, off, gone, rolled = [await keys.create(AGENT, actor="test") for _ in range(4)]
    await keys.change(off.stored.key_id, switched_off, actor="test")
    await keys.revoke(gone.stored.key_id, actor="test")
    await keys.roll(rolled.stored.key_id, overlap_s=0, actor="test")
    return {
        "of another secret": good.text[:-43] + "A" * 43,
        "of no id": "sk-omni-" + "a" * 12 + good.text[20:],
        "of no shape": "sk-fake-key",
        "off": off.text,
        "revoked": gone.text,
        "rolled": rolled.text,
    }


def switched_off(now: KeyTerms) -> KeyTerms:
    return KeyTerms(now.name, now.scopes, enabled=False)


async def test_every_door_tells_all_wrong_keys_the_same(tmp_path: Path) -> None:
    told: dict[str, set[tuple[int, str, str]]] = {name: set() for name in DOORS}
    async with opened(tmp_path, REQUIRE_API_KEY="true") as gateway:
        for key in (await wrong_keys(gateway)).values():
            async with client(gateway, authorization=f"Bearer {key}") as http:
                for name, (method, path, body) in DOORS.items():
                    answer = await http.request(method, path, json=body)
                    headers = sorted(answer.headers.items())
                    told[name].add(
                        (answer.status_code, IDS.sub("", str(headers)), IDS.sub("", answer.text))
                    )

    assert {name: len(some) for name, some in told.items()} == dict.fromkeys(DOORS, 1)
    assert {status for some in told.values() for status, _, _ in some} == {401}
