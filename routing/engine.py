"""One request through the gateway, top to bottom.

    allow -> decide -> try candidates in order -> account

`open` returns once the first content of an answer is there: until then a candidate that
fails is replaced by the next. From the first content on the answer belongs to its candidate:
the caller has seen part of it, so a later failure ends the request. However a request ends,
also by a caller that leaves, its outcome is recorded and its money settled exactly once.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from msgspec import structs

from .access import require
from .accounting.cost import OUTPUT_TOKENS_EXPECTED
from .accounting.sessions import Sessions
from .choose.balance import NOTHING
from .choose.classic import is_classic
from .choose.decide import decide
from .content import ContentRule, ContentRules, Finding
from .errors import GatewayBusy, LoopDetected, RoutingError
from .guarded import GuardedReply, blocked, findings
from .guarding.body import looking_at
from .guarding.text import Watch
from .guarding.turns import SLICE_CHARS, Steps, at_once, in_turns
from .health.book import HealthBook
from .health.key_rates import KeyRates, Need, Turn
from .health.loads import Loads
from .health.tallies import Tallies
from .model import Caller, Config, Decision, RouteRequest
from .moments import moment_of
from .noted import NotedGuardedReply, NotedReply
from .ports import Budgets, Clock, Configs, ContentGuard, Contents, Ledger, Upstream
from .prepare import Prepared, Preparer
from .pressure import Pressure
from .rates import Rates
from .reply import Reply
from .tracing import ASKED_BY
from .visit import Parts
from .wire.sessions import session_id
from .wire.shaped import shaped

ROUTE = "write:route"
NANOS_PER_MS = 1_000_000
_REPLIES = {
    (False, False): Reply,
    (True, False): GuardedReply,
    (False, True): NotedReply,
    (True, True): NotedGuardedReply,
}
"""The reply of a request, by whether a guard looks at it and whether it is noted."""
IDS_AT_ONCE = 64
"""How many ids random bits are fetched for at once."""


@dataclass(frozen=True, slots=True)
class Engine:
    """Decides, calls and accounts. Holds no protocol and no database.

    Attributes:
        sleep: waits between two calls of one candidate.
        guards: what may look at requests and answers, by name.
        pressure: whether there is room for new requests.
        contents: where keys that wish it have their prompts and answers kept; None nowhere.
    """

    configs: Configs
    preparer: Preparer
    upstream: Upstream
    ledger: Ledger
    budgets: Budgets
    health: HealthBook
    clock: Clock
    instance_id: str = "gateway"
    loads: Loads = field(default_factory=Loads)
    tallies: Tallies = field(default_factory=Tallies)
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    sessions: Sessions = field(default_factory=Sessions)
    rates: KeyRates = field(default_factory=KeyRates)
    guards: Mapping[str, ContentGuard] = field(default_factory=dict[str, ContentGuard])
    pressure: Pressure = field(default_factory=Pressure)
    contents: Contents | None = None
    _parts: Parts = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = Parts(
            self.upstream,
            self.ledger,
            self.budgets,
            self.health,
            self.clock,
            self.instance_id,
            self.loads,
            self.tallies,
            self.sleep,
            self.sessions,
            self.preparer.experience,
        )
        object.__setattr__(self, "_parts", parts)

    def decide(
        self, request: RouteRequest, caller: Caller, config: Config | None = None
    ) -> Decision:
        """Say who would answer, without calling anyone: the same function a live request runs.

        Args:
            request: what would be asked.
            caller: who would.
            config: to decide by in place of the one in force, such as a draft of it.

        Raises:
            NotAllowed: the caller may not route.
            ModelNotFound: nothing goes by the target's name.
        """
        require(caller, ROUTE)
        return self._decide(_bound(request, caller), caller, config)[3]

    def weigh(self, request: RouteRequest, caller: Caller) -> Decision:
        """Say the same for who has asked for a scope of its own, as advice does.

        Raises:
            ModelNotFound: nothing goes by the target's name.
        """
        return self._decide(_bound(request, caller), caller)[3]

    async def open(self, request: RouteRequest, caller: Caller) -> Reply:
        """Give an answer whose first content is there. The caller must close it.

        Raises:
            NotAllowed: the caller may not route, or not to this model.
            GatewayBusy: there is no room for new requests.
            LoopDetected: the request came from this gateway.
            ModelNotFound: nothing goes by the target's name.
            RateLimited: the caller's key has reached a limit of its own.
            NoCandidate: every candidate was filtered out, the message says why.
            BudgetExceeded: no candidate's bound can be paid.
            UpstreamFailure: the candidates that were tried failed.
        """
        if len(request.operation.body) > SLICE_CHARS and self.configs.current().content is not None:
            request = await self._looked_at(request, caller)
        reply = self.begin(request, caller)
        await reply.start()
        return reply

    def begin(self, request: RouteRequest, caller: Caller) -> Reply:
        """Give a reply that is decided and calls no one yet. The caller must start and close it.

        For a door that tells the story of a failed request too: the reply keeps its outcome.

        Raises:
            NotAllowed: the caller may not route.
            GatewayBusy: there is no room for new requests.
            LoopDetected: the request came from this gateway.
            ModelNotFound: nothing goes by the target's name.
            RateLimited: the caller's key has reached a limit of its own.
        """
        require(caller, ROUTE)
        request = _bound(request, caller)
        parts, turn = self._parts, None
        try:
            if self.pressure.why is not None:
                raise GatewayBusy(self.pressure.why)
            if request.via and self.instance_id in request.via.split(","):
                raise LoopDetected(
                    "this request has already come through this gateway: a provider's base URL "
                    "points back at it; see `omniroute doctor`"
                )
            request, caller, prepared, decision = self._decide(request, caller)
            if caller.rates is not None:
                turn = self._turn(request, caller.key_id, caller.rates)
        except RoutingError as error:
            Reply(parts, request, caller, None, None).refuse(error)
            raise
        if decision.combo is not None and decision.order:
            self.tallies.take_turn(decision.combo)
        if request.findings is None and not caller.log_content:
            reply = Reply(parts, request, caller, prepared, decision)
        else:
            reply = self._observed(request, caller, prepared, decision)
        if turn is not None:
            reply.turn = turn
        return reply

    async def _looked_at(self, request: RouteRequest, caller: Caller) -> RouteRequest:
        """Give a long request as a content guard lets it go; others have their turns meanwhile.

        Raises:
            RoutingError: as `begin`, and what it raises is recorded as there.
        """
        require(caller, ROUTE)
        config, target = self.configs.current(), request.target
        refused = Reply(self._parts, _bound(request, caller), caller, None, None)
        try:
            prepared = self.preparer.prepare(config, target, now_s=request.at_s, mode=request.mode)
            rules = config.content or ContentRules()
            rule = rules.rule(caller.key_id, prepared.snapshot.combo)
            return await in_turns(self._looking_at(request, rule))
        except BaseException as ended:
            refused.fail(ended)
            raise

    def _looking_at(self, request: RouteRequest, rule: ContentRule) -> Steps[RouteRequest]:
        """Give the request as a content guard lets it go.

        Raises:
            ContentBlocked: it does not.
        """
        if not rule.touches:
            return request
        found: tuple[Finding, ...] = ()
        operation = request.operation
        if rule.requests != "off":
            watch = Watch(self.guards[rule.guard], rule.requests, rule.kinds)
            operation = yield from looking_at(operation, watch)
            if rule.requests == "block" and watch.found:
                raise blocked("request", watch)
            found = findings("request", watch)
        if rule.answers != "off" and operation.kind == "chat":
            # Bytes that are forwarded are read by nobody.
            operation = structs.replace(operation, forward=False)
        return structs.replace(request, operation=operation, findings=found)

    def _observed(
        self, request: RouteRequest, caller: Caller, prepared: Prepared, decision: Decision
    ) -> Reply:
        """Give a reply that a guard looks at, that is noted, or both, as is wished."""
        rules = self.configs.current().content or ContentRules()
        rule = rules.rule(caller.key_id, decision.combo)
        is_guarded = rule.answers != "off" and not request.operation.forward
        is_noted = caller.log_content and caller.keep_content and self.contents is not None
        kind = _REPLIES[is_guarded, is_noted]
        reply = kind(self._parts, request, caller, prepared, decision)
        if isinstance(reply, GuardedReply):
            reply.watch(Watch(self.guards[rule.guard], rule.answers, rule.kinds))
        if isinstance(reply, NotedReply) and self.contents is not None:
            reply.note(self.contents)
        return reply

    def _turn(self, request: RouteRequest, key_id: str, rates: Rates) -> Turn:
        """Let a request in as far as its key's limits go."""
        features = request.operation.features
        expected = min(features.output_tokens_max or OUTPUT_TOKENS_EXPECTED, OUTPUT_TOKENS_EXPECTED)
        need = Need(key_id, rates, features.input_tokens + expected)
        return self.rates.enter(need, self.clock.now())

    def _decide(
        self, request: RouteRequest, caller: Caller, config: Config | None = None
    ) -> tuple[RouteRequest, Caller, Prepared, Decision]:
        """Decide on what is counted at this moment.

        Returns:
            The request with what was counted, and the caller with all budgets that pay for it.
        """
        if config is None:
            config = self.configs.current()
        if config.shaping is not None:
            operation = shaped(request.operation, config.shaping)
            request = structs.replace(request, operation=operation)
        prepared = self.preparer.prepare(
            config, request.target, now_s=request.at_s, mode=request.mode
        )
        snapshot = prepared.snapshot
        if config.content is not None and request.findings is None:
            rule = config.content.rule(caller.key_id, snapshot.combo)
            request = at_once(self._looking_at(request, rule))
        moment = None
        if prepared.counts:
            moment = moment_of(prepared, self.health, self.loads, self.tallies, request.at_s)
        if request.session_id is not None and not is_classic(snapshot.mode):
            stay = self.sessions.stay(request, snapshot.candidates, prepared.patience.session_s)
            moment = structs.replace(moment or NOTHING, stay=stay)
        paying = self.budgets.paying(
            caller.budget_ids, combo=snapshot.combo, session_id=request.session_id
        )
        if paying is not caller.budget_ids:
            caller = structs.replace(caller, budget_ids=paying)
        guard = self.budgets.guard(paying) if paying else None
        if request.moment is not moment or request.guard is not guard:
            request = structs.replace(request, moment=moment, guard=guard)
        decision = decide(request, snapshot, config.seed, snapshot_id=prepared.snapshot_id)
        return request, caller, prepared, decision


