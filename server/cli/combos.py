"""`omniroute combos`: named lists of models with a strategy."""

import re
from argparse import Namespace
from urllib.parse import quote

from ..combos_json import (
    COMBO_SETTINGS,
    ComboJson,
    ComboModelJson,
    CombosJson,
    ComboSwitch,
    ComboWish,
)
from ..settings import Settings, Sources
from .autos import terms
from .client import Client, call, decoded, with_gateway
from .exits import OK, Stop
from .output import NOTHING, fields, listed, show, show_json, table

WEIGHT_DIGITS_MAX = 6
NUMBER_DIGITS_MAX = 6
_STATES = {"on": True, "off": False}


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """List the combos."""
    with with_gateway(settings, sources) as gateway:
        found = _combos(gateway)
    if arguments.json:
        show_json(found)
    elif found.combos:
        show(table(("NAME", "STRATEGY", "STATE", "MODELS"), [_row(one) for one in found.combos]))
    else:
        show("There are no combos. `omniroute combos add` makes one.")
    return OK


def show_one(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show one combo with its models in order."""
    with with_gateway(settings, sources) as gateway:
        found = [one for one in _combos(gateway).combos if one.name == arguments.name]
    if not found:
        raise Stop(f"no combo is named {arguments.name!r}; `omniroute combos list` shows them")
    if arguments.json:
        show_json(found[0])
    else:
        show(_page(found[0]))
    return OK


def add(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Add a combo, or replace the one of its name."""
    wish = ComboWish(
        name=arguments.name,
        models=tuple(combo_model(text) for text in arguments.model),
        strategy=arguments.strategy,
        description=arguments.description,
        active=not arguments.inactive,
        attempts_max=whole(arguments.attempts_max, "--attempts-max"),
        first_byte_s=seconds(arguments.first_byte_s, "--first-byte-s"),
        total_s=seconds(arguments.total_s, "--total-s"),
        retries=whole(arguments.retries, "--retries"),
        retry_delay_s=seconds(arguments.retry_delay_s, "--retry-delay-s"),
        concurrency_per_model=whole(arguments.concurrency_per_model, "--concurrency-per-model"),
        queue_s=seconds(arguments.queue_s, "--queue-s"),
        session_s=seconds(arguments.session_s, "--session-s"),
        hedge_percentile=whole(arguments.hedge_percentile, "--hedge-percentile"),
    )
    with with_gateway(settings, sources) as gateway:
        made = decoded(call(gateway, "POST", "/api/combos", wish), ComboJson)
    if arguments.json:
        show_json(made)
    else:
        show(f"{made.name} is set: clients ask for it as the model {made.name!r}.")
    return OK


def switch(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Switch a combo on or off."""
    if arguments.state not in _STATES:
        raise Stop(f"a combo is switched on or off, not {arguments.state!r}")
    path = f"/api/combos/{quote(arguments.name, safe='')}/switch"
    with with_gateway(settings, sources) as gateway:
        body = ComboSwitch(_STATES[arguments.state])
        made = decoded(call(gateway, "POST", path, body), ComboJson)
    if arguments.json:
        show_json(made)
    elif made.active:
        show(f"{made.name} is on: clients ask for it as the model {made.name!r}.")
    else:
        show(f"{made.name} is off: it is neither routed to nor listed as a model.")
    return OK


def remove(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Remove a combo."""
    with with_gateway(settings, sources) as gateway:
        call(gateway, "DELETE", f"/api/combos/{quote(arguments.name, safe='')}")
    show(f"Removed {arguments.name}.")
    return OK


def combo_model(text: str) -> ComboModelJson:
    """Give the entry that `target` or `target=weight` means.

    Only digits behind the last = are a weight, as a model's name may hold one itself.
    """
    target, equals, weight = text.rpartition("=")
    if equals and target and weight.isdecimal() and len(weight) <= WEIGHT_DIGITS_MAX:
        return ComboModelJson(target, int(weight))
    return ComboModelJson(text)


def whole(text: str | None, option: str) -> int | None:
    """Give the whole number of an option, None without it."""
    if text is None:
        return None
    if not (text.isdecimal() and len(text) <= NUMBER_DIGITS_MAX):
        raise Stop(f"{option} is a whole number, not {text!r}")
    return int(text)


def seconds(text: str | None, option: str) -> float | None:
    """Give the seconds of an option, None without it."""
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text, re.ASCII):
        raise Stop(f"{option} is a number of seconds such as 2 or 0.5, not {text!r}")
    return float(text)


def _combos(gateway: Client) -> CombosJson:
    return decoded(call(gateway, "GET", "/api/combos"), CombosJson)


def _row(combo: ComboJson) -> tuple[str, ...]:
    state = "active" if combo.active else "inactive"
    models = [_model(one) for one in combo.models] or ["every chat model"]
    return combo.name, combo.strategy, state, listed(models)


def _page(combo: ComboJson) -> str:
    models = combo.models if combo.auto is None else ()
    return fields(
        (
            ("name", combo.name),
            ("id", combo.combo_id),
            ("strategy", combo.strategy),
            ("state", "active" if combo.active else "inactive"),
            ("description", combo.description or NOTHING),
            *_settings(combo),
            *(() if combo.auto is None else terms(combo.auto)),
            *((f"model {place}", _model(one)) for place, one in enumerate(models, start=1)),
        )
    )


def _settings(combo: ComboJson) -> list[tuple[str, str]]:
    """Give the limits that the combo sets itself."""
    found = ((name, getattr(combo, name)) for name in COMBO_SETTINGS)
    return [(name, f"{value:g}") for name, value in found if value is not None]


def _model(one: ComboModelJson) -> str:
    return f"{one.target} (weight {one.weight})" if one.weight else one.target
