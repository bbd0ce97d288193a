"""`omniroute combos test`: which models of a combo answer, how fast and for how much."""

from argparse import Namespace
from collections.abc import Iterable, Iterator
from urllib.parse import quote

import msgspec

from omniroute.routing.trials import TRIAL_S_MAX, Trial

from ..settings import Settings, Sources
from .audit import progress
from .client import Client, encoded_body, read_whole, refusal, with_gateway
from .exits import OK, UNAVAILABLE, Stop
from .output import NOTHING, dollars, duration, show, show_json, table

SLACK_S = 10.0
"""What a gateway may take beyond a trial's own time."""
LINE_BYTES_MAX = 2**20
NANOS = 1e9


def test(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Call each model of a combo; the status is 69 when one did not answer."""
    with with_gateway(settings, sources) as gateway:
        trials = _trials(gateway, arguments.name, arguments.prompt)
    if arguments.json:
        show_json(trials)
    else:
        headings = ("MODEL", "ANSWER", "FIRST WORD", "IN ALL", "COST", "WHAT IT SAID, OR WHY NOT")
        right = ("FIRST WORD", "IN ALL", "COST")
        show(table(headings, [_row(one) for one in trials], right=right))
    return OK if all(one.ok for one in trials) else UNAVAILABLE


def _trials(gateway: Client, name: str, prompt: str | None) -> list[Trial]:
    """Give the trials in the combo's order, and show meanwhile how many are done."""
    path = f"/api/combos/{quote(name, safe='')}/test"
    body = encoded_body({} if prompt is None else {"prompt": prompt})
    with gateway.open("POST", path, body, timeout_s=TRIAL_S_MAX + SLACK_S) as answer:
        if answer.status != 200:
            raise refusal(answer.status, read_whole(answer))
        lines = lines_of(answer.chunks)
        try:
            models = msgspec.json.decode(next(lines, b""), type=tuple[str, ...])
            found: dict[str, Trial] = {}
            progress(f"0 of {len(models)} have answered")
            for line in lines:
                trial = msgspec.json.decode(line, type=Trial)
                found[trial.model] = trial
                progress(f"{len(found)} of {len(models)} have answered, {trial.model} at last")
        except msgspec.MsgspecError as error:
            raise Stop(f"the gateway's answer was not understood: {error}") from error
        finally:
            progress("")
    if len(found) < len(models):
        raise Stop("the gateway broke off before every model was tried", UNAVAILABLE)
    return [found[model] for model in models]


def lines_of(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Give each line of a body as it comes.

    Raises:
        Stop: a line is longer than LINE_BYTES_MAX.
    """
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        if len(rest) > LINE_BYTES_MAX:
            raise Stop("the gateway sent a line that is too long", UNAVAILABLE)
        yield from lines


def _row(one: Trial) -> tuple[str, ...]:
    first = NOTHING if one.first_content_s is None else duration(one.first_content_s)
    cost = dollars(None if one.cost_usd_nanos is None else one.cost_usd_nanos / NANOS)
    said = one.answer.strip() if one.ok else one.error
    return one.model, "yes" if one.ok else "NO", first, duration(one.total_s), cost, said or NOTHING
