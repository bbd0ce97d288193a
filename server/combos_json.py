"""What `/api/combos` speaks, as values: part of management.py's contract."""

from dataclasses import dataclass, fields
from typing import get_args

from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Combo, ComboModel, Strategy

from .autos_json import AutoJson, auto_json


@dataclass(frozen=True, slots=True)
class ComboModelJson:
    """One entry of a combo."""

    target: str
    weight: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComboSettings:
    """A combo's own limits, by the names of Combo; null means the gateway's own."""

    attempts_max: int | None = None
    first_byte_s: float | None = None
    total_s: float | None = None
    retries: int | None = None
    retry_delay_s: float | None = None
    concurrency_per_model: int | None = None
    queue_s: float | None = None
    session_s: float | None = None
    hedge_percentile: int | None = None


COMBO_SETTINGS = tuple(one.name for one in fields(ComboSettings))


@dataclass(frozen=True, slots=True)
class ComboJson(ComboSettings):
    """A combo; `auto` says how a user-made auto chooses."""

    combo_id: str
    name: str
    models: tuple[ComboModelJson, ...]
    strategy: str
    active: bool = True
    description: str = ""
    auto: AutoJson | None = None


@dataclass(frozen=True, slots=True)
class CombosJson:
    """Every combo, the inactive ones too."""

    combos: tuple[ComboJson, ...]


@dataclass(frozen=True, slots=True)
class ComboWish(ComboSettings):
    """A combo to make."""

    name: str
    models: tuple[ComboModelJson, ...]
    strategy: str = "priority"
    description: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class ComboSwitch:
    """Whether a combo is to be routed to and listed."""

    active: bool


def combo_json(combo: Combo) -> ComboJson:
    """Give a combo as the API shows it."""
    return ComboJson(
        combo_id=combo.combo_id,
        name=combo.name,
        models=tuple(ComboModelJson(one.target, one.weight) for one in combo.models),
        strategy=combo.strategy,
        active=combo.active,
        description=combo.description,
        attempts_max=combo.attempts_max,
        first_byte_s=combo.first_byte_s,
        total_s=combo.total_s,
        retries=combo.retries,
        retry_delay_s=combo.retry_delay_s,
        concurrency_per_model=combo.concurrency_per_model,
        queue_s=combo.queue_s,
        hedge_percentile=combo.hedge_percentile,
        auto=None if combo.preference is None else auto_json(combo),
        session_s=combo.session_s,
    )


def combo_wish(combo: Combo) -> ComboWish:
    """Give what would make a combo as it is."""
    shown = combo_json(combo)
    return ComboWish(**{one.name: getattr(shown, one.name) for one in fields(ComboWish)})


def combo_of(wish: ComboWish, combo_id: str) -> Combo:
    """Give the combo of a wish. Raises BadRequest for a strategy that is none."""
    return Combo(
        combo_id=combo_id,
        name=wish.name,
        models=tuple(ComboModel(one.target, one.weight) for one in wish.models),
        strategy=_strategy(wish.strategy),
        active=wish.active,
        attempts_max=wish.attempts_max,
        first_byte_s=wish.first_byte_s,
        total_s=wish.total_s,
        description=wish.description,
        retries=wish.retries,
        retry_delay_s=wish.retry_delay_s,
        concurrency_per_model=wish.concurrency_per_model,
        queue_s=wish.queue_s,
        session_s=wish.session_s,
        hedge_percentile=wish.hedge_percentile,
    )


def _strategy(text: str) -> Strategy:
    known: tuple[Strategy, ...] = get_args(Strategy)
    for strategy in known:
        if strategy == text:
            return strategy
    raise BadRequest(f"strategy is one of {', '.join(known)}", field="strategy")
