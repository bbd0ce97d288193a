"""`omniroute simulate`: who would answer, at which price, and why the others would not."""

from argparse import Namespace

from ..settings import Settings, Sources
from ..simulations import PROMPT_TOKENS, SimulatedJson, SimulateWish, SimulationJson
from .client import call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import NOTHING, dollars, show, show_json, table

NANOS = 1e9


def simulate(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Decide on a request that is not made."""
    wish = _wish(arguments)
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "POST", "/api/simulate", wish), SimulationJson)
    if arguments.json:
        show_json(found)
    else:
        show(page(found))
    return OK


def page(simulation: SimulationJson) -> str:
    """Give the decision as text."""
    how = f"combo, {simulation.strategy}" if simulation.combo else simulation.strategy
    headings = ("  #", "CANDIDATE", "VERDICT", "CHANCE", "EXPECTED", "AT MOST", "WHY")
    parts = [
        f"{simulation.target} ({how}), drawn as {simulation.request_id}",
        table(
            headings,
            [_row(one) for one in simulation.candidates],
            right=("CHANCE", "EXPECTED", "AT MOST"),
        ),
    ]
    if simulation.changes is not None:
        parts.append(_changes(simulation))
    return "\n\n".join(parts)


def number(text: str | None, name: str) -> int | None:
    """Give the number of an option, None when it was not given.

    Raises:
        Stop: it is no number, or a negative one.
    """
    if text is None:
        return None
    if not text.isdecimal():
        raise Stop(f"{name} is a whole number, and {text[:40]!r} is not", USAGE)
    return int(text)


def _wish(arguments: Namespace) -> SimulateWish:
    like, model = arguments.like or "", arguments.model or ""
    if bool(like) == bool(model):
        raise Stop("give a model, or --like with the id of a recorded request", USAGE)
    tokens = number(arguments.prompt_tokens, "--prompt-tokens")
    tokens_max = number(arguments.max_tokens, "--max-tokens")
    chosen = (tokens, tokens_max, arguments.request_id, arguments.session, arguments.mode)
    if like and (arguments.tools or arguments.stream or any(one is not None for one in chosen)):
        raise Stop("--like takes the recorded request as it was: leave the others out", USAGE)
    return SimulateWish(
        model=model,
        prompt_tokens=PROMPT_TOKENS if tokens is None else tokens,
        max_tokens=tokens_max,
        tools=arguments.tools,
        stream=arguments.stream,
        request_id=arguments.request_id or "",
        like=like,
        session=arguments.session or "",
        mode=arguments.mode or "",
    )


def _row(one: SimulatedJson) -> tuple[str, ...]:
    why = one.detail
    if one.score is not None:
        why = f"score {one.score:.4g}" + (f"; {why}" if why else "")
    return (
        "  " + (str(one.place) if one.place else NOTHING),
        one.name,
        "may answer" if one.kept else f"left out: {one.reason}",
        f"{one.first_share:.1%}",
        _cost(one.expected_usd_nanos),
        _cost(one.worst_usd_nanos),
        why or NOTHING,
    )


def _changes(simulation: SimulationJson) -> str:
    if not simulation.changes:
        return "Nothing has changed since it was decided."
    rows = [
        (f"  {one.name}", one.what, one.before or NOTHING, one.now or NOTHING)
        for one in simulation.changes
    ]
    return "Changed since it was decided\n" + table(("  CANDIDATE", "WHAT", "THEN", "NOW"), rows)


def _cost(nanos: int | None) -> str:
    return dollars(None if nanos is None else nanos / NANOS)
