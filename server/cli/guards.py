"""`omniroute guards`: what is looked for in requests and answers, and what is done with it."""

from argparse import Namespace
from typing import get_args

from msgspec import structs

from omniroute.routing.content import ContentRule, ContentRules, Mode

from ..api.guards import PATH, GuardsJson
from ..settings import Settings, Sources
from .client import Client, call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import show, show_json, table

MODES: tuple[Mode, ...] = get_args(Mode)


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show the rules in force."""
    with with_gateway(settings, sources) as gateway:
        found = _found(gateway)
    if arguments.json:
        show_json(found)
    else:
        show(page(found))
    return OK


def put(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Set the rule for all, for a key or for a combo."""
    if arguments.key and arguments.combo:
        raise Stop("give --key or --combo: a rule is of one of them", USAGE)
    rule = ContentRule(
        requests=_mode(arguments.mode),
        answers=_mode(arguments.answers),
        kinds=tuple(arguments.kind or ()),
    )
    with with_gateway(settings, sources) as gateway:
        wanted = _with(_found(gateway).rules, rule, key=arguments.key, combo=arguments.combo)
        made = decoded(call(gateway, "PUT", PATH, wanted), GuardsJson)
    if arguments.json:
        show_json(made)
    else:
        show(page(made))
    return OK


def forget(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Remove the rule of a key or a combo: that for all counts again."""
    if bool(arguments.key) == bool(arguments.combo):
        raise Stop("give --key or --combo", USAGE)
    with with_gateway(settings, sources) as gateway:
        rules = _found(gateway).rules
        kept = structs.replace(
            rules,
            keys={name: one for name, one in rules.keys.items() if name != arguments.key},
            combos={name: one for name, one in rules.combos.items() if name != arguments.combo},
        )
        if kept == rules:
            raise Stop("there is no such rule; `omniroute guards show` lists them")
        made = decoded(call(gateway, "PUT", PATH, kept), GuardsJson)
    if arguments.json:
        show_json(made)
    else:
        show(page(made))
    return OK


def page(found: GuardsJson) -> str:
    """Give the rules as text."""
    rules = found.rules
    rows = [
        _row("every request", rules.everywhere),
        *(_row(f"key {name}", one) for name, one in sorted(rules.keys.items())),
        *(_row(f"combo {name}", one) for name, one in sorted(rules.combos.items())),
    ]
    words = "; ".join(f"{name} finds {', '.join(kinds)}" for name, kinds in found.kinds.items())
    return f"{table(('RULE OF', 'REQUESTS', 'ANSWERS', 'KINDS'), rows)}\n\n{words}"


def _row(name: str, rule: ContentRule) -> tuple[str, ...]:
    return name, rule.requests, rule.answers, ", ".join(rule.kinds) or "all"


def _with(
    rules: ContentRules, rule: ContentRule, *, key: str | None, combo: str | None
) -> ContentRules:
    if key:
        return structs.replace(rules, keys={**rules.keys, key: rule})
    if combo:
        return structs.replace(rules, combos={**rules.combos, combo: rule})
    return structs.replace(rules, everywhere=rule)


def _found(gateway: Client) -> GuardsJson:
    return decoded(call(gateway, "GET", PATH), GuardsJson)


def _mode(text: str) -> Mode:
    for one in MODES:
        if one == text:
            return one
    raise Stop(f"there is no mode {text!r}; there are {', '.join(MODES)}", USAGE)
