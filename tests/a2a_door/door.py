"""The A2A door on a gateway of fakes, served in memory."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import httpx
from starlette.applications import Starlette
from starlette.requests import Request

from omniroute.a2a.push import Outgoing, PushStore, SubscriptionRow
from omniroute.a2a.routes import Door
from omniroute.a2a.sending import Sender
from omniroute.a2a.task import TERMINAL, WAITING
from omniroute.a2a.tasks import (
    LISTED_MAX,
    Entry,
    EventRow,
    Hold,
    Listing,
    Page,
    Tally,
    TaskRow,
    TaskStore,
)
from omniroute.routing.conversation import Delta
from omniroute.routing.errors import NotAuthenticated, StorageUnavailable
from omniroute.routing.model import Call, Caller, Piece
from tests.fakes import World, hello, world

BASE = "https://gateway.example"
WAIT_S_MAX = 5.0

CALLERS = {
    "sk-fake-a": Caller("key-a", frozenset({"write:route"})),
    "sk-fake-b": Caller("key-b", frozenset({"write:route"})),
    "sk-fake-reader": Caller("key-reader", frozenset({"read:health", "read:usage"})),
    "sk-fake-no-log": Caller("key-no-log", frozenset({"write:route"}), keep_content=False),
    "sk-fake-one-model": Caller("key-one-model", frozenset({"write:route"}), models=("two/m",)),
}
LOCAL = Caller("local", frozenset({"write:route"}))


@dataclass
class MemoryTasks:
    """Tasks in a dictionary. `broken` makes it answer like a database that is gone.

    `rows`, `logs` and `works` may be another one's: then both are processes on one store.
    `works` says which of them works on a task; a process that is in `dead` does not live.
    """

    rows: dict[str, TaskRow] = field(default_factory=dict[str, TaskRow])
    logs: dict[str, list[EventRow]] = field(default_factory=dict[str, list[EventRow]])
    works: dict[str, str] = field(default_factory=dict[str, str])
    dead: set[str] = field(default_factory=set[str])
    boot_id: str = "boot-1"
    broken: bool = False

    async def create(
        self, task: TaskRow, event: str, *, push: SubscriptionRow | None = None
    ) -> None:
        self._check()
        assert push is None
        assert task.task_id not in self.rows
        self.rows[task.task_id] = task
        self.works[task.task_id] = self.boot_id
        self.logs[task.task_id] = [EventRow(0, event)]

    async def get(self, task_id: str, *, owner: str | None) -> TaskRow | None:
        self._check()
        row = self.rows.get(task_id)
        return row if row is not None and owner in (None, row.owner) else None

    async def move(self, task: TaskRow, event: str, *, attempt: int | None = None) -> bool:
        row = await self.get(task.task_id, owner=task.owner)
        if row is None or row.state in TERMINAL or attempt not in (None, row.attempt):
            return False
        self.rows[task.task_id] = replace(task, attempt=row.attempt)
        if task.state not in ("submitted", "working"):
            self.works.pop(task.task_id, None)
        self._log(task.task_id, event)
        return True

    async def wake(self, task: TaskRow, event: str) -> bool:
        row = await self.get(task.task_id, owner=task.owner)
        if row is None or row.state != WAITING or row.attempt != task.attempt - 1:
            return False
        self.rows[task.task_id] = task
        self.works[task.task_id] = self.boot_id
        self._log(task.task_id, event)
        return True

    async def append(self, entries: Sequence[Entry]) -> None:
        self._check()
        for one in entries:
            row = self.rows.get(one.task_id)
            if row is not None and one.task_id in self.works and row.attempt == one.attempt:
                self._log(one.task_id, one.payload)

    async def events(self, task_id: str, *, owner: str, after: int = -1) -> Sequence[EventRow]:
        row = await self.get(task_id, owner=owner)
        return [one for one in self.logs[task_id] if one.seq > after] if row is not None else []

    async def lengths(self, task_ids: Sequence[str]) -> Mapping[str, int]:
        self._check()
        return {one: len(self.logs[one]) for one in task_ids if one in self.logs}

    async def page(self, owner: str | None, listing: Listing) -> Page:
        self._check()
        found = [
            one
            for one in self.rows.values()
            if owner in (None, one.owner)
            and listing.context_id in (None, one.context_id)
            and one.state in (listing.states or {one.state})
            and listing.skill in (None, one.skill)
            and one.updated_unix_s >= (listing.updated_after_unix_s or 0)
        ]
        found.sort(key=lambda one: (one.updated_unix_s, one.task_id), reverse=True)
        after = listing.after
        rest = [
            one
            for one in found
            if after is None
            or (one.updated_unix_s, one.task_id) < (after.updated_unix_s, after.task_id)
        ]
        shown = rest[listing.offset :][: min(listing.limit, LISTED_MAX)]
        return Page(shown, len(found))

    async def tally(self, owner: str | None) -> Tally:
        self._check()
        found = [one for one in self.rows.values() if owner in (None, one.owner)]
        newest = max((one.created_unix_s for one in found), default=None)
        return Tally(dict(Counter(one.state for one in found)), newest)

    async def held(self) -> Mapping[str, Hold]:
        self._check()
        return {
            task_id: Hold(self.rows[task_id].owner, self.rows[task_id].attempt)
            for task_id, boot_id in self.works.items()
            if boot_id == self.boot_id
        }

    async def lost(self, *, now_unix_s: float) -> Sequence[TaskRow]:
        self._check()
        return [self.rows[one] for one, boot_id in self.works.items() if boot_id in self.dead]

    async def take(self, task: TaskRow) -> TaskRow | None:
        row = self.rows[task.task_id]
        if row.attempt != task.attempt or task.task_id not in self.works:
            return None
        self.works[task.task_id] = self.boot_id
        self.rows[task.task_id] = taken = replace(row, attempt=row.attempt + 1)
        return taken

    async def prune(self, *, now_unix_s: float) -> int:
        self._check()
        old = [one.task_id for one in self.rows.values() if one.expires_unix_s < now_unix_s]
        for task_id in old:
            del self.rows[task_id], self.logs[task_id]
        return len(old)

    def _log(self, task_id: str, event: str) -> None:
        log = self.logs[task_id]
        log.append(EventRow(len(log), event))

    def _check(self) -> None:
        if self.broken:
            raise StorageUnavailable("the database is gone")


@dataclass
class HeldAnswer:
    """Says "hel", waits to be let go, then says the rest."""

    call: Call
    go: anyio.Event
    closed: anyio.Event
    headers: Mapping[bytes, bytes] = field(default_factory=dict[bytes, bytes])
    dropped: tuple[str, ...] = ()
    pour = None

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[Piece]:
        first, *others = hello(self.call)
        yield first
        await self.go.wait()
        for piece in others:
            yield piece

    def close(self) -> None:
        self.closed.set()


@dataclass
class HeldUpstream:
    """An upstream whose answers stop after their first Delta until `go` is set."""

    go: anyio.Event = field(default_factory=anyio.Event)
    opened: anyio.Event = field(default_factory=anyio.Event)
    closed: anyio.Event = field(default_factory=anyio.Event)

    async def open(self, call: Call) -> HeldAnswer:
        self.opened.set()
        return HeldAnswer(call, self.go, self.closed)


@dataclass(frozen=True)
class Telling:
    """What push notifications take: tasks with an outbox, and who hears of it.

    `by_itself` says whether they are sent; else a test does it.
    """

    tasks: TaskStore
    pushes: PushStore
    receiver: Outgoing
    by_itself: bool = False


@dataclass
class Served:
    """A served door with everything of it within reach."""

    client: httpx.AsyncClient
    app: Starlette
    world: World
    store: MemoryTasks
    door: Door
    sender: Sender | None = None

    async def post(self, body: object, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.post("/a2a", json=body, headers=named)

    async def call(self, method: str, params: object, **headers: str) -> Any:
        """Give the whole JSON-RPC answer."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return (await self.post(body, **headers)).json()

    async def result(self, method: str, params: object, **headers: str) -> Any:
        """Give the result of a call that must have one."""
        answered = await self.call(method, params, **headers)
        assert "error" not in answered, answered
        assert (answered["jsonrpc"], answered["id"]) == ("2.0", 1)
        return answered["result"]

    async def error(self, method: str, params: object, **headers: str) -> Any:
        """Give the error of a call that must have one."""
        answered = await self.call(method, params, **headers)
        assert "result" not in answered, answered
        return answered["error"]


