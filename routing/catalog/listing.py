"""What can be asked for by name: combos, our own names, and each provider's models."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import RoutingError
from ..model import Account, Candidate, Capability, Combo, Config, ModelFacts
from .names import OWN_NAMES, name_allowed
from .prices import Facts, facts_of
from .providers import provider_named
from .resolve import models_of, resolve

OWNED_BY_COMBO = "combo"
OWNED_BY_US = "omniroute"
CLAUDE = "claude"
"""How names begin that Claude Code's model picker shows, beside "anthropic"."""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One name that a request may carry.

    Attributes:
        model_id: the name as it is asked for.
        owned_by: the provider's name; "combo" or "omniroute" for what is not a provider's.
        facts: what is known of it; of a combo what holds for all its models, and no price.
        simulated: answered by the simulator (of a combo: by nothing else).
    """

    model_id: str
    kind: Literal["combo", "auto", "model"]
    owned_by: str
    facts: ModelFacts
    description: str = ""
    simulated: bool = False
    local: bool = False

    @property
    def bare_name(self) -> str:
        """A model's name without its provider's."""
        bare = self.model_id.partition("/")[2] if self.kind == "model" else ""
        return bare or self.model_id

    def named(self, name: str) -> "ModelRow":
        """Give the same model by another name that leads to it."""
        return replace(self, model_id=name)


def list_models(
    config: Config,
    facts: Facts = facts_of,
    allowed: tuple[str, ...] = (),
    *,
    provider: str | None = None,
    capability: Capability | None = None,
) -> tuple[ModelRow, ...]:
    """Give combos first, then our own names, then the models of every enabled account.

    Args:
        config: the configuration in force.
        facts: what is known of a model.
        allowed: the caller's model patterns; empty allows all.
        provider: only what this provider owns (its name or an alias).
        capability: only what can do this.
    """
    known = None if provider is None else provider_named(provider)
    owner = provider if known is None else known.name
    rows = (*_combos(config, facts), *_own_names(config), *_models(config, facts))
    return tuple(
        row
        for row in rows
        if owner in (None, row.owned_by)
        and (capability is None or capability in row.facts.capabilities)
        and name_allowed(allowed, row.model_id, *_bare_name(row))
    )


def with_claude_names(rows: Sequence[ModelRow]) -> tuple[ModelRow, ...]:
    """Give the rows, and after them Claude models by their bare name.

    Only where that name is free and one provider's: a request for it is then answered by the
    row's own model.
    """
    taken = {row.model_id for row in rows}
    owners: dict[str, set[str]] = {}
    found: dict[str, ModelRow] = {}
    for row in rows:
        name = row.bare_name
        if row.kind == "model" and name.startswith(CLAUDE) and name not in taken:
            owners.setdefault(name, set()).add(row.owned_by)
            found.setdefault(name, row.named(name))
    return (*rows, *(row for name, row in found.items() if len(owners[name]) == 1))


def _combos(config: Config, facts: Facts) -> Iterator[ModelRow]:
    for combo in config.combos:
        row = _combo(config, combo, facts) if combo.active else None
        if row is not None:
            yield row


def _combo(config: Config, combo: Combo, facts: Facts) -> ModelRow | None:
    """Give a combo's row; None when no enabled account serves any of its models."""
    try:
        candidates = resolve(config, combo.name, facts=facts).candidates
    except RoutingError:
        return None
    return ModelRow(
        combo.name,
        "combo",
        OWNED_BY_COMBO,
        _common(candidates),
        combo.description,
        simulated=all(one.simulated for one in candidates),
        local=all(one.local for one in candidates),
    )


def _common(candidates: tuple[Candidate, ...]) -> ModelFacts:
    """Give what holds whichever of the candidates answers; unknown where one is unknown."""
    facts = [one.facts for one in candidates]
    contexts = [one.context_tokens_max for one in facts]
    known = [one for one in contexts if one is not None]
    shared = set(facts[0].capabilities).intersection(*(one.capabilities for one in facts))
    return ModelFacts(
        context_tokens_max=min(known) if len(known) == len(contexts) else None,
        capabilities=tuple(one for one in facts[0].capabilities if one in shared),
        tools=_all_or_unknown([one.tools for one in facts]),
        images=_all_or_unknown([one.images for one in facts]),
    )


def _all_or_unknown(values: list[bool | None]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _own_names(config: Config) -> Iterator[ModelRow]:
    if any(account.enabled for account in config.accounts):
        for name in OWN_NAMES:
            yield ModelRow(name, "auto", OWNED_BY_US, ModelFacts())


def _models(config: Config, facts: Facts) -> Iterator[ModelRow]:
    seen: set[str] = set()
    for account in config.accounts:
        for model in models_of(account) if account.enabled else ():
            name = f"{account.provider}/{model}"
            if name not in seen:
                seen.add(name)
                yield _model(account, name, facts(account.provider, model))


def _model(account: Account, name: str, facts: ModelFacts) -> ModelRow:
    return ModelRow(
        name,
        "model",
        account.provider,
        facts,
        simulated=account.simulated,
        local=account.local,
    )


def _bare_name(row: ModelRow) -> tuple[str, ...]:
    return (row.bare_name,) if row.kind == "model" else ()
