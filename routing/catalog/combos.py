"""Combos: what makes one valid, and the ones that exist on the first start."""

import re
from collections.abc import Iterable, Mapping
from typing import get_args

from ..errors import BadRequest
from ..model import Account, Combo, ComboModel, Config, Strategy
from .autos import check_preference
from .names import OWN_NAMES, check_parts, is_reserved, spelled
from .prices import Facts, facts_of
from .resolve import COMBO_DEPTH_MAX, TARGET_CHARS_MAX, models_of
from .simulated import SIMULATED_PROVIDER

NAME_CHARS_MAX = 100
MODELS_MAX = 100
WEIGHT_MAX = 100
BOUNDS: Mapping[str, tuple[float, float]] = {
    "attempts_max": (1, 10),
    "first_byte_s": (1, 600),
    "total_s": (1, 600),
    "retries": (0, 10),
    "retry_delay_s": (0, 60),
    "concurrency_per_model": (1, 20),
    "queue_s": (1, 120),
    "session_s": (0, 86_400),
    "hedge_percentile": (50, 99),
}
"""The least and the most of each of a combo's own limits.

Source: the bounds of OmniRoute 2.3.10 for maxRetries, retryDelayMs, timeoutMs,
concurrencyPerModel and queueTimeoutMs; session_s is ours.
"""
DESCRIPTION_CHARS_MAX = 1000

STARTER_MODELS_MAX = 8
"""Models of a starter combo."""
_STARTER = "starter-"
"""How the ids of starter combos begin."""

_NAME = re.compile(r"[a-zA-Z0-9_/.-]+")

# In order of preference; a provider without an account is passed over.
_STARTERS: dict[str, tuple[str, Strategy, tuple[str, ...]]] = {
    "fast-coding": (
        "Quick models that write code well, best first.",
        "priority",
        (
            "anthropic/claude-haiku-5-5",
            "cerebras/gpt-oss-120b",
            "groq/openai/gpt-oss-120b",
            "openai/gpt-5.4-mini",
            "gemini/gemini-3.5-flash",
            "xai/grok-code-fast-1",
            "mistral/codestral-latest",
            "deepseek/deepseek-v4-flash",
            "glm/glm-5-turbo",
            "minimax/MiniMax-M2.7-highspeed",
            "kimi/kimi-k2.6",
            f"{SIMULATED_PROVIDER}/fast",
            f"{SIMULATED_PROVIDER}/smart",
        ),
    ),
    "cheap": (
        "Small models, the cheapest for the request first.",
        "cost-optimized",
        (
            "gemini/gemini-2.5-flash-lite",
            "openai/gpt-5.4-nano",
            "groq/openai/gpt-oss-20b",
            "anthropic/claude-haiku-5-5",
            "deepseek/deepseek-v4-flash",
            "mistral/mistral-small-latest",
            "cerebras/gpt-oss-120b",
            "cohere/command-r7b-12-2024",
            "glm/glm-4.5-air",
            "xai/grok-4-fast-reasoning",
            f"{SIMULATED_PROVIDER}/cheap",
            f"{SIMULATED_PROVIDER}/fast",
        ),
    ),
    "quality": (
        "The strongest models, best first.",
        "priority",
        (
            "anthropic/claude-opus-5-5",
            "openai/gpt-5.5",
            "gemini/gemini-3.1-pro-preview",
            "xai/grok-4.3",
            "deepseek/deepseek-v4-pro",
            "kimi/kimi-k2.6",
            "glm/glm-5.2",
            "minimax/MiniMax-M3",
            "mistral/mistral-large-latest",
            "cohere/command-a-03-2025",
            f"{SIMULATED_PROVIDER}/smart",
            f"{SIMULATED_PROVIDER}/fast",
        ),
    ),
}


def validate_combo(combo: Combo, others: Iterable[Combo]) -> None:
    """Check a combo that is about to be stored.

    Args:
        combo: the combo as it will be.
        others: the other combos; one of the same id or name is taken for its older self.

    Raises:
        BadRequest: with the field that is wrong.
    """
    if not (0 < len(combo.name) <= NAME_CHARS_MAX and _NAME.fullmatch(combo.name)):
        raise BadRequest(
            f"a combo's name has 1 to {NAME_CHARS_MAX} characters of a-z, A-Z, 0-9 and _ / . -",
            field="name",
        )
    if is_reserved(combo.name):
        raise BadRequest(f"{combo.name!r} is a name of the gateway's own", field="name")
    check_parts(combo.name)
    if combo.strategy not in get_args(Strategy):
        raise BadRequest(f"strategy is one of {', '.join(get_args(Strategy))}", field="strategy")
    if len(combo.description) > DESCRIPTION_CHARS_MAX:
        raise BadRequest(
            f"a description has at most {DESCRIPTION_CHARS_MAX} characters", field="description"
        )
    if combo.preference is not None:
        check_preference(combo.preference)
    _check_models(combo)
    _check_limits(combo)
    _check_nesting(combo, others)


