"""Every route that writes says in the audit log what it changed, or here why it changes nothing.

The routes are those of the served document: one that is in neither table fails.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from omniroute.server.api.openapi_doors import DOORS
from omniroute.server.compose import Composed, compose
from omniroute.server.settings import load_settings
from omniroute.server.store.audit import Entry
from omniroute.server.store.database import Statement

pytestmark = pytest.mark.anyio

HOST = "http://127.0.0.1:20128"
CONFIGURATION = ("accounts", "keys", "combos", "aliases", "settings", "budgets")
"""The tables that say what is configured."""


@dataclass(frozen=True)
class Write:
    """A call of a route, in the order of the table, and the actions that the log has for it.

    `{key}`, `{budget}` and so on in a path are ids that earlier answers gave, kept by `keeps`:
    a name and the field of the answer.
    """

    route: str
    action: str
    body: Any = None
    path: str = ""
    keeps: tuple[str, str] | None = None


DUO = {"name": "duo", "models": [{"target": "sim/fast"}]}
AUTO = {"type": "auto", "id": "mine", "name": "Mine", "candidatePool": ["sim"]}
WRITES = (
    Write("POST /api/keys", "key.create", {"name": "laptop"}, keeps=("key", "key_id")),
    Write(
        "POST /api/budgets",
        "budget.put",
        {"key_id": "{key}", "terms": {"cap_usd_nanos": 5_000_000_000, "period": "month"}},
        keeps=("budget", "budget_id"),
    ),
    *(
        Write(
            f"{method} /api/budgets/{{budget_id}}",
            "budget.put",
            {"terms": {"name": method}},
            path="/api/budgets/{budget}",
        )
        for method in ("PUT", "PATCH")
    ),
    Write("DELETE /api/budgets/{budget_id}", "budget.remove", path="/api/budgets/{budget}"),
    Write("PATCH /api/keys/{key_id}", "key.change", {"name": "desk"}, path="/api/keys/{key}"),
    Write("POST /api/keys/{key_id}/roll", "key.roll", {}, path="/api/keys/{key}/roll"),
    Write("DELETE /api/keys/{key_id}", "key.revoke", path="/api/keys/{key}"),
    Write(
        "POST /api/providers",
        "account.put",
        {"provider": "groq", "key": "sk-fake-groq"},
        keeps=("account", "account_id"),
    ),
    *(
        Write(
            f"{method} /api/providers/{{account}}",
            "account.put",
            {"models": [method]},
            path="/api/providers/{account}",
        )
        for method in ("PUT", "PATCH")
    ),
    Write("DELETE /api/providers/{account}", "account.remove", path="/api/providers/{account}"),
    Write("POST /api/combos", "combo.put", DUO),
    Write("PATCH /api/combos/{name}", "combo.put", {"description": "two"}, path="/api/combos/duo"),
    Write("PUT /api/combos/{name}", "combo.put", {"description": "2"}, path="/api/combos/duo"),
    Write(
        "POST /api/combos/{name}/switch",
        "combo.switch",
        {"active": False},
        path="/api/combos/duo/switch",
    ),
    *(
        Write(
            f"{method} /api/combos/{{name}}",
            "combo.put",
            {"description": method},
            path="/api/combos/duo",
        )
        for method in ("PUT", "PATCH")
    ),
    Write("DELETE /api/combos/{name}", "combo.remove", path="/api/combos/duo"),
    Write("POST /api/combos/auto", "combo.put", AUTO),
    *(
        Write(
            f"{method} /api/combos/auto/{{name}}",
            "combo.put",
            {"name": method},
            path="/api/combos/auto/mine",
        )
        for method in ("PUT", "PATCH")
    ),
    Write("DELETE /api/combos/auto/{name}", "combo.remove", path="/api/combos/auto/mine"),
    Write("PUT /api/aliases", "alias.put", {"name": "quick", "target": "sim/fast"}),
    *(
        Write(
            f"{method} /api/aliases/{{name}}",
            "alias.put",
            {"target": "sim/smart"},
            path="/api/aliases/quick",
        )
        for method in ("PUT", "PATCH")
    ),
    Write("DELETE /api/aliases/{name}", "alias.remove", path="/api/aliases/quick"),
    Write(
        "PUT /api/settings/proxy",
        "proxy.put",
        {"proxy": {"type": "http", "host": "proxy.example", "port": 3128}},
    ),
    Write("DELETE /api/settings/proxy", "proxy.remove", path="/api/settings/proxy?level=global"),
    Write("PUT /api/fitness", "fitness.put", {"pattern": "fast", "kind": "coding", "fitness": 0.9}),
    Write("DELETE /api/fitness/{pattern}", "fitness.remove", path="/api/fitness/fast?kind=coding"),
    Write("PUT /api/resilience", "setting.put", {"profile": "aggressive"}),
    Write("PUT /api/settings/system-prompt", "setting.put", {"prompt": "Be kind."}),
    Write("PUT /api/settings/thinking-budget", "setting.put", {"mode": "auto"}),
    Write("PUT /api/models", "alias.put", {"model": "sim/fast", "alias": "one"}),
    Write("PUT /api/models/alias", "alias.put", {"model": "sim/fast", "alias": "two"}),
    Write("DELETE /api/models/alias", "alias.remove", path="/api/models/alias?alias=two"),
    Write("POST /api/settings/model-aliases", "alias.put", {"from": "gpt-4", "to": "sim/fast"}),
    Write(
        "DELETE /api/settings/model-aliases",
        "alias.remove",
        path="/api/settings/model-aliases?from=gpt-4",
    ),
    Write(
        "PUT /api/settings/model-aliases",
        "alias.put",
        {"aliases": {"one": "sim/fast", "three": "sim/fast"}},
    ),
    Write("POST /api/keyring", "keyring.add", keeps=("ring", "key_id")),
    Write("DELETE /api/keyring/{key_id}", "keyring.retire", path="/api/keyring/{ring}"),
    Write("PUT /api/settings/guards", "setting.put", {"everywhere": {"requests": "warn"}}),
    Write("PUT /api/db-backups", "backup.make", keeps=("backup", "id")),
    Write("POST /api/db-backups", "backup.restore", {"backupId": "{backup}"}),
    Write("POST /api/usage/budget", "budget.put", {"apiKeyId": "local", "dailyLimitUsd": 5}),
    Write("PATCH /api/settings", "setting.put", {"mode": "cheap", "logRetentionDays": 30}),
    Write("PATCH /api/pricing", "pricing.put", {"mine": {"m": {"input": 1, "output": 2}}}),
    Write("DELETE /api/pricing", "pricing.put", path="/api/pricing?provider=mine"),
    Write("POST /api/pricing/reprice", "pricing.reprice", {"range": "7d"}),
    Write("PUT /api/dashboard/password", "password.set", {"password": "seven fake horses 42"}),
    Write("DELETE /api/dashboard/password", "password.remove", path="/api/dashboard/password"),
    Write(
        "DELETE /api/dashboard/sessions/{session_id}",
        "dashboard.sign_out",
        path="/api/dashboard/sessions/{session}",
    ),
    Write("DELETE /api/dashboard/sessions", "dashboard.sign_out_all"),
    Write("POST /api/prune", "records.prune", {"days": 30}),
)
CHANGES_NOTHING = {
    "POST /api/providers/{account}/test": "one call, which is on record as a call",
    "POST /api/combos/{name}/test": "calls, which are on record as requests",
    "POST /api/combos/test": "calls, which are on record as requests",
    "POST /api/providers/validate": "one call, of an account that is kept nowhere",
    "POST /api/providers/test-batch": "calls, which are on record as calls",
    "POST /api/models/availability": "health is counted and forgotten, nobody configured it",
    "POST /api/policies": "health is counted and forgotten, nobody configured it",
    "DELETE /api/monitoring/health": "health is counted and forgotten, nobody configured it",
    "DELETE /api/cache": "what is forgotten is made again, nobody configured it",
    "POST /api/simulate": "decides and keeps nothing",
    "POST /api/lab": "plays and keeps nothing",
    "POST /api/translate": "says a body in other words and keeps nothing",
    "POST /api/resilience/reset": "health is counted and forgotten, nobody configured it",
    "POST /api/a2a/tasks/{id}/cancel": "a task is its owner's, and its log says that it ended",
}
BESIDE = {path for one in DOORS for path in one.paths}
"""Paths of other clients: no part of the management API."""


@dataclass
class Gateway:
    opened: Composed
    client: httpx.AsyncClient
    kept: dict[str, str] = field(default_factory=dict[str, str])

    async def call(self, write: Write) -> httpx.Response:
        path = (write.path or write.route.partition(" ")[2]).format(**self.kept)
        body = write.body
        if isinstance(body, dict):
            body = {name: self.kept.get(str(value)[1:-1], value) for name, value in body.items()}
        method = write.route.partition(" ")[0]
        answer = await self.client.request(method, path, json=body)
        assert answer.status_code < 300, f"{write.route}: {answer.text}"
        if write.keeps:
            name, given = write.keeps
            self.kept[name] = str(found(answer.json(), given))
        return answer

    async def configured(self) -> list[list[tuple[Any, ...]]]:
        database = self.opened.parts.storage.database
        tables: list[Any] = [
            await database.read(Statement(f"SELECT * FROM {one}")) for one in CONFIGURATION
        ]
        return [[tuple(row) for row in rows] for rows in tables]

    async def entries(self) -> list[Entry]:
        return list(await self.opened.parts.storage.audit.recent(limit=500))


def found(answer: Any, name: str) -> Any:
    """Give a field of an answer, or of what it holds: of the last, where that is a list."""
    if name in answer:
        return answer[name]
    held = (one[-1] if isinstance(one, list) and one else one for one in answer.values())
    return next(one[name] for one in held if isinstance(one, dict) and name in one)


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[Gateway]:
    environment = {"HOME": str(folder), "OMNIROUTE_DATA_DIR": str(folder / "data")}
    settings, sources = load_settings({}, environment, folder)
    async with compose(settings, sources) as opened:
        transport = httpx.ASGITransport(app=opened.app, client=("127.0.0.1", 1))
        headers = {"authorization": f"Bearer {opened.token}"}
        async with httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers) as client:
            sessions = opened.parts.storage.sign_ins
            session = await sessions.begin("somebody", (), address="", agent="")
            yield Gateway(opened, client, {"session": session.session_id})


async def test_every_route_that_writes_is_in_one_of_the_tables(tmp_path: Path) -> None:
    async with gateway(tmp_path) as running:
        document = (await running.client.get("/openapi.json")).json()

    writing = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
        if path.startswith("/api/") and path not in BESIDE and method != "get"
    }
    assert writing == {one.route for one in WRITES} | set(CHANGES_NOTHING)


async def test_every_route_that_writes_has_its_entry_with_the_change(tmp_path: Path) -> None:
    async with gateway(tmp_path) as running:
        told = []
        for write in WRITES:
            before = len(await running.entries())
            await running.call(write)
            after = await running.entries()
            new = after[: len(after) - before]
            told.append((write.route, " ".join(sorted(one.action for one in new))))
        verified = await running.opened.parts.storage.audit.verify()

    assert told == [(one.route, one.action) for one in WRITES]
    assert (verified.rows, verified.faults) == (len(after), ())


async def test_a_change_that_cannot_be_audited_is_not_made(tmp_path: Path) -> None:
    async with gateway(tmp_path) as running:
        database = running.opened.parts.storage.database
        await database.write(
            Statement(
                "CREATE TRIGGER full BEFORE INSERT ON audit BEGIN "
                "SELECT RAISE(ABORT, 'the log takes nothing'); END"
            )
        )
        before = await running.configured()
        answers = [
            await running.client.request(*one.route.split(" "), json=one.body)
            for one in WRITES
            if not one.path and not {"key_id", "backupId"} & set(one.body or ())
        ]
        after = await running.configured()

    assert len(answers) > 5
    assert {one.status_code for one in answers} <= {409, 503}
    assert after == before
