"""Every figure of a window, and the requests behind each of them."""

import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from omniroute.server.compose import Composed
from omniroute.server.store.key_terms import KeyTerms
from tests.store.test_pieces import DAYS_S, keep, mixed
from tests.store.test_usage import NOON
from tests.v1.whole import client, opened

pytestmark = pytest.mark.anyio

NUMBER = 300
WINDOW = f"since={NOON - 3_600}&until={NOON + DAYS_S}"
COUNTS = {
    "requests": "",
    "answered": "status=answered",
    "failed": "status=failed",
    "refused": "status=refused",
    "clientGone": "status=client_gone",
    "unpricedRequests": "priced=false",
    "cachedRequests": "cached=true",
}
"""Figures of the whole, and the filters that find their requests."""


class Shown:
    """A gateway with requests on record, seen by its administrator or a key."""

    def __init__(self, gateway: Composed, caller: httpx2.AsyncClient) -> None:
        self.token = gateway.token
        self.caller = caller

    async def get(self, path: str, key: str = "") -> Any:
        headers = {"authorization": f"Bearer {key or self.token}"}
        answer = await self.caller.get(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def found(self, query: str) -> int:
        """Give how many requests of the window a filter finds."""
        return len(await self.get(f"/api/usage/call-logs?{WINDOW}&limit=500&{query}"))


async def test_each_figure_counts_the_requests_that_its_filters_find(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        await keep(gateway.parts.storage.database, mixed(NUMBER))
        shown = Shown(gateway, caller)
        told = await shown.get(f"/api/usage/overview?{WINDOW}")
        counted = {name: await shown.found(query) for name, query in COUNTS.items()}
        parts = {
            f"{name}={row['name']}": (row["requests"], await shown.found(f"{name}={row['name']}"))
            for name, table in (
                *(("answeredBy", "byModel"), ("apiKey", "byKey"), ("combo", "byCombo")),
                *(("provider", "byProvider"), ("error", "errors")),
            )
            for row in told[table]
            if row["name"] is not None
        }
        lacking = {
            name: (
                next(row["requests"] for row in told[table] if row["name"] is None),
                await shown.found(f"without={name}"),
            )
            for name, table in (("provider", "byProvider"), ("combo", "byCombo"))
        }
        slow_ms = int(told["whole"]["latency"]["p95Ms"])
        slow = await shown.found(f"status=answered&minMs={slow_ms}")
        late = await shown.found(
            f"status=answered&minFirstMs={int(told['whole']['firstToken']['p95Ms'])}"
        )
        hours = sum(row["requests"] for row in told["series"])

    assert told["whole"]["requests"] == NUMBER == hours
    assert counted == {name: told["whole"][name] for name in COUNTS}
    assert min(counted.values()) > 0
    assert len(parts) > 8
    assert {name: one for name, one in parts.items() if one[0] != one[1]} == {}
    assert {name: one for name, one in lacking.items() if one[0] != one[1]} == {}
    assert NUMBER // 50 <= slow <= NUMBER // 8
    assert NUMBER // 50 <= late <= NUMBER // 8


async def test_a_window_is_told_by_its_ends_and_its_step(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        now = time.time()
        shown = Shown(gateway, caller)
        empty = await shown.get("/api/usage/overview?range=all")
        await keep(gateway.parts.storage.database, mixed(20))
        whole = await shown.get("/api/usage/overview?range=all")
        narrow = await shown.get(f"/api/usage/overview?since={NOON}&until={NOON + 3_600}")

    assert (empty["whole"]["requests"], empty["whole"]["successRate"]) == (0, None)
    assert (empty["whole"]["latency"], empty["series"]) == (None, [])
    assert (whole["whole"]["requests"], whole["step"], whole["stepS"]) == (20, "day", 86_400)
    assert whole["since"] == NOON // 86_400 * 86_400
    assert now <= whole["until"] <= time.time()
    assert (narrow["since"], narrow["until"]) == (NOON, NOON + 3_600)
    assert (narrow["step"], narrow["from"], narrow["to"]) == (
        "minute",
        "2023-11-15T12:00:00Z",
        "2023-11-15T13:00:00Z",
    )


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=-1", "until=1e400", "range=1d&since=5", "since=1.2.3"]
)
async def test_a_window_that_is_none_is_refused(tmp_path: Path, query: str) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        headers = {"authorization": f"Bearer {gateway.token}"}
        answer = await caller.get(f"/api/usage/overview?{query}", headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] in {"since", "until"}


async def test_a_key_has_figures_of_its_own_requests_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as gateway, client(gateway) as caller:
        terms = KeyTerms(name="mine", scopes=("read:usage",))
        made = await gateway.parts.storage.keys.create(terms, actor="test")
        await keep(gateway.parts.storage.database, mixed(40))
        shown = Shown(gateway, caller)
        told = await shown.get(f"/api/usage/overview?{WINDOW}&key=key-1", made.text)
        every = await shown.get(f"/api/usage/overview?{WINDOW}&key=key-1")

    assert told["whole"]["requests"] == 0
    assert [row["name"] for row in every["byKey"]] == ["key-1"]
    assert every["whole"]["requests"] > 0
