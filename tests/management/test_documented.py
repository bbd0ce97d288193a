"""Every management route that OmniRoute documents, and what became of it.

The tables of docs/api-compatibility.md are read here and held against a whole gateway, row by row.
"""

import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from omniroute.server.api.departed import DEPARTED, MOVED
from omniroute.server.compose import Composed
from tests.v1.whole import client, opened

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("documented")]

PAGE = Path(__file__).parents[2] / "docs/api-compatibility.md"
BLANK = re.compile(r"{\w+(:path)?}")
DOCUMENTED = """
POST /api/auth/login, /api/auth/logout, /api/restart, /api/shutdown, /api/combos/test,
    /api/providers/{}/test, /api/providers/test-batch, /api/providers/validate, /api/rate-limits,
    /api/provider-nodes/validate, /api/resilience/reset, /api/settings/proxy/test,
    /api/db-backups/import
GET /api/auth/status, /api/init, /api/storage/health, /api/token-health, /api/providers/{}/models,
    /api/providers/client, /api/models/catalog, /api/models/openrouter-catalog, /api/sessions,
    /api/provider-metrics, /api/cache/stats, /api/usage/analytics, /api/usage/history,
    /api/usage/call-logs, /api/usage/call-logs/{}, /api/usage/logs, /api/usage/request-logs,
    /api/usage/quota, /api/usage/{}, /api/pricing/defaults, /api/pricing/models,
    /api/telemetry/summary, /api/compliance/audit-log, /api/logs/console, /api/evals/{},
    /api/db-backups/export, /api/db-backups/exportAll
GET POST /api/settings/require-login, /api/providers, /api/provider-nodes, /api/oauth/{},
    /api/models/availability, /api/combos, /api/combos/auto, /api/rate-limit, /api/rate-limits,
    /api/policies, /api/keys, /api/usage/budget, /api/evals, /api/translator/{}, /api/sync/{},
    /api/cloud/{}
GET PUT /api/models, /api/settings/ip-filter, /api/settings/system-prompt,
    /api/settings/thinking-budget
GET PATCH /api/resilience, /api/settings, /api/settings/combo-defaults
GET DELETE /api/combos/metrics, /api/cache, /api/usage/proxy-logs, /api/monitoring/health
PUT DELETE /api/provider-nodes/{}
GET PUT DELETE /api/providers/{}, /api/models/alias, /api/combos/{}, /api/settings/proxy
GET PUT POST /api/settings/background-degradation, /api/db-backups
GET POST DELETE /api/fallback/chains, /api/acp/agents, /api/cli-tools/{}
GET PATCH DELETE /api/keys/{}, /api/pricing
GET POST PUT DELETE /api/provider-models, /api/settings/model-aliases
"""
"""The management routes of OmniRoute 2.3.10, by their methods; {} is any part of a path."""

NEEDS_QUERY = {"/api/usage/budget": "apiKeyId=local"}
"""Documented routes that cannot be asked without saying about what."""


@dataclass(frozen=True)
class Route:
    """One route of the table."""

    method: str
    path: str
    here: str
    words: str

    @property
    def name(self) -> tuple[str, str]:
        return self.method.lower(), BLANK.sub("{}", self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def table() -> Iterator[Route]:
    for line in PAGE.read_text().splitlines():
        cells = [one.strip() for one in line.split("|")]
        if len(cells) == 6 and cells[3] in ("kept", "gone", "moved"):
            for method in cells[1].split():
                yield Route(method, cells[2], cells[3], cells[4])


ROUTES = tuple(table())


def of(here: str) -> list[Any]:
    return [pytest.param(one, id=str(one)) for one in ROUTES if one.here == here]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Composed]:
    """A whole gateway with nothing but its simulator."""
    async with opened(tmp_path_factory.mktemp("documented")) as made:
        yield made


async def ask(gateway: Composed, method: str, path: str) -> httpx2.Response:
    async with client(gateway, authorization=f"Bearer {gateway.token}") as caller:
        return await caller.request(method, path, json=None if method == "GET" else [])


async def served(gateway: Composed) -> set[tuple[str, str]]:
    """Give what the gateway's own document describes."""
    document = (await ask(gateway, "GET", "/openapi.json")).json()
    return {
        (method, BLANK.sub("{}", path))
        for path, methods in document["paths"].items()
        for method in methods
    }


def test_no_route_is_listed_twice() -> None:
    names = [one.name for one in ROUTES]

    assert len(names) == len(set(names)) > 80


def documented() -> Iterator[tuple[str, str]]:
    for line in DOCUMENTED.replace(",\n    ", ", ").strip().splitlines():
        methods, _, paths = line.partition(" /")
        for path in f"/{paths}".split(", "):
            for method in methods.split():
                yield method.lower(), path


def test_every_documented_route_is_in_a_table() -> None:
    wanted = set(documented())

    assert len(wanted) > 120
    assert wanted - {one.name for one in ROUTES} == set()


def test_the_table_and_the_routes_that_are_gone_are_the_same() -> None:
    listed = {one.name: one.words for one in ROUTES if one.here != "kept"}
    told = {
        (method.lower(), BLANK.sub("{}", one.path)): one.words
        for one in DEPARTED
        for method in one.methods.split()
    }
    led = {
        (method.lower(), one.path): one.target for one in MOVED for method in one.methods.split()
    }

    assert listed == told | led


async def test_every_route_that_is_kept_is_described_and_no_other(gateway: Composed) -> None:
    described = await served(gateway)

    assert [str(one) for one in ROUTES if one.here == "kept" and one.name not in described] == []
    assert [str(one) for one in ROUTES if one.here != "kept" and one.name in described] == []


@pytest.mark.parametrize("route", of("kept"))
async def test_a_route_that_is_kept_answers(route: Route, gateway: Composed) -> None:
    """What a GET tells is there; what changes something reads what it is told."""
    path = BLANK.sub("nobody", route.path)

    answer = await ask(gateway, route.method, f"{path}?{NEEDS_QUERY.get(path, '')}")

    plain = route.method == "GET" and "{" not in route.path
    expected = {200} if plain else {200, 201, 204, 400, 404}
    assert answer.status_code in expected, answer.text
    assert "nothing is served at" not in answer.text


@pytest.mark.parametrize("route", of("gone"))
async def test_a_route_that_is_gone_says_what_to_do(route: Route, gateway: Composed) -> None:
    answer = await ask(gateway, route.method, BLANK.sub("something", route.path))

    assert answer.status_code == 410
    assert answer.json()["error"]["code"] == "gone"
    assert answer.json()["error"]["message"].endswith(f"is not answered: {route.words}")


@pytest.mark.parametrize("route", of("moved"))
async def test_a_route_that_has_moved_leads_there(route: Route, gateway: Composed) -> None:
    answer = await ask(gateway, route.method, f"{route.path}?limit=1")

    assert answer.status_code == 308
    assert answer.headers["location"] == f"{route.words}?limit=1"


async def test_who_is_nobody_is_not_told_what_is_gone(tmp_path: Path) -> None:
    async with opened(tmp_path, OMNIROUTE_REQUIRE_KEY="always") as closed, client(closed) as caller:
        answer = await caller.get("/api/auth/status")

    assert answer.status_code == 401
