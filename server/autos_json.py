"""What `/api/combos/auto` speaks, as values. Names are the documented ones, so in camelCase."""

from dataclasses import astuple

import msgspec

from omniroute.routing.catalog.autos import FACTOR_NAMES, preference_of
from omniroute.routing.model import Combo, ComboModel
from omniroute.routing.preference import EXPLORED, Factors

USD_NANOS = 1_000_000_000


class WeightsJson(msgspec.Struct, frozen=True):
    """The weights of the six factors; what is not named weighs nothing."""

    quota: float = 0.0
    health: float = 0.0
    cost: float = msgspec.field(default=0.0, name=FACTOR_NAMES["cost"])
    latency: float = msgspec.field(default=0.0, name=FACTOR_NAMES["latency"])
    fitness: float = msgspec.field(default=0.0, name=FACTOR_NAMES["fitness"])
    stability: float = 0.0


class AutoTerms(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How an auto chooses.

    `candidatePool` names providers, accounts, models and combos, and is empty for every model;
    `budgetCap` is in US dollars for one request; without a `policy` it is the one whose terms
    are used.
    """

    candidate_pool: tuple[str, ...] = ()
    policy: str | None = None
    weights: WeightsJson | None = None
    mode_pack: str | None = None
    budget_cap: float | None = None
    exploration_rate: float = EXPLORED
    active: bool = True


AUTO_FIELDS = tuple(one.encode_name for one in msgspec.structs.fields(AutoTerms))


class AutoJson(
    AutoTerms,
    frozen=True,
    kw_only=True,
    rename="camel",
    tag_field="type",
    tag="auto",
    forbid_unknown_fields=True,
):
    """An auto, or one to make. Clients ask for it by its `id`, people know it by its `name`."""

    id: str
    name: str


class AutosJson(msgspec.Struct, frozen=True):
    """Every user-made auto, the inactive ones too."""

    combos: tuple[AutoJson, ...]


def auto_json(combo: Combo) -> AutoJson:
    """Give a user-made auto as the API shows it."""
    preference = combo.preference
    assert preference is not None  # noqa: S101 - the caller's duty
    weights, cap = preference.weights, preference.cost_usd_nanos_max
    return AutoJson(
        id=combo.name,
        name=combo.description,
        candidate_pool=tuple(entry.target for entry in combo.models),
        policy=preference.policy,
        weights=None if weights is None else WeightsJson(*astuple(weights)),
        mode_pack=preference.mode,
        budget_cap=None if cap is None else cap / USD_NANOS,
        exploration_rate=preference.explored,
        active=combo.active,
    )


def auto_combo(wish: AutoJson, combo_id: str) -> Combo:
    """Give the combo that a wish is stored as.

    Raises:
        BadRequest: its terms are not valid.
    """
    weights, cap = wish.weights, wish.budget_cap
    return Combo(
        combo_id=combo_id,
        name=wish.id,
        models=tuple(ComboModel(target) for target in wish.candidate_pool),
        strategy="auto",
        active=wish.active,
        description=wish.name,
        preference=preference_of(
            policy=wish.policy,
            mode=wish.mode_pack,
            weights=None if weights is None else Factors(*msgspec.structs.astuple(weights)),
            explored=wish.exploration_rate,
            cost_usd_nanos_max=None if cap is None else round(cap * USD_NANOS),
        ),
    )
