"""Where data is kept, what a gateway begins with, and answers given again: a whole gateway."""

from pathlib import Path
from typing import Any

import pytest

from omniroute.server.api.keeping import place_of_database
from omniroute.server.settings import Settings
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

CHAT = {
    "model": "sim/fast@latency=0,pace=0",
    "messages": [{"role": "user", "content": "hello there"}],
}


async def test_the_store_tells_where_it_is_and_how_large(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        empty = (await caller.get("/api/storage/health", headers=token)).json()
        await caller.post("/v1/chat/completions", json=CHAT)
        await gateway.parts.storage.flush()
        made = (await caller.put("/api/db-backups", headers=token)).json()
        used = (await caller.get("/api/storage/health", headers=token)).json()

    assert (empty["driver"], empty["requests"], empty["oldestRequestAt"]) == ("sqlite", 0, None)
    assert empty["dbPath"].endswith("data/storage.sqlite")
    assert empty["retentionDays"] == {"call": 90.0}
    assert (empty["lastBackupAt"], empty["problems"]) == (None, [])
    assert empty["sizeBytes"] > 4096
    assert used["lastBackupAt"][:19] == made["backup"]["createdAt"][:19]
    assert (used["requests"], used["oldestRequestAt"] is None) == (1, False)


async def test_what_a_gateway_has_to_begin_with_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path, GROQ_API_KEY="gsk_fake_key") as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        told = (await caller.get("/api/init", headers=token)).json()

    assert (told["initialized"], told["setupComplete"], told["providers"]) == (True, True, 1)
    assert (told["apiKeys"], told["requireApiKey"]) == (0, False)


async def test_answers_that_are_given_again_are_counted_and_forgotten(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        before = (await caller.get("/api/cache", headers=token)).json()
        kept = {"x-omniroute-cache": "600"}
        for _ in range(2):
            await caller.post("/v1/chat/completions", json=CHAT, headers=kept)
        repeated = {"idempotency-key": "again"}
        await caller.post("/v1/chat/completions", json=CHAT, headers=repeated)
        used = (await caller.get("/api/cache", headers=token)).json()
        cleared = (await caller.delete("/api/cache", headers=token)).json()
        after: Any = (await caller.get("/api/cache", headers=token)).json()
        again = await caller.post("/v1/chat/completions", json=CHAT, headers=kept)

    assert before["semanticCache"]["hitRate"] is None
    assert before["idempotency"] == {"entries": 0}
    semantic = used["semanticCache"]
    assert (semantic["entries"], semantic["hits"], semantic["misses"]) == (1, 1, 1)
    assert (semantic["hitRate"], semantic["enabled"]) == (0.5, False)
    assert semantic["sizeBytes"] > 0
    assert used["idempotency"] == {"entries": 1}
    assert cleared == {"ok": True, "removed": 1, "expiredRemoved": 0}
    assert (after["semanticCache"]["entries"], after["semanticCache"]["sizeBytes"]) == (0, 0)
    assert again.headers["x-omniroute-cache"] == "miss"


async def test_what_prompt_caches_saved_is_a_share_of_the_input(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        empty = (await caller.get("/api/cache/stats", headers=token)).json()
        await caller.post("/v1/chat/completions", json=CHAT)
        used = (await caller.get("/api/cache/stats?range=1d", headers=token)).json()
        wrong = await caller.get("/api/cache/stats?range=soon", headers=token)

    assert (empty["range"], empty["requests"], empty["cacheHitRate"]) == ("30d", 0, None)
    assert (used["range"], used["requests"], used["cachedInputTokens"]) == ("1d", 1, 0)
    assert used["cacheHitRate"] == 0
    assert wrong.status_code == 400


def test_a_password_is_no_part_of_where_the_database_is() -> None:
    url = "postgresql://omni:fake-password@db.example:5433/gateway"

    shown = place_of_database(Settings(data_dir=Path("/data"), database_url=url))

    assert shown == "db.example:5433/gateway"
