"""What the dashboard costs: pages over many requests, and the hot path while pages are open.

    python -m benchmarks.pages [--requests 100000] [--rounds 40] [--pages 10] [--pairs 6]

As many requests as asked for are put on record over seven days, and each page is asked for in
turn, the first time apart from the others: then Overview reads what it keeps. After that the CPU
of a request on the hot path is measured with no page open and with as many as asked for that
listen to Live, in turns; the median of the pairs counts.
"""

import argparse
import json
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.cases import Case, body_of
from benchmarks.machine import cores, cpu_ns, settled_cpu_ns
from benchmarks.programs import Programs, programs, run_load
from benchmarks.targets import Target, gateway, upstream

WAIT_S = 60.0
SPAN_S = 7 * 86_400
CASE = Case("pages", "whole", 16, 800, "16 connections, whole answers of 1 KB")
ANSWER_MS_MAX = 150.0
"""What 95 % of the answers may take at most."""
OTHERS = (
    *("combos", "providers", "providers/simulator", "keys", "mcp", "a2a", "playground"),
    *("translate", "setup", "setup/claude-code", "health", "audit", "settings", "sessions"),
)
"""Pages beside those of the requests themselves."""
_FILL = """
INSERT INTO outcomes (request_id, key_id, door, at_unix_s, kind, target, combo, stream, status,
  error, error_detail, provider, account_id, model, simulated, attempts, first_content_s, total_s,
  input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens,
  usage_source, cost_usd_nanos, reserved_usd_nanos, tried, request)
WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :number)
SELECT printf('req_fill_%09d', i), 'key-' || (i % 6), 'v1', :since + i * (:span * 1.0 / :number),
  'chat', 'model-' || (i % 20), CASE WHEN i % 3 THEN 'combo-' || (i % 4) END, i % 2,
  CASE WHEN i % 50 THEN 'answered' ELSE 'failed' END, CASE WHEN i % 50 = 0 THEN 'provider_error'
  END, '', CASE WHEN i % 50 THEN 'provider-' || (i % 5) END, 'account', CASE WHEN i % 50 THEN
  'model-' || (i % 20) END, 0, 1 + (i % 15 = 0), 0.1 + ((i * 7919) % 1000) / 1000.0,
  0.5 + ((i * 104729) % 10000) / 1000.0, 900, 80, CASE WHEN i % 4 = 0 THEN 300 ELSE 0 END, 0, 0,
  'reported', CASE WHEN i % 30 THEN 1200000 END, 0, '[]', '{}'
FROM n
"""


def fill(database: Path, number: int) -> None:
    """Put so many requests on record, up to now."""
    with closing(sqlite3.connect(database, timeout=WAIT_S)) as connection, connection:
        since = time.time() - SPAN_S
        connection.execute(_FILL, {"number": number, "since": since, "span": SPAN_S})


def took_ms(target: Target, path: str) -> tuple[float, int]:
    """Give how long a page took, and how many bytes it has."""
    with closing(HTTPConnection("127.0.0.1", target.port, timeout=WAIT_S)) as http:
        began = time.perf_counter()
        http.request("GET", path, headers={"authorization": f"Bearer {target.key}"})
        answer = http.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path} was answered with {answer.status}: {body[:300]!r}")
        return (time.perf_counter() - began) * 1_000, len(body)


@contextmanager
def listening(target: Target, number: int) -> Iterator[None]:
    """Have so many pages open that listen to Live."""
    with ExitStack() as opened:
        for _ in range(number):
            http = opened.enter_context(
                closing(HTTPConnection("127.0.0.1", target.port, timeout=WAIT_S))
            )
            headers = {"authorization": f"Bearer {target.key}"}
            http.request("GET", "/dashboard/live/events", headers=headers)
            answer = http.getresponse()
            answer.readline()
            reader = threading.Thread(target=_drained, args=(http,), daemon=True)
            reader.start()
        yield


def _drained(http: HTTPConnection) -> None:
    """Read what comes, until the connection is closed."""
    try:
        while http.sock is not None and http.sock.recv(65_536):
            pass
    except (OSError, AttributeError):
        # Its page was closed meanwhile.
        return


