"""`omniroute fitness`: how fit models are for a kind of task, by you and by experience."""

import re
from argparse import Namespace
from urllib.parse import quote, urlencode

from ..fitness_json import FitnessJson, LearnedJson, RuleJson
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK, Stop
from .output import NOTHING, show, show_json, table

RULES = ("PATTERN", "KIND", "FITNESS")
LEARNED = ("MODEL", "FAMILY", "GOOD", "BAD", "RELIABILITY", "TOKENS", "TOKENS/S")


def show_all(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Show the rules, and what was learned."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", "/api/fitness"), FitnessJson)
    if arguments.json:
        show_json(found)
        return OK
    if found.rules:
        rows = [(one.pattern, one.kind or "every kind", f"{one.fitness:g}") for one in found.rules]
        show(table(RULES, rows, right=("FITNESS",)))
    else:
        show("There are no rules: the tables speak. `omniroute fitness set` makes one.")
    if found.learned:
        speeds = {one.model: 1e6 / one.token_us for one in found.speeds}
        shown = [_learned(one, speeds.get(one.model)) for one in found.learned]
        show("\n" + table(LEARNED, shown, right=LEARNED[2:]))
    return OK


def put(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Set a rule, or replace the one of its pattern and kind."""
    if not re.fullmatch(r"\d?(\.\d{1,6})?", arguments.value, re.ASCII) or not arguments.value:
        raise Stop(f"fitness is a number from 0 to 1 such as 0.9, not {arguments.value!r}")
    wish = RuleJson(arguments.pattern, float(arguments.value), arguments.kind)
    with with_gateway(settings, sources) as gateway:
        made = decoded(call(gateway, "PUT", "/api/fitness", wish), RuleJson)
    if arguments.json:
        show_json(made)
    else:
        of_kind = made.kind or "every kind of task"
        show(f"{made.pattern} is {made.fitness:g} fit for {of_kind}.")
    return OK


def remove(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Remove a rule."""
    query = f"?{urlencode({'kind': arguments.kind})}" if arguments.kind else ""
    with with_gateway(settings, sources) as gateway:
        call(gateway, "DELETE", f"/api/fitness/{quote(arguments.pattern, safe='')}{query}")
    show(f"Removed the rule for {arguments.pattern}.")
    return OK


def _learned(one: LearnedJson, tokens_per_s: float | None) -> tuple[str, ...]:
    return (
        one.model,
        one.family,
        str(one.good),
        str(one.bad),
        f"{one.reliability:.2f}",
        NOTHING if one.output_tokens is None else str(one.output_tokens),
        NOTHING if tokens_per_s is None else f"{tokens_per_s:.0f}",
    )
