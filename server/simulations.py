"""What `POST /api/simulate` takes and gives: a decision that nobody is called for, as values.

Money is nano-dollars; None is an unknown price, never a free one.
"""

from dataclasses import dataclass

from omniroute.routing.accounting.cost import expected_usd_nanos, upper_bound_usd_nanos
from omniroute.routing.choose.accounts import told
from omniroute.routing.choose.draw import ONE_Q32
from omniroute.routing.model import Candidate, Decision, Features, Verdict

from .combos_json import ComboWish

PROMPT_TOKENS = 1_000
"""How long a prompt is taken to be when nothing is said of it."""


@dataclass(frozen=True, slots=True)
class SimulateWish:
    """A request to decide on.

    With `like`, the recorded request of that id is decided again as it was asked, and `model`
    and the features are not read. `request_id` names the draw; empty draws as a new request.
    `session` is a session of the key's, by its name or id; empty is none. `mode` is what
    x-omniroute-mode says; empty is none. `draft` is a combo that is not stored, which stands in
    the place of one of its name.
    """

    model: str = ""
    prompt_tokens: int = PROMPT_TOKENS
    prompt_tokens_max: int | None = None
    max_tokens: int | None = None
    budget_usd_nanos: int | None = None
    tools: bool = False
    images: bool = False
    json_schema: bool = False
    stream: bool = False
    request_id: str = ""
    like: str = ""
    session: str = ""
    mode: str = ""
    draft: ComboWish | None = None


@dataclass(frozen=True, slots=True)
class SimulatedJson:
    """What the decision thinks of one candidate, and what it would cost.

    `place` is its turn, from 1; None when it would not be tried. `first_share` is the
    probability with which it could be first.
    """

    name: str
    account_id: str
    kept: bool
    reason: str
    detail: str
    place: int | None
    first_share: float
    score: float | None
    expected_usd_nanos: int | None
    worst_usd_nanos: int | None
    simulated: bool


@dataclass(frozen=True, slots=True)
class ChangeJson:
    """One thing about one candidate that is different now; "" stands for nothing."""

    name: str
    account_id: str
    what: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class SimulationJson:
    """A decision on a request that is not made.

    `changes` is None when no recorded request was decided again.
    """

    request_id: str
    target: str
    combo: str | None
    strategy: str
    snapshot_id: str
    candidates: tuple[SimulatedJson, ...]
    changes: tuple[ChangeJson, ...] | None = None


def simulation_json(
    decision: Decision, features: Features, *, before: Decision | None = None
) -> SimulationJson:
    """Give a decision with what its candidates would cost, first those that would be tried."""
    places = {id(one): place for place, one in enumerate(decision.order, start=1)}
    last = len(places) + 1
    ranked = sorted(told(decision), key=lambda one: places.get(id(one.candidate), last))
    return SimulationJson(
        request_id=decision.request_id,
        target=decision.target,
        combo=decision.combo,
        strategy=decision.strategy,
        snapshot_id=decision.snapshot_id,
        candidates=tuple(
            _simulated(one, features, places.get(id(one.candidate))) for one in ranked
        ),
        changes=None if before is None else changes(before, decision),
    )


def changes(before: Decision, now: Decision) -> tuple[ChangeJson, ...]:
    """Give what is different for each candidate, those of the old decision first."""
    old, new = _standings(before), _standings(now)
    found: list[ChangeJson] = []
    for key in [*old, *(one for one in new if one not in old)]:
        was, is_now = old.get(key, {}), new.get(key, {})
        found += [
            ChangeJson(*key, what, was.get(what, ""), is_now.get(what, ""))
            for what in was or is_now
            if was.get(what, "") != is_now.get(what, "")
        ]
    return tuple(found)


def _standings(decision: Decision) -> dict[tuple[str, str], dict[str, str]]:
    """Give how each candidate stands, in words, by its name and account."""
    places = {id(one): str(place) for place, one in enumerate(decision.order, start=1)}
    return {
        (one.candidate.name, one.candidate.account_id): {
            "turn": places.get(id(one.candidate), "not tried"),
            "verdict": one.reason,
            "chance": f"{one.first_q32 / ONE_Q32:.1%}",
            "score": "" if one.score is None else f"{one.score:.6g}",
        }
        for one in decision.verdicts
    }


def _simulated(verdict: Verdict, features: Features, place: int | None) -> SimulatedJson:
    one = verdict.candidate
    return SimulatedJson(
        name=one.name,
        account_id=one.account_id,
        kept=verdict.kept,
        reason=verdict.reason,
        detail=verdict.detail,
        place=place,
        first_share=verdict.first_q32 / ONE_Q32,
        score=verdict.score,
        expected_usd_nanos=expected_usd_nanos(one, features),
        worst_usd_nanos=_worst(one, features),
        simulated=one.simulated,
    )


def _worst(candidate: Candidate, features: Features) -> int | None:
    return None if candidate.facts.price is None else upper_bound_usd_nanos(candidate, features)
