"""What to say to a name that nobody serves: what stood in the way, and what to do.

The likely reasons, most telling first: the provider is known and has no key, its accounts
are switched off or serve other models, a combo of that name is switched off, or the name is
misspelt.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

from ..errors import ModelNotFound
from ..model import Account, Combo, Config
from .providers import Provider, provider_named

CLOSE_NAMES_MAX = 5
NAMES_COMPARED_MAX = 400
"""Comparing takes time, and anybody can ask for a name that does not exist."""
NAME_CHARS_COMPARED_MAX = 80
MODELS_SHOWN_MAX = 5


def not_found(config: Config, name: str, known_names: Iterable[str]) -> ModelNotFound:
    """Give the error for a name that is no combo's, no model's and none of ours."""
    close = _close(name, islice(known_names, NAMES_COMPARED_MAX))
    similar = f"; similar: {', '.join(close)}" if close else ""
    return ModelNotFound(f"no model is named {name!r}: {_reason(config, name)}{similar}")


def unknown_entry(name: str, known_names: Iterable[str]) -> str:
    """Give what to say of an entry of an auto's pool that nothing goes by."""
    close = _close(name, islice(known_names, NAMES_COMPARED_MAX))
    similar = f"; similar: {', '.join(close)}" if close else ""
    return f"{name!r} is no provider, account, model or combo{similar}"


def nothing_for_auto(config: Config) -> ModelNotFound:
    """Give the error for `auto` where no account is known to serve a chat model."""
    return ModelNotFound(
        f"`auto` has nothing to choose from: none of the {len(config.accounts)} accounts is "
        "known to serve a chat model; add a provider's key with `omniroute providers add`, or "
        "name an account's models"
    )


def no_combo_model(combo: Combo) -> ModelNotFound:
    """Give the error for a combo of whose models none has an account."""
    names = ", ".join(entry.target for entry in combo.models[:MODELS_SHOWN_MAX]) or "any"
    more = ", ..." if len(combo.models) > MODELS_SHOWN_MAX else ""
    return ModelNotFound(
        f"combo {combo.name!r} has no model that an enabled account serves ({names}{more}); add "
        "a provider with `omniroute providers add`, or change the combo"
    )


def _reason(config: Config, name: str) -> str:
    if any(combo.name == name for combo in config.combos):
        return f"the combo is switched off, `omniroute combos switch {name} on` switches it on"
    prefix, slash, _ = name.partition("/")
    if not (prefix and slash):
        return "list what there is with GET /v1/models"
    provider = provider_named(prefix)
    label = provider.name if provider is not None else prefix
    accounts = [one for one in config.accounts if label in (one.provider, one.name)]
    if accounts:
        return _reason_of_accounts(label, accounts)
    if provider is not None:
        return _how_to_add(provider)
    return "list what there is with GET /v1/models"


def _reason_of_accounts(label: str, accounts: list[Account]) -> str:
    enabled = [one for one in accounts if one.enabled]
    if not enabled:
        return f"all accounts of {label} are switched off"
    models = list(dict.fromkeys(model for one in enabled for model in one.models))
    if not models:
        return f"name one of the models of {label} after the slash"
    more = ", ..." if len(models) > MODELS_SHOWN_MAX else ""
    return f"{label} serves {', '.join(models[:MODELS_SHOWN_MAX])}{more}"


def _how_to_add(provider: Provider) -> str:
    command = f"run `omniroute providers add {provider.name}"
    if provider.local:
        where = provider.base_url
        return f"no {provider.title} server is known; start it at {where}, or {command}`"
    if not provider.key_variables:
        return f"no key for {provider.title} is known; {command}`"
    variable = provider.key_variables[0]
    if provider.broad_key:
        return f"no key for {provider.title} is known; {command} --key-from {variable}`"
    return f"no key for {provider.title} is known; set {variable}, or {command}`"


def _close(name: str, known_names: Iterable[str]) -> list[str]:
    """Give known names that look alike; a bare name is compared with the models' bare names."""
    asked = name.lower()[:NAME_CHARS_COMPARED_MAX]
    known: dict[str, str] = {}
    for one in known_names:
        known.setdefault(one.lower(), one)
        if "/" not in asked:
            known.setdefault(one.lower().partition("/")[2] or one.lower(), one)
    close = get_close_matches(asked, known, n=CLOSE_NAMES_MAX)
    return list(dict.fromkeys(known[one] for one in close))