def starter_combos(config: Config, *, facts: Facts = facts_of) -> tuple[Combo, ...]:
    """Give the combos that documented examples use, of the models that are there.

    Made of the accounts of the preferred providers; models of other accounts (local servers,
    endpoints of the user's own) come after them. The simulator's models are taken only where
    there is no real one. Ids and order are the same for the same accounts.
    """
    accounts = [one for one in config.accounts if one.enabled]
    accounts = [one for one in accounts if not one.simulated] or accounts
    combos = (
        Combo(
            combo_id=f"{_STARTER}{name}",
            name=name,
            models=_starter_models(preferred, accounts, facts),
            strategy=strategy,
            description=description,
        )
        for name, (description, strategy, preferred) in _STARTERS.items()
    )
    return tuple(combo for combo in combos if combo.models)


def is_starter(combo_id: str) -> bool:
    """Whether a combo's id is that of a starter combo, which is stored only while it is off."""
    return combo_id.startswith(_STARTER)


def _starter_models(
    preferred: Iterable[str], accounts: list[Account], facts: Facts
) -> tuple[ComboModel, ...]:
    served = {f"{one.provider}/{model}": one for one in accounts for model in models_of(one)}
    chosen = [target for target in preferred if target in served]
    taken = {served[target].provider for target in chosen}
    for account in accounts:
        chats = (
            model
            for model in models_of(account)
            if "chat" in facts(account.provider, model).capabilities
        )
        model = next(chats, None)
        if account.provider not in taken and model is not None:
            taken.add(account.provider)
            chosen.append(f"{account.provider}/{model}")
    return tuple(ComboModel(target) for target in chosen[:STARTER_MODELS_MAX])


def _check_models(combo: Combo) -> None:
    least = 1 if combo.preference is None else 0
    if not least <= len(combo.models) <= MODELS_MAX:
        raise BadRequest(f"a combo has 1 to {MODELS_MAX} models", field="models")
    for place, entry in enumerate(combo.models):
        field = f"models[{place}]"
        if not 0 < len(entry.target) <= TARGET_CHARS_MAX or not entry.target.isprintable():
            raise BadRequest(
                f"a model's name has 1 to {TARGET_CHARS_MAX} printable characters", field=field
            )
        if spelled(entry.target) in OWN_NAMES:
            raise BadRequest(
                f"{entry.target!r} chooses among all models and cannot be part of a combo",
                field=field,
            )
        if not 0 <= entry.weight <= WEIGHT_MAX:
            raise BadRequest(f"a weight is 0 to {WEIGHT_MAX}", field=f"{field}.weight")


def _check_limits(combo: Combo) -> None:
    for field, (least, most) in BOUNDS.items():
        value: float | None = getattr(combo, field)
        # Written so that NaN is refused too.
        if value is not None and not least <= value <= most:
            unit = " seconds" if field.endswith("_s") else ""
            raise BadRequest(f"{field} is {least:g} to {most:g}{unit}", field=field)


def _check_nesting(combo: Combo, others: Iterable[Combo]) -> None:
    """Refuse a combo that would contain itself, or be part of too deep a nest."""
    combos = {one.name: one for one in others if one.combo_id != combo.combo_id}
    combos[combo.name] = combo
    children: dict[str, set[str]] = {name: set() for name in combos}
    parents: dict[str, set[str]] = {name: set() for name in combos}
    for one in combos.values():
        for entry in one.models:
            name = spelled(entry.target)
            if name in combos:
                children[one.name].add(name)
                parents[name].add(one.name)
    depth = _levels(combo.name, parents) + 1 + _levels(combo.name, children)
    if depth > COMBO_DEPTH_MAX:
        raise BadRequest(
            f"combos nest at most {COMBO_DEPTH_MAX} deep, and {combo.name!r} would make it "
            f"{depth} or more",
            field="models",
        )


def _levels(start: str, links: Mapping[str, set[str]]) -> int:
    """Give how many levels of combos lie beyond one; no more are walked than may be.

    Raises:
        BadRequest: the way leads back to the start.
    """
    names, depth = {start}, 0
    while depth < COMBO_DEPTH_MAX:
        names = {further for name in names for further in links[name]}
        if start in names:
            raise BadRequest(f"combo {start!r} would contain itself", field="models")
        if not names:
            break
        depth += 1
    return depth
