"""A combo against scripted faults, on the simulator: what the gateway would do, and when.

The lab is an engine of its own: a copy of the configuration without any credential, health that
begins well, a clock of its own, and one upstream for every account, which is the simulator.
Nothing real is called, nothing is recorded, and nothing of the gateway's state is touched. Time
is virtual: a wait of a minute takes none, and the same seed gives the same run.

A script says which model fails how, and in which requests: `1=unavailable@21-50` lets the first
model of the combo answer 503 in requests 21 to 50. The faults are the simulator's.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from msgspec import structs

from omniroute.routing.conversation import Chat, Message, Text
from omniroute.routing.engine import Engine
from omniroute.routing.errors import BadRequest, NotFound, RoutingError
from omniroute.routing.guard import Guard
from omniroute.routing.health.book import HealthBook
from omniroute.routing.model import (
    Call,
    Caller,
    Candidate,
    Config,
    Limits,
    Outcome,
    RouteRequest,
    Snapshot,
)
from omniroute.routing.ports import Answer, Hold, Record
from omniroute.routing.prepare import Preparer
from omniroute.routing.simulator.faults import FAULTS
from omniroute.routing.simulator.upstream import SimulatedUpstream
from omniroute.routing.usage import CallDimension, CallRow, Grouping, Selection, Usage
from omniroute.routing.wire.operations import operation_of_chat

from .combos_json import ComboWish
from .drafts import with_draft

REQUESTS = 100
REQUESTS_MAX = 2_000
EVERY_S = 1.0
"""How far apart requests arrive, in the lab's own time."""
FIRST_BYTE_S = 0.05
"""What the first model takes to its first byte; each further one takes as much more."""
START_S = 1_000.0
START_UNIX_S = 1_700_000_000.0


@dataclass(frozen=True, slots=True)
class LabWish:
    """A run to make; the seed names its draws, empty `faults` are those of default_script.

    `draft` is a combo of that name which is not stored, to be tried in the place of one that is.
    """

    combo: str
    faults: str = ""
    requests: int = REQUESTS
    seed: int = 1
    draft: ComboWish | None = None


@dataclass(frozen=True, slots=True)
class ScriptedFault:
    """One model of the combo, by its place from 1, fails so in these requests, from 1."""

    place: int
    fault: str
    first: int
    last: int


@dataclass
class LabClock:
    """Time that passes when the lab waits."""

    now_s: float = START_S

    def now(self) -> float:
        """Give the lab's seconds."""
        return self.now_s

    def unix(self) -> float:
        """Give the lab's date."""
        return START_UNIX_S + self.now_s - START_S

    async def sleep(self, seconds: float) -> None:
        """Let so many seconds pass at once."""
        self.now_s += seconds
        await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class _Fixed:
    config: Config

    def current(self) -> Config:
        return self.config


class _NoBudgets:
    def left(self, budget_ids: tuple[str, ...]) -> int | None:
        return None

    def paying(
        self, budget_ids: tuple[str, ...], *, combo: str | None, session_id: str | None
    ) -> tuple[str, ...]:
        return budget_ids

    def guard(self, budget_ids: tuple[str, ...]) -> Guard | None:
        return None

    def warnings(self, budget_ids: tuple[str, ...]) -> tuple[str, ...]:
        return ()

    def pay_unpriced(self, budget_ids: tuple[str, ...]) -> bool:
        return True

    def take(self, hold: Hold) -> bool:
        return True

    async def reserve(self, hold: Hold) -> None:
        return None

    def settle(self, hold_id: str, *, usd_nanos: int) -> None:
        return None


@dataclass
class _LastOutcome:
    """Keeps the newest outcome and no other."""

    outcome: Outcome | None = None

    def record(self, outcome: Outcome, snapshot: Snapshot | None) -> None:
        self.outcome = outcome

    async def find(self, request_id: str, *, key_id: str | None) -> Record | None:
        return None

    async def usage(
        self, selection: Selection, by: Sequence[Grouping] = (), *, timed: bool = False
    ) -> Usage:
        return Usage()

    async def calls(self, selection: Selection, by: CallDimension) -> tuple[CallRow, ...]:
        return ()

    async def recent(
        self, *, key_id: str | None, limit: int, before: tuple[float, str] | None = None
    ) -> Sequence[Record]:
        return ()


