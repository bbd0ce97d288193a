"""`omniroute top`: what the gateway does now, drawn anew every few seconds."""

import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Sequence

from ..call_log_json import LoggedJson
from ..management import StatusJson
from ..management_usage import UsageJson
from ..overview_json import OverviewJson
from ..settings import Settings, Sources
from .client import Client, call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import NOTHING, dollars, duration, fields, one_line, show, show_json, table

EVERY_S_MIN, EVERY_S_MAX = 0.5, 3_600.0
REQUESTS_MAX = 50
ROWS_OF_HEAD = 14
"""Lines that a screen needs beside its requests."""
HIDE, SHOW, HOME, REST = "\x1b[?25l", "\x1b[?25h", "\x1b[H", "\x1b[J"


def top(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Draw what the gateway does, until it is interrupted; once where there is no terminal."""
    every_s = _seconds(arguments.every)
    with with_gateway(settings, sources) as gateway:
        if arguments.json:
            overview, requests = _asked(gateway, arguments.range, REQUESTS_MAX)
            show_json({"overview": overview, "requests": requests})
        elif arguments.once or not sys.stdout.isatty():
            show(_page(gateway, arguments.range, REQUESTS_MAX))
        else:
            _follow(gateway, arguments.range, every_s)
    return OK


def screen(
    status: StatusJson, overview: OverviewJson, requests: Sequence[LoggedJson], now_unix_s: float
) -> str:
    """Give one screen as text."""
    whole = overview.whole
    head = fields(
        [
            ("gateway", f"OmniRoute {status.version}, up for {duration(status.uptime_s)}"),
            ("requests", f"{whole.requests} since {overview.from_}, {_rate(whole)} answered"),
            ("cost", _cost(whole)),
            ("total", _times(whole.latency)),
            ("first token", _times(whole.first_token)),
            ("from caches", f"{whole.cached_requests} requests"),
            ("in the way", _in_way(status)),
        ]
    )
    rows = [_row(one) for one in requests]
    headings = ("AT", "STATUS", "ASKED", "ANSWERED BY", "KEY", "TOKENS", "TIME", "COST")
    listed = table(headings, rows, right=("TOKENS", "TIME", "COST")) if rows else "No request yet."
    at = time.strftime("%H:%M:%S", time.localtime(now_unix_s))
    return f"{head}\n\n{listed}\n\n{at}"


def _follow(gateway: Client, named: str, every_s: float) -> None:
    sys.stdout.write(HIDE)
    try:
        while True:
            size = shutil.get_terminal_size()
            lines = _page(gateway, named, max(1, size.lines - ROWS_OF_HEAD)).splitlines()
            drawn = "\n".join(f"{line[: size.columns]}\x1b[K" for line in lines[: size.lines - 1])
            sys.stdout.write(f"{HOME}{drawn}\n{REST}")
            sys.stdout.flush()
            time.sleep(every_s)
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write(f"{SHOW}\n")
        sys.stdout.flush()


def _page(gateway: Client, named: str, most: int) -> str:
    overview, requests = _asked(gateway, named, most)
    status = decoded(call(gateway, "GET", "/api/status"), StatusJson)
    return screen(status, overview, requests, time.time())


def _asked(gateway: Client, named: str, most: int) -> tuple[OverviewJson, tuple[LoggedJson, ...]]:
    overview = call(gateway, "GET", f"/api/usage/overview?range={named}")
    requests = call(gateway, "GET", f"/api/usage/call-logs?limit={min(most, REQUESTS_MAX)}")
    return decoded(overview, OverviewJson), decoded(requests, tuple[LoggedJson, ...])


def _row(one: LoggedJson) -> tuple[str, ...]:
    tokens = one.tokens
    served = f"{one.provider}/{one.model}" if one.provider and one.model else NOTHING
    return (
        one.timestamp[11:19],
        str(one.status) if one.error is None else f"{one.status} {one.error}",
        one_line(one.requested_model),
        served + (f" +{one.attempts - 1}" if one.attempts > 1 else ""),
        one.api_key_name or one.api_key_id,
        f"{tokens.into}/{tokens.out}",
        duration(one.duration / 1_000),
        dollars(one.cost),
    )


def _rate(whole: UsageJson) -> str:
    return NOTHING if whole.success_rate is None else f"{whole.success_rate:.1%}"


def _cost(whole: UsageJson) -> str:
    if whole.unpriced_requests:
        known = dollars(whole.known_cost)
        return f"{known} and {whole.unpriced_requests} requests whose price is unknown"
    return dollars(whole.known_cost)


def _times(spread: object) -> str:
    p50 = getattr(spread, "p50_ms", None)
    p95 = getattr(spread, "p95_ms", None)
    if p50 is None or p95 is None:
        return NOTHING
    return f"p50 {duration(p50 / 1_000)}, p95 {duration(p95 / 1_000)}"


def _in_way(status: StatusJson) -> str:
    found = [f"{one.provider} {one.model} circuit {one.state.lower()}" for one in status.circuits]
    found += [f"{one.provider} {one.model} rests: {one.reason}" for one in status.cooldowns]
    return "; ".join(found) or "nothing"


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not EVERY_S_MIN <= found <= EVERY_S_MAX:
        raise Stop(f"--every is a number from {EVERY_S_MIN:g} to {EVERY_S_MAX:g} seconds", USAGE)
    return found
