"""What an open stream is told: that something its caller can see has changed.

Nothing on the way of a request tells of changes, and other processes of this gateway change
things as well. So a stream looks: every LOOK_S it compares the mark of each thing it follows
with the mark it had before. Where no stream is open, nothing looks. A change is told at most
once a look, however often it came; a client that is told reads anew.

With each look the caller's key is asked for again: a stream whose key was revoked ends.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from mcp.server.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

from omniroute.routing.errors import NotAuthenticated, RoutingError
from omniroute.routing.model import Caller
from omniroute.routing.views import Views

from .offers import Offers

LOOK_S = 0.5
ADDRESSES_MAX = 100
"""Addresses that one stream, or one session, follows."""

LISTS: tuple[ServerEvent, ...] = (ToolsListChanged(), PromptsListChanged(), ResourcesListChanged())

Now = Callable[[], Caller]
"""Gives the caller as the key is now; raises NotAuthenticated."""
Tell = Callable[[ServerEvent], Awaitable[None]]


class Watch:
    """What one stream follows, and how each thing looked before."""

    def __init__(self, offers: Offers, view: Views) -> None:
        self._offers = offers
        self._view = view
        self._seen: dict[ServerEvent, object] = {}

    def __len__(self) -> int:
        return len(self._seen)

    def __contains__(self, event: object) -> bool:
        return event in self._seen

    async def add(self, event: ServerEvent, caller: Caller) -> None:
        """Follow what the event tells of, from how it is now."""
        self._seen[event] = await self._mark(event, caller)

    def remove(self, event: ServerEvent) -> None:
        """Follow it no longer."""
        self._seen.pop(event, None)

    async def news(self, caller: Caller) -> list[ServerEvent]:
        """Give what has changed since it was added or given last."""
        found: list[ServerEvent] = []
        for event in tuple(self._seen):
            # What cannot be read now, such as while the storage is away, is looked at later.
            with suppress(RoutingError):
                mark = await self._mark(event, caller)
                # It may have been removed meanwhile.
                if event in self._seen and self._seen[event] != mark:
                    self._seen[event] = mark
                    found.append(event)
        return found

    async def _mark(self, event: ServerEvent, caller: Caller) -> object:
        match event:
            case ResourceUpdated():
                found = self._offers.found(event.uri)
                return None if found is None else await found[0].mark(self._view, caller, found[1])
            case ResourcesListChanged():
                combos = self._view.configs.current().combos
                return caller.scopes, {one.name for one in combos}
            case ToolsListChanged() | PromptsListChanged():
                return caller.scopes


@dataclass(frozen=True, slots=True)
class Follower:
    """Who is told of what."""

    watch: Watch
    tell: Tell


async def follow(find: Callable[[], Follower | None], now: Now) -> None:
    """Tell of changes until the key is no longer valid.

    Args:
        find: gives who is told; None while there is nobody.
        now: gives the caller.
    """
    while True:
        await asyncio.sleep(LOOK_S)
        try:
            caller = now()
        except NotAuthenticated:
            return
        one = find()
        if one is not None:
            for event in await one.watch.news(caller):
                await one.tell(event)