@asynccontextmanager
async def serving(
    made: World | None = None,
    *,
    upstream: HeldUpstream | None = None,
    keys_required: bool = False,
    store: MemoryTasks | Telling | None = None,
    limits: tuple[float, int] = (60.0, 10),
) -> AsyncGenerator[Served]:
    """Serve the door; on leaving it is shut down as the app does it.

    `limits` are the seconds that a task may take and the tasks that may run at once. With
    Telling for a store there are push notifications.
    """
    made = made or world()
    telling = store if isinstance(store, Telling) else None
    store = MemoryTasks() if store is None or isinstance(store, Telling) else store
    route = (
        made.gateway.route if upstream is None else replace(made.gateway.route, upstream=upstream)
    )

    def authenticate(request: Request) -> Caller:
        credential = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not credential and not keys_required:
            return LOCAL
        if credential not in CALLERS:
            raise NotAuthenticated("no valid key; send Authorization: Bearer sk-omni-...")
        return CALLERS[credential]

    door = Door(
        gateway=replace(made.gateway, route=route),
        tasks=store if telling is None else telling.tasks,
        authenticate=authenticate,
        public_url=lambda: BASE,
        keys_required=lambda: keys_required,
        clock=made.clock,
        task_s_max=limits[0],
        running_max=limits[1],
        callers={one.key_id: one for one in (LOCAL, *CALLERS.values())}.get,
        pushes=None if telling is None else telling.pushes,
        outgoing=None if telling is None else telling.receiver,
    )
    sender = door.sender
    if telling is not None and not telling.by_itself:
        door.sender = None
    app = Starlette(routes=door.routes())
    transport = httpx.ASGITransport(app=app)
    with anyio.fail_after(WAIT_S_MAX):
        async with (
            httpx.AsyncClient(transport=transport, base_url=BASE) as client,
            door.lifespan(),
        ):
            yield Served(client, app, made, store, door, sender)


def v10_message(text: str = "say hello", **more: object) -> dict[str, object]:
    return {"messageId": "msg-1", "role": "ROLE_USER", "parts": [{"text": text}], **more}


def v03_message(text: str = "say hello", **more: object) -> dict[str, object]:
    return {
        "kind": "message",
        "messageId": "msg-1",
        "role": "user",
        "parts": [{"kind": "text", "text": text}],
        **more,
    }


def saying(*texts: str) -> Sequence[Piece]:
    """Give the Pieces of an answer without usage."""
    said = [Piece(b"", Delta(text=text)) for text in texts]
    return (*said, Piece(b"", Delta(finish="stop", ended=True)))
