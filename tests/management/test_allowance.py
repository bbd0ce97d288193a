"""Quotas, a key's budget and the log of changes, in the shapes that OmniRoute documents."""

from pathlib import Path

import pytest

from omniroute.server.store.key_terms import KeyTerms
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

PATH = "/api/usage/budget"
CHAT = {
    "model": "sim/fast@latency=0,pace=0",
    "messages": [{"role": "user", "content": "hello there"}],
}


async def test_what_a_key_may_spend_is_set_and_told(tmp_path: Path) -> None:
    """DEFECT of the ancestor: a monthly limit was stored and never looked at."""
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        terms = KeyTerms(name="anna", scopes=("write:route",))
        anna = await gateway.parts.storage.keys.create(terms, actor="test")
        key_id = anna.stored.key_id
        before = (await caller.get(f"{PATH}?apiKeyId={key_id}", headers=token)).json()
        wish = {"apiKeyId": key_id, "dailyLimitUsd": 5, "monthlyLimitUsd": 0.000001}
        told = await caller.post(PATH, json={**wish, "warningThreshold": 0.5}, headers=token)
        again = await caller.post(PATH, json={**wish, "dailyLimitUsd": 7}, headers=token)
        after = (await caller.get(f"{PATH}?apiKeyId={key_id}", headers=token)).json()
        mine = {"authorization": f"Bearer {anna.text}"}
        refused = await caller.post("/v1/chat/completions", json=CHAT, headers=mine)

    assert before["budget"] is None
    assert before["budgetCheck"]["allowed"]
    assert before["budgetCheck"]["remaining"] is None
    assert told.json() == {
        "success": True,
        "apiKeyId": key_id,
        "dailyLimitUsd": 5,
        "monthlyLimitUsd": 0.000001,
    }
    assert again.status_code == 200
    assert after["budget"] == {
        "dailyLimitUsd": 7,
        "monthlyLimitUsd": 0.000001,
        "warningThreshold": 0.5,
    }
    check = after["budgetCheck"]
    assert (check["dailyUsed"], check["remaining"]) == (0, 0.000001)
    assert refused.status_code == 402


async def test_what_was_spent_is_told_with_and_without_a_budget(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        await caller.post("/v1/chat/completions", json=CHAT)
        free = (await caller.get(f"{PATH}?apiKeyId=local", headers=token)).json()
        wish = {"apiKeyId": "local", "dailyLimitUsd": 5}
        await caller.post(PATH, json=wish, headers=token)
        await caller.post("/v1/chat/completions", json=CHAT)
        await gateway.parts.storage.flush()
        bound = (await caller.get(f"{PATH}?apiKeyId=local", headers=token)).json()

    assert free["dailyTotal"] > 0
    assert (free["totalEntries"], bound["totalEntries"]) == (1, 2)
    # A budget counts from its making on; what refuses is what is told.
    assert bound["dailyTotal"] == pytest.approx(free["dailyTotal"])
    assert bound["monthlyTotal"] == pytest.approx(2 * free["dailyTotal"])
    assert bound["budgetCheck"]["remaining"] == pytest.approx(5 - bound["dailyTotal"])


async def test_a_budget_of_nobody_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        unnamed = await caller.get(PATH, headers=token)
        unknown = await caller.get(f"{PATH}?apiKeyId=nobody", headers=token)
        free = await caller.post(
            PATH, json={"apiKeyId": "local", "dailyLimitUsd": 0}, headers=token
        )

    assert (unnamed.status_code, unknown.status_code, free.status_code) == (400, 404, 400)


async def test_quotas_are_those_of_the_tool(tmp_path: Path) -> None:
    async with opened(tmp_path, GROQ_API_KEY="gsk_fake_key") as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        every = (await caller.get("/api/usage/quota", headers=token)).json()
        one = (await caller.get("/api/usage/quota?provider=groq", headers=token)).json()
        missing = await caller.get("/api/usage/quota?provider=openai", headers=token)

    assert every["meta"]["totalProviders"] == 2
    (groq,) = one["providers"]
    assert (groq["provider"], groq["quotaTotal"], groq["tokenStatus"]) == ("groq", None, "valid")
    assert one["meta"]["filters"] == {"provider": "groq", "connectionId": None}
    assert missing.status_code == 404


async def test_changes_are_listed_filtered_and_paged(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        token = {"authorization": f"Bearer {gateway.token}"}
        for number in range(3):
            wish = {"name": f"quick{number}", "target": "sim/fast"}
            await caller.put("/api/aliases", json=wish, headers=token)
        await caller.post("/api/keys", json={"name": "laptop"}, headers=token)

        async def log(query: str) -> list[tuple[str, str]]:
            answer = await caller.get(f"/api/compliance/audit-log?{query}", headers=token)
            return [(one["action"], one["target"]) for one in answer.json()]

        every = await log("")
        aliases = await log("action=alias.put&limit=2")
        rest = await log("action=alias.put&limit=2&offset=2")
        target = await log("target=quick1")
        nobody = await log("actor=nobody")
        row = (await caller.get("/api/compliance/audit-log?limit=1", headers=token)).json()[0]

    assert [action for action, _ in every] == ["key.create", *["alias.put"] * 3]
    assert aliases == [("alias.put", "quick2"), ("alias.put", "quick1")]
    assert rest == [("alias.put", "quick0")]
    assert (target, nobody) == ([("alias.put", "quick1")], [])
    assert (row["details"]["name"], row["ipAddress"]) == ("laptop", None)
