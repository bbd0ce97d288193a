"""Streams of changes, bound to the MCP SDK in both protocol eras.

In the newer era a stream is the answer to subscriptions/listen, and says itself what it wants
to hear (2026-07-28, "Subscriptions"). In the older one a client asks for addresses with
resources/subscribe, and hears of them and of changed lists on the GET stream of its session
(2025-11-25, "Resources" and "Transports"). There a change that came while the stream was
broken is told when it is there again.

An address is followed only with the scope of what it shows; what is not granted is left out of
the acknowledgement, or refused.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from mcp import MCPError
from mcp.server import Server
from mcp.server.session import ServerSession
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    SubscriptionBus,
    ToolsListChanged,
)
from mcp.types import (
    INVALID_PARAMS,
    EmptyResult,
    NotificationParams,
    SubscribeRequestParams,
    SubscriptionFilter,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)
from starlette.types import Scope

from omniroute.routing.model import Caller
from omniroute.routing.views import Views

from .additions import Context
from .calls import may
from .changes import ADDRESSES_MAX, LISTS, Follower, Watch, follow
from .offers import REFUSED, Offers, WhoCalls
from .reach import Reach

STREAMS_MAX = 1000
"""Streams of the newer era that are open at once."""
SESSIONS_MAX = 1000
"""Open sessions of the older era; the newer one has none."""
SESSION_IDLE_S = 1800.0
SESSION = "mcp-session-id"


class _Bus(InMemorySubscriptionBus):
    """One stream's own changes, and those that additions publish for all."""

    def __init__(self, added: SubscriptionBus | None) -> None:
        super().__init__()
        self._added = added

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Hear of both."""
        ends = [super().subscribe(listener)]
        if self._added is not None:
            ends.append(self._added.subscribe(listener))

        def end() -> None:
            for one in ends:
                one()

        return end


@dataclass(slots=True)
class _Session:
    """A session of the older era, whose it is, and when it was used last."""

    key_id: str
    follower: Follower
    used_s: float


class Streams:
    """Tells clients what has changed.

    Args:
        offers: knows the addresses.
        view: is looked at.
        who_calls: gives the authenticated caller of a message.
        reach: tells of keys that are no longer valid, and whether there are sessions.
        added: what additions publish for all streams of the newer era.

    Attributes:
        has_sessions: whether streams of the older era are there.
    """

    def __init__(
        self,
        offers: Offers,
        view: Views,
        who_calls: WhoCalls,
        reach: Reach | None = None,
        added: SubscriptionBus | None = None,
    ) -> None:
        self.has_sessions = reach is not None and not reach.stateless
        self._again = None if reach is None else reach.authenticate
        self._offers = offers
        self._view = view
        self._who_calls = who_calls
        self._added = added
        self._listening: set[ListenHandler] = set()
        self._is_ending = False
        self._sessions: OrderedDict[str, _Session] = OrderedDict()

    def add_to(self, server: Server[Any]) -> None:
        """Register what answers each method; those of the older era only if it has sessions."""
        listening = SubscriptionsListenRequestParams
        server.add_request_handler("subscriptions/listen", listening, self.listen)
        if self.has_sessions:
            server.add_request_handler(
                "resources/subscribe", SubscribeRequestParams, self.subscribe
            )
            server.add_request_handler(
                "resources/unsubscribe", UnsubscribeRequestParams, self.unsubscribe
            )
            server.add_notification_handler(
                "notifications/initialized", NotificationParams, self.begin
            )

    def drain(self) -> None:
        """End the streams of the newer era in order, and open no more of them."""
        self._is_ending = True
        for handler in tuple(self._listening):
            handler.close()

    async def listen(
        self, ctx: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """Be one stream of the newer era, until the client leaves.

        Raises:
            MCPError: too many are open, or the gateway is ending.
        """
        if len(self._listening) >= STREAMS_MAX:
            words = f"{STREAMS_MAX} streams are open; close one, or read without a subscription"
            raise MCPError(REFUSED, words)
        caller = self._who_calls(ctx)
        granted = self._granted(params.notifications, caller)
        watch = Watch(self._offers, self._view)
        bus = _Bus(self._added)
        handler, follower = ListenHandler(bus), Follower(watch, bus.publish)
        self._listening.add(handler)
        try:
            for event in _events(granted):
                await watch.add(event, caller)
            if self._is_ending:
                raise MCPError(REFUSED, "the gateway is shutting down")
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(follow(lambda: follower, partial(self._now, ctx)))
                telling.add_done_callback(lambda _: handler.close())
                told = await handler(ctx, SubscriptionsListenRequestParams(notifications=granted))
                telling.cancel()
        finally:
            self._listening.discard(handler)
        return told

    async def subscribe(self, ctx: Context, params: SubscribeRequestParams) -> EmptyResult:
        """Follow an address in a session of the older era.

        Raises:
            MCPError: nothing is there, the caller lacks its scope, or there are too many.
        """
        caller = self._who_calls(ctx)
        self._offers.readable(ctx, params.uri, caller)
        watch, event = await self._watch(ctx, caller), ResourceUpdated(params.uri)
        if event not in watch and len(watch) >= ADDRESSES_MAX + len(LISTS):
            words = f"a session follows at most {ADDRESSES_MAX} addresses; unsubscribe from one"
            raise MCPError(INVALID_PARAMS, words)
        await watch.add(event, caller)
        return EmptyResult()

    async def unsubscribe(self, ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        """Follow an address no longer; one that was not followed is as well."""
        watch = await self._watch(ctx, self._who_calls(ctx))
        watch.remove(ResourceUpdated(params.uri))
        return EmptyResult()

    async def begin(self, ctx: Context, params: NotificationParams) -> None:
        """Follow the lists, in a session that has just begun."""
        await self._watch(ctx, self._who_calls(ctx))

    async def stand(self, session_id: str, scope: Scope) -> None:
        """Tell a session of changes, for as long as its GET stream is open and may be."""
        assert self._again is not None  # noqa: S101 - only a request over HTTP has a GET stream
        key_id = self._again(scope).key_id
        find = partial(self._found, session_id, key_id)
        await follow(find, partial(self._again, scope))

    def use(self, session_id: str) -> None:
        """Note that a session is in use."""
        session = self._sessions.get(session_id)
        if session is not None:
            session.used_s = self._view.clock.now()
            self._sessions.move_to_end(session_id)

    def end(self, session_id: str) -> None:
        """Forget a session that its client has closed."""
        self._sessions.pop(session_id, None)

    def _granted(self, wanted: SubscriptionFilter, caller: Caller) -> SubscriptionFilter:
        """Give what of it is followed: the first addresses that the caller may read."""
        addresses = dict.fromkeys(wanted.resource_subscriptions or ())
        readable = (one for one in addresses if self._may_read(one, caller))
        return wanted.model_copy(
            update={"resource_subscriptions": list(islice(readable, ADDRESSES_MAX))}
        )

    def _may_read(self, uri: str, caller: Caller) -> bool:
        found = self._offers.found(uri)
        return found is not None and may(caller, found[0].scope)

    def _now(self, ctx: Context) -> Caller:
        """Give the caller of a message as its key is now."""
        if self._again is None or ctx.request is None:
            return self._who_calls(ctx)
        return self._again(ctx.request.scope)

    async def _watch(self, ctx: Context, caller: Caller) -> Watch:
        """Give what a session follows; the lists from its beginning on."""
        session_id = "" if ctx.request is None else ctx.request.headers.get(SESSION, "")
        session = self._sessions.get(session_id)
        if session is None or session.key_id != caller.key_id:
            self._make_room()
            watch, now_s = Watch(self._offers, self._view), self._view.clock.now()
            follower = Follower(watch, partial(_tell, ctx.session))
            session = _Session(caller.key_id, follower, now_s)
            self._sessions[session_id] = session
            for event in LISTS:
                await watch.add(event, caller)
        return session.follower.watch

    def _found(self, session_id: str, key_id: str) -> Follower | None:
        self.use(session_id)
        session = self._sessions.get(session_id)
        return session.follower if session is not None and session.key_id == key_id else None

    def _make_room(self) -> None:
        """Forget sessions that were not used for long, the longest first."""
        now_s = self._view.clock.now()
        while self._sessions:
            oldest = next(iter(self._sessions.values()))
            if len(self._sessions) < SESSIONS_MAX and now_s - oldest.used_s < SESSION_IDLE_S:
                return
            self._sessions.popitem(last=False)


async def _tell(sender: ServerSession, event: ServerEvent) -> None:
    """Send a change on a session's GET stream; it is lost when there is none."""
    match event:
        case ResourceUpdated():
            await sender.send_resource_updated(event.uri)
        case ResourcesListChanged():
            await sender.send_resource_list_changed()
        case ToolsListChanged():
            await sender.send_tool_list_changed()
        case PromptsListChanged():
            await sender.send_prompt_list_changed()


def _events(wanted: SubscriptionFilter) -> Iterator[ServerEvent]:
    """Give what a stream of the newer era follows."""
    if wanted.tools_list_changed:
        yield ToolsListChanged()
    if wanted.prompts_list_changed:
        yield PromptsListChanged()
    if wanted.resources_list_changed:
        yield ResourcesListChanged()
    yield from map(ResourceUpdated, wanted.resource_subscriptions or ())