@dataclass
class _LabUpstream:
    """Answers every call from the simulator, with the fault that the script has for it."""

    simulated: SimulatedUpstream
    places: dict[str, int]
    script: tuple[ScriptedFault, ...]
    request: int = 0

    def fault(self, name: str) -> str:
        """Give what is wrong with a model in the present request; "" when nothing is."""
        place = self.places[name]
        found = [
            one.fault
            for one in self.script
            if one.place == place and one.first <= self.request <= one.last
        ]
        return found[0] if found else ""

    async def open(self, call: Call) -> Answer:
        name = call.candidate.name
        model = f"fast@latency={FIRST_BYTE_S * self.places[name]:g},pace=0"
        if fault := self.fault(name):
            model += f",fault={fault}"
        return await self.simulated.open(
            structs.replace(call, candidate=replace(call.candidate, model=model))
        )


@dataclass
class _Tally:
    calls: int = 0
    answered: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class LabRow:
    """One model so far. `state` is "ok", "resting", "open" or "half open"."""

    model: str
    calls: int
    answered: int
    last_failure: str
    state: str
    fault: str


@dataclass(frozen=True, slots=True)
class LabFrame:
    """The run so far, after `number` of `requests`. Times are the lab's own."""

    number: int
    requests: int
    answered: int
    failed: int
    fallbacks: int
    p50_ms: int
    p95_ms: int
    models: tuple[LabRow, ...]


@dataclass
class Lab:
    """One run. `step` makes one request, `frame` tells how it stands."""

    name: str
    requests: int
    seed: int
    engine: Engine
    clock: LabClock
    upstream: _LabUpstream
    ledger: _LastOutcome
    candidates: tuple[Candidate, ...]
    tallies: dict[str, _Tally]
    took_ms: list[int] = field(default_factory=list[int])
    failed: int = 0
    fallbacks: int = 0

    async def step(self, caller: Caller) -> None:
        """Let one more request arrive and be answered or not."""
        self.upstream.request += 1
        arrived_s = self.clock.now_s
        chat = Chat((Message("user", (Text(f"request {self.upstream.request}"),)),))
        request = RouteRequest(
            request_id=f"req_lab_{self.seed}_{self.upstream.request}",
            target=self.name,
            operation=operation_of_chat(chat, target=self.name),
            at_s=arrived_s,
            door="api",
        )
        try:
            reply = await self.engine.open(request, caller)
            try:
                async for _ in reply:
                    pass
            finally:
                reply.close()
        except RoutingError:
            self.failed += 1
        self._count()
        self.clock.now_s = max(self.clock.now_s, arrived_s + EVERY_S)

    def frame(self) -> LabFrame:
        """Give how the run stands."""
        took = sorted(self.took_ms)
        return LabFrame(
            number=self.upstream.request,
            requests=self.requests,
            answered=len(took),
            failed=self.failed,
            fallbacks=self.fallbacks,
            p50_ms=_percentile(took, 50),
            p95_ms=_percentile(took, 95),
            models=tuple(self._row(one) for one in self.candidates),
        )

    def _count(self) -> None:
        outcome = self.ledger.outcome
        if outcome is None:
            return
        for attempt in outcome.attempts:
            tally = self.tallies[attempt.candidate.name]
            tally.calls += 1
            tally.answered += attempt.failure is None
            tally.failure = attempt.failure or tally.failure
        if outcome.status == "answered":
            self.took_ms.append(round(outcome.total_s * 1000))
            self.fallbacks += len(outcome.attempts) > 1
        self.ledger.outcome = None

    def _row(self, candidate: Candidate) -> LabRow:
        tally = self.tallies[candidate.name]
        return LabRow(
            model=candidate.name,
            calls=tally.calls,
            answered=tally.answered,
            last_failure=tally.failure,
            state=self._state(candidate),
            fault=self.upstream.fault(candidate.name),
        )

    def _state(self, candidate: Candidate) -> str:
        state, now_s = self.engine.health.state(candidate), self.clock.now_s
        if state.open_until_s:
            return "open" if now_s < state.open_until_s else "half open"
        return "resting" if now_s < state.cooldown_until_s else "ok"


