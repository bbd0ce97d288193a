"""`omniroute lab`: a combo against scripted faults, drawn as a table while it runs."""

import sys
import time
from argparse import Namespace
from collections.abc import Iterator

import msgspec

from ..lab import LabFrame, LabRow
from ..settings import Settings, Sources
from .client import encoded_body, read_whole, refusal, with_gateway
from .exits import OK, Stop
from .output import NOTHING, show, show_json, table
from .simulate import number
from .trials import lines_of

STEP_S_MAX = 60.0
FRAME_S = 0.04
"""How long a frame stays on a terminal, so that an eye can follow."""
BAR_CHARS = 20
LINES_SHOWN = 10
"""How many lines a run prints where there is no terminal to draw on."""


def lab(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Run a combo against faults."""
    requests, seed = number(arguments.requests, "--requests"), number(arguments.seed, "--seed")
    wish: dict[str, object] = {"combo": arguments.name, "faults": arguments.faults}
    if requests is not None:
        wish["requests"] = requests
    if seed is not None:
        wish["seed"] = seed
    with (
        with_gateway(settings, sources) as gateway,
        gateway.open("POST", "/api/lab", encoded_body(wish), timeout_s=STEP_S_MAX) as answer,
    ):
        if answer.status != 200:
            raise refusal(answer.status, read_whole(answer))
        last = _follow(_frames(lines_of(answer.chunks)), quiet=arguments.json)
    if arguments.json:
        show_json(last)
    elif not sys.stdout.isatty():
        show(page(last))
    return OK


def page(frame: LabFrame) -> str:
    """Give the run so far as text."""
    headings = ("  #", "MODEL", "CALLS", "ANSWERED", "SHARE", "STATE", "FAULT NOW", "LAST FAILURE")
    most = max((one.answered for one in frame.models), default=0)
    rows = [_row(place, one, most) for place, one in enumerate(frame.models, start=1)]
    return (
        f"{table(headings, rows, right=('CALLS', 'ANSWERED'))}\n\n"
        f"{frame.number} of {frame.requests} requests: {frame.answered} answered, "
        f"{frame.fallbacks} of them by a fallback, {frame.failed} failed; "
        f"p50 {frame.p50_ms} ms, p95 {frame.p95_ms} ms of the lab's time"
    )


def _row(place: int, one: LabRow, most: int) -> tuple[str, ...]:
    bar = "#" * (round(BAR_CHARS * one.answered / most) if most else 0)
    return (
        f"  {place}",
        one.model,
        str(one.calls),
        str(one.answered),
        bar.ljust(BAR_CHARS),
        one.state,
        one.fault or NOTHING,
        one.last_failure or NOTHING,
    )


def _frames(lines: Iterator[bytes]) -> Iterator[LabFrame]:
    try:
        for line in lines:
            yield msgspec.json.decode(line, type=LabFrame)
    except msgspec.MsgspecError as error:
        raise Stop(f"the gateway's answer was not understood: {error}") from error


def _follow(frames: Iterator[LabFrame], *, quiet: bool) -> LabFrame:
    """Draw each frame over the one before, or print some of them as lines; give the last."""
    last: LabFrame | None = None
    drawn = told = 0
    for frame in frames:
        last = frame
        if quiet:
            continue
        if sys.stdout.isatty():
            text = page(frame)
            up = f"\x1b[{drawn}A\x1b[J" if drawn else ""
            sys.stdout.write(f"{up}{text}\n")
            sys.stdout.flush()
            drawn = text.count("\n") + 1
            time.sleep(FRAME_S)
        elif frame.number * LINES_SHOWN // frame.requests > told:
            told = frame.number * LINES_SHOWN // frame.requests
            show(_line(frame))
    if last is None or last.number < last.requests:
        raise Stop("the gateway broke off the run")
    return last


def _line(frame: LabFrame) -> str:
    faults = [f"{one.model} has {one.fault}" for one in frame.models if one.fault]
    told = f"; {', '.join(faults)}" if faults else ""
    return f"{frame.number}: {frame.answered} answered, {frame.failed} failed{told}"
