"""User-made autos: what makes one valid. They are combos with a preference, see preference.py.

Field names in messages are those of `/api/combos/auto`, which people write.
"""

import math
from dataclasses import asdict

from ..errors import BadRequest
from ..model import Combo, Config
from ..preference import MODES_OF, Factors, Policy, Preference
from .names import OWN_NAMES, spelled
from .prices import Facts, facts_of
from .providers import provider_named
from .resolve import known_names, pooled
from .unknown import unknown_entry

TITLE_CHARS_MAX = 200
WEIGHTS_APART_MAX = 0.01
"""How far from 1 the sum of the weights may be, as documented."""
COST_USD_NANOS_MAX = 10**15
"""A cap of a million US dollars is a slip of the keyboard."""
FACTOR_NAMES = {
    "quota": "quota",
    "health": "health",
    "cost": "costInv",
    "latency": "latencyInv",
    "fitness": "taskFit",
    "stability": "stability",
}
"""The documented names of the six factors."""


def preference_of(
    *,
    policy: str | None,
    mode: str | None,
    weights: Factors | None,
    explored: float,
    cost_usd_nanos_max: int | None,
) -> Preference:
    """Give the preference that is meant; without a policy, the one whose terms are used.

    Raises:
        BadRequest: no such policy or mode pack, or one that is of the other policy.
    """
    if policy is None:
        documented = weights is not None or mode in MODES_OF["classic-6f"]
        policy = "classic-6f" if documented else "utility"
    found = next((one for one in MODES_OF if one == policy), None)
    if found is None:
        raise BadRequest(f"policy is {' or '.join(MODES_OF)}", field="policy")
    made = Preference(found, mode, weights, explored, cost_usd_nanos_max)
    check_preference(made)
    return made


def check_preference(preference: Preference) -> None:
    """Check how an auto is to choose.

    Raises:
        BadRequest: with the field that is wrong.
    """
    _check_mode(preference.policy, preference.mode)
    if preference.weights is not None:
        _check_weights(preference, preference.weights)
    # Written so that NaN is refused too.
    if not 0.0 <= preference.explored <= 1.0:
        raise BadRequest("explorationRate is 0 to 1", field="explorationRate")
    cap = preference.cost_usd_nanos_max
    if cap is not None and not 0 < cap <= COST_USD_NANOS_MAX:
        raise BadRequest(
            "budgetCap is more than 0 and at most 1000000 US dollars", field="budgetCap"
        )


def check_pool(config: Config, combo: Combo, *, facts: Facts = facts_of) -> None:
    """Check that each entry of an auto's pool is something, if not for now with an account.

    Raises:
        BadRequest: an entry is no provider, account, model or combo.
    """
    # Names of our own are refused with those of every combo.
    passed = {*OWN_NAMES, *(one.name for one in config.combos)}
    for place, entry in enumerate(combo.models):
        name = spelled(entry.target)
        provider = provider_named(name.partition("/")[0])
        has_account = any(one.provider == provider.name for one in config.accounts if provider)
        is_expected = provider is not None and not has_account
        if not (is_expected or name in passed or pooled(config, name, facts=facts)):
            field = f"candidatePool[{place}]"
            raise BadRequest(unknown_entry(name, known_names(config)), field=field)


def _check_mode(policy: Policy, mode: str | None) -> None:
    if mode is None or mode in MODES_OF[policy]:
        return
    others = [other for other, modes in MODES_OF.items() if mode in modes]
    of_other = f"mode pack {mode!r} is of policy {others[0]}; " if others else ""
    raise BadRequest(
        f"{of_other}the mode packs of {policy} are {', '.join(MODES_OF[policy])}", field="modePack"
    )


def _check_weights(preference: Preference, weights: Factors) -> None:
    if preference.policy != "classic-6f":
        raise BadRequest(
            "weights are of policy classic-6f; utility has mode packs alone", field="weights"
        )
    if preference.mode is not None:
        raise BadRequest("give weights or a mode pack, not both", field="weights")
    values = asdict(weights)
    for name, value in values.items():
        if not 0.0 <= value <= 1.0:
            documented = FACTOR_NAMES[name]
            raise BadRequest(
                f"a weight is 0 to 1, and {documented} is {value:g}", field=f"weights.{documented}"
            )
    total = math.fsum(values.values())
    if not abs(total - 1.0) <= WEIGHTS_APART_MAX:
        raise BadRequest(f"the weights sum to {total:g}, and should to 1", field="weights")