def open_lab(config: Config, wish: LabWish, limits: Limits) -> Lab:
    """Give a run that has not begun.

    Args:
        config: the gateway's own; a copy without its credentials is used.
        wish: what to run.
        limits: of a call, as in the gateway.

    Raises:
        NotFound: no active combo has that name.
        BadRequest: the script is not one, or the draft is not valid.
    """
    name, requests = wish.combo, wish.requests
    config = with_draft(config, wish.draft)
    if not any(one.name == name and one.active for one in config.combos):
        raise NotFound(f"no combo is named {name!r}; `omniroute combos list` shows them")
    accounts = tuple(
        replace(one, base_url="", credential=None, headers=(), proxy=None)
        for one in config.accounts
    )
    key = blake2b(f"lab {wish.seed}".encode(), digest_size=32).digest()
    config = replace(config, accounts=accounts, seed=key)
    clock, health = LabClock(), HealthBook()
    preparer = Preparer(health, limits=limits)
    found = preparer.prepare(config, name, now_s=clock.now()).snapshot.candidates
    candidates = tuple({one.name: one for one in found}.values())
    places = {one.name: place for place, one in enumerate(candidates, start=1)}
    faults = read_script(
        wish.faults or default_script(len(places), requests), len(places), requests
    )
    upstream = _LabUpstream(SimulatedUpstream(clock, clock.sleep), places, faults)
    ledger = _LastOutcome()
    engine = Engine(
        configs=_Fixed(config),
        preparer=preparer,
        upstream=upstream,
        ledger=ledger,
        budgets=_NoBudgets(),
        health=health,
        clock=clock,
    )
    return Lab(
        name=name,
        requests=requests,
        seed=wish.seed,
        engine=engine,
        clock=clock,
        upstream=upstream,
        ledger=ledger,
        candidates=candidates,
        tallies={one: _Tally() for one in places},
    )


def default_script(places: int, requests: int) -> str:
    """Give faults that show what a combo is for: the first model fails, then the second, too."""
    script = f"1=unavailable@{requests // 5 + 1}-{requests // 2}"
    if places > 1:
        script += f",2=rate_limited@{requests * 2 // 5 + 1}-{requests * 3 // 5}"
    return script if requests >= 10 else "1=unavailable"


def read_script(text: str, places: int, requests: int) -> tuple[ScriptedFault, ...]:
    """Give the faults of `PLACE=FAULT[@FIRST-LAST],...`.

    Raises:
        BadRequest: it has another form, or names a model or a fault that is not there.
    """
    return tuple(_read_one(item.strip(), places, requests) for item in text.split(","))


def _read_one(item: str, places: int, requests: int) -> ScriptedFault:
    place, _, rest = item.partition("=")
    fault, _, span = rest.partition("@")
    first, dash, last = (span or f"1-{requests}").partition("-")
    if not (place.isdecimal() and first.isdecimal() and (not dash or last.isdecimal())):
        raise BadRequest(
            f"a fault is written as PLACE=FAULT@FIRST-LAST, such as 1=unavailable@21-50, and "
            f"{item[:60]!r} is not",
            field="faults",
        )
    if not 1 <= int(place) <= places:
        raise BadRequest(f"the combo's models are 1 to {places}, not {place}", field="faults")
    if fault not in FAULTS:
        raise BadRequest(
            f"no fault is named {fault[:60]!r}; faults are {', '.join(FAULTS)}", field="faults"
        )
    return ScriptedFault(int(place), fault, int(first), int(last) if dash else int(first))


def _percentile(ordered: Sequence[int], percent: int) -> int:
    return ordered[min(len(ordered) * percent // 100, len(ordered) - 1)] if ordered else 0