def cpu_us(target: Target, load: tuple[str, ...], core: int) -> float:
    """Give the CPU that the gateway takes for a request."""
    assert target.process is not None
    before = cpu_ns(target.process)
    figures = run_load(list(load), core)
    if figures["errors"]:
        raise SystemExit(f"{figures['errors']:.0f} requests failed")
    return (settled_cpu_ns(target.process) - before) / 1_000 / figures["requests"]


def administrator(folder: Path) -> str:
    """Give the token of the gateway's own command line."""
    told = json.loads((folder / "data/runtime/gateway.json").read_text())
    return str(told["token"])


def pages(target: Target, rounds: int) -> bool:
    """Tell what each page takes; whether 95 % of the answers came in time."""
    (newest,) = _listed(target, 1)
    paths = (
        *("/dashboard?range=7d", "/dashboard?range=1d", "/dashboard?range=7d&key=key-1"),
        *("/dashboard/requests", "/dashboard/requests?status=error", "/dashboard/live"),
        f"/dashboard/requests/{newest}",
        *(f"/dashboard/{one}" for one in OTHERS),
    )
    is_good = True
    for path in paths:
        first, size = took_ms(target, path)
        assert target.process is not None
        before = cpu_ns(target.process)
        others = [took_ms(target, path) for _ in range(rounds)]
        cpu_ms = (settled_cpu_ns(target.process) - before) / 1e6 / rounds
        ordered = sorted(one for one, _ in others)
        p95 = ordered[(len(ordered) * 95 + 99) // 100 - 1]
        is_good &= p95 <= ANSWER_MS_MAX
        print(
            f"{path.replace(newest, '...'):34} first {first:6.0f} ms, then p50 "
            f"{statistics.median(ordered):5.0f} ms, p95 {p95:5.0f} ms, CPU {cpu_ms:4.0f} ms, "
            f"{size / 1_000:5.1f} KB"
        )
    return is_good


def _listed(target: Target, number: int) -> list[str]:
    with closing(HTTPConnection("127.0.0.1", target.port, timeout=WAIT_S)) as http:
        headers = {"authorization": f"Bearer {target.key}"}
        http.request("GET", f"/api/requests?limit={number}", headers=headers)
        told = json.loads(http.getresponse().read())
    return [one["request_id"] for one in told["requests"]]


def beside(target: Target, admin: Target, made: Programs, options: argparse.Namespace) -> float:
    """Tell what a request takes with and without pages open; gives how many times as much."""
    _, other = cores()
    with tempfile.NamedTemporaryFile(suffix=".json") as body:
        body.write(body_of(CASE, target.model))
        body.flush()
        words = (str(target.port), CASE.path, str(CASE.connections), str(CASE.requests))
        load = (*made.load, *words, body.name, target.key)
        cpu_us(target, load, other)
        pairs: list[tuple[float, float]] = []
        for _ in range(options.pairs):
            closed = cpu_us(target, load, other)
            with listening(admin, options.pages):
                pairs.append((closed, cpu_us(target, load, other)))
    closed, opened = (statistics.median(part) for part in zip(*pairs, strict=True))
    ratio = statistics.median(one / other for other, one in pairs)
    print(
        f"CPU a request: {closed:.0f} us with no page open, {opened:.0f} us with "
        f"{options.pages} that listen: {ratio:.2f} times"
    )
    return ratio


def main() -> int:
    """Measure, tell, and give an exit status."""
    parser = argparse.ArgumentParser(prog="benchmarks.pages")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--pages", type=int, default=10)
    parser.add_argument("--pairs", type=int, default=6)
    options = parser.parse_args()
    own, other = cores()
    made = programs()
    with tempfile.TemporaryDirectory(prefix="omniroute-pages-") as name, ExitStack() as opened:
        folder = Path(name) / "gateway"
        provider = opened.enter_context(upstream(made, other))
        target = opened.enter_context(gateway(folder, provider, own))
        admin = Target("dashboard", target.port, target.process, key=administrator(folder))
        fill(folder / "data/storage.sqlite", options.requests)
        print(f"{options.requests} requests on record")
        is_good = pages(admin, options.rounds)
        beside(target, admin, made, options)
    return 0 if is_good else 1


if __name__ == "__main__":
    raise SystemExit(main())
