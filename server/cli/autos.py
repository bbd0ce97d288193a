"""`omniroute combos auto`: a combo that chooses as `auto` does, by terms of its own."""

import re
from argparse import Namespace

from omniroute.routing.catalog.autos import FACTOR_NAMES
from omniroute.routing.preference import EXPLORED

from ..autos_json import AutoJson, WeightsJson
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK, Stop
from .output import NOTHING, show, show_json

_NUMBER = re.compile(r"\d{1,7}(\.\d{1,9})?|\.\d{1,9}", re.ASCII)


def put(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Add an auto, or replace the one of its name."""
    rate, cap = arguments.exploration_rate, arguments.budget_cap
    wish = AutoJson(
        id=arguments.name,
        name=arguments.title or arguments.name,
        candidate_pool=tuple(arguments.entry),
        policy=arguments.policy,
        weights=None if arguments.weights is None else weights(arguments.weights),
        mode_pack=arguments.mode_pack,
        budget_cap=None if cap is None else _number(cap, "--budget-cap"),
        exploration_rate=EXPLORED if rate is None else _number(rate, "--exploration-rate"),
        active=not arguments.inactive,
    )
    with with_gateway(settings, sources) as gateway:
        made = decoded(call(gateway, "POST", "/api/combos/auto", wish), AutoJson)
    if arguments.json:
        show_json(made)
    else:
        show(f"{made.id} is set: clients ask for it as the model {made.id!r}.")
    return OK


def weights(text: str) -> WeightsJson:
    """Give the weights that `health=0.5,taskFit=0.5` means."""
    own_names = {documented: own for own, documented in FACTOR_NAMES.items()}
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        if name not in own_names or own_names[name] in found:
            raise Stop(
                f"--weights is a list such as health=0.6,taskFit=0.4 of {', '.join(own_names)}, "
                f"each at most once, not {text!r}"
            )
        found[own_names[name]] = _number(number, f"the weight {name}")
    return WeightsJson(**found)


def terms(auto: AutoJson) -> tuple[tuple[str, str], ...]:
    """Give how an auto chooses, in words and by name."""
    given = auto.weights
    named = {} if given is None else {FACTOR_NAMES[name]: name for name in given.__struct_fields__}
    shown = [f"{name}={getattr(given, own):g}" for name, own in named.items()]
    cap = auto.budget_cap
    return (
        ("policy", auto.policy or NOTHING),
        ("mode pack", auto.mode_pack or NOTHING),
        ("weights", ", ".join(shown) or NOTHING),
        ("exploration rate", f"{auto.exploration_rate:g}"),
        ("budget cap", NOTHING if cap is None else f"${cap:g} a request"),
        ("pool", ", ".join(auto.candidate_pool) or "every chat model"),
    )


def _number(text: str, option: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise Stop(f"{option} is a number such as 0.05, not {text!r}")
    return float(text)