def new_request_id() -> str:
    """Give an id of ours: `req_`, the time in ms as 12 hex digits, and 80 random bits.

    Ids that rise with time go to the end of every index that they are stored in.
    """
    return f"req_{time.time_ns() // NANOS_PER_MS:012x}{_random_bits.take()}"


class _RandomBits:
    """Random bits of the operating system's, fetched for many ids at once.

    A process that was forked has to begin with bits of its own.
    """

    def __init__(self) -> None:
        self._left: list[str] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._left.clear)

    def take(self) -> str:
        """Give 80 bits as 20 hex digits."""
        if not self._left:
            digits = os.urandom(10 * IDS_AT_ONCE).hex()
            self._left.extend(digits[at : at + 20] for at in range(0, len(digits), 20))
        return self._left.pop()


_random_bits = _RandomBits()


def _bound(request: RouteRequest, caller: Caller) -> RouteRequest:
    """Give the request with the caller's own model list and session, whatever the door wrote."""
    asked_by = ASKED_BY.get()
    if asked_by is not None:
        request = structs.replace(request, trace=asked_by.traceparent)
    if request.session_id is not None:
        named = session_id(caller.key_id, request.session_id)
        request = structs.replace(request, session_id=named)
    if request.allowed == caller.models:
        return request
    return structs.replace(request, allowed=caller.models)
