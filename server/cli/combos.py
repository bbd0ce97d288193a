"""`omniroute combos`: named lists of models with a strategy."""

from argparse import Namespace
from urllib.parse import quote

from ..management import ComboJson, ComboModelJson, CombosJson, ComboWish
from ..settings import Settings, Sources
from .client import Client, call, decoded, with_gateway
from .exits import OK, Stop
from .output import NOTHING, fields, listed, show, show_json, table

WEIGHT_DIGITS_MAX = 6


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
    )
    with with_gateway(settings, sources) as gateway:
        made = decoded(call(gateway, "POST", "/api/combos", wish), ComboJson)
    if arguments.json:
        show_json(made)
    else:
        show(f"{made.name} is set: clients ask for it as the model {made.name!r}.")
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


def _combos(gateway: Client) -> CombosJson:
    return decoded(call(gateway, "GET", "/api/combos"), CombosJson)


def _row(combo: ComboJson) -> tuple[str, ...]:
    state = "active" if combo.active else "inactive"
    return combo.name, combo.strategy, state, listed([_model(one) for one in combo.models])


def _page(combo: ComboJson) -> str:
    return fields(
        (
            ("name", combo.name),
            ("id", combo.combo_id),
            ("strategy", combo.strategy),
            ("state", "active" if combo.active else "inactive"),
            ("description", combo.description or NOTHING),
            *((f"model {place}", _model(one)) for place, one in enumerate(combo.models, start=1)),
        )
    )


def _model(one: ComboModelJson) -> str:
    return f"{one.target} (weight {one.weight})" if one.weight else one.target
