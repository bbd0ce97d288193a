"""One of eight providers becomes five times slower: what that does to everybody's waiting.

    make bench            python -m benchmarks.brownout [--seconds 60] [--seed 1]

The same arrivals and the same lengths of work for every policy, in virtual time: nothing
sleeps, and a seed gives the same figures on every run. What decides, counts, hedges and calls is
the gateway's own engine; only the providers are simulated: HOSTS of them with SLOTS each, a
queue before the slots, and times that are lognormal around a second. Arrivals are a Poisson
process at LOAD of what all can do. Half of a run is calm, then one host is SLOWER times slower.

The goal: the p99 of a brown-out at most P99_RATIO_MAX that of the calm, for at most
EXTRA_CALLS_MAX more calls than requests. Source: Dean and Barroso, "The Tail at Scale" (2013).
"""

import argparse
import asyncio
import math
import random
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from omniroute.routing.access import expand_scopes
from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.engine import Engine
from omniroute.routing.errors import RoutingError, UpstreamFailure
from omniroute.routing.health.book import HealthBook
from omniroute.routing.model import (
    Call,
    Caller,
    Combo,
    Config,
    Features,
    Operation,
    Piece,
    RouteRequest,
)
from omniroute.routing.prepare import Preparer
from tests.fakes import FakeConfigs, MemoryBudgets, MemoryLedger, account, combo
from tests.virtual import run

HOSTS, SLOTS, LOAD, SLOWER = 8, 25, 0.6, 5.0
HEDGE_PERCENTILE = 97
MEDIAN_S, SIGMA = 1.0, 0.6
P99_RATIO_MAX, EXTRA_CALLS_MAX = 1.2, 0.06

HEDGED = "p2c, hedged"
FEATURES = Features(stream=True, input_tokens=100, input_tokens_max=400, output_tokens_max=100)
POLICIES: Mapping[str, dict[str, object]] = {
    "classic-6f": {},
    "round-robin": {"strategy": "round-robin"},
    "p2c": {"strategy": "p2c"},
    HEDGED: {"strategy": "p2c", "hedge_percentile": HEDGE_PERCENTILE},
}
"""What is compared, and the settings of its combo; the six factors are asked for by name."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one phase of a run came to."""

    requests: int
    p50_s: float
    p95_s: float
    p99_s: float
    failed: int
    calls: int
    slow_calls: int

    @property
    def extra(self) -> float:
        """The calls that were made beyond one for each request, as a share of them."""
        return self.calls / self.requests - 1


@dataclass
class LoopClock:
    """The loop's time."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    def unix(self) -> float:
        return self.now()


@dataclass
class Hosts:
    """The providers: each call waits for a slot, then as long as its work takes."""

    seed: int
    slow_from_s: float
    calls: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    slots: list[asyncio.Semaphore] = field(
        default_factory=lambda: [asyncio.Semaphore(SLOTS) for _ in range(HOSTS)]
    )

    async def open(self, call: Call) -> "Whole":
        host = int(call.candidate.provider.removeprefix("host"))
        now = asyncio.get_running_loop().time()
        self.calls.append((now, host))
        # A hedge at another host does the same request anew: its work is another draw.
        drawn = random.Random(f"{self.seed}|{call.request_id}|{host}")
        work_s = drawn.lognormvariate(math.log(MEDIAN_S), SIGMA)
        try:
            async with asyncio.timeout(call.limits.first_byte_s), self.slots[host]:
                now = asyncio.get_running_loop().time()
                is_slow = host == 0 and now >= self.slow_from_s
                await asyncio.sleep(work_s * (SLOWER if is_slow else 1.0))
        except TimeoutError as error:
            raise UpstreamFailure("no first byte", kind="timeout_first_byte") from error
        return Whole()


class Whole:
    """An answer that is all there."""

    headers: Mapping[bytes, bytes] = {}
    dropped: tuple[str, ...] = ()
    pour = None

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[Piece]:
        yield Piece(b"", Delta(text="hello"))
        yield Piece(b"", Delta(finish="stop", usage=Usage(100, 1), ended=True))

    def close(self) -> None:
        """Do nothing: the slot is free since the work was done."""


def simulate(policy: str, *, seconds: float, seed: int) -> tuple[Figures, Figures]:
    """Give the figures of the calm and of the brown-out, each `seconds` long."""
    waits: list[tuple[float, float | None]] = []
    hosts: list[Hosts] = []

    async def work() -> None:
        hosts.append(Hosts(seed, slow_from_s=seconds))
        engine = _engine(policy, hosts[0])
        target = "auto/classic" if policy == "classic-6f" else "mix"
        async with asyncio.TaskGroup() as requests:
            drawn, number = random.Random(seed), 0
            loop = asyncio.get_running_loop()
            while loop.time() < 2 * seconds:
                requests.create_task(_ask(engine, f"req_{seed}_{number}", target, waits))
                number += 1
                await asyncio.sleep(drawn.expovariate(_arrivals_per_s()))

    run(work())
    calls = hosts[0].calls
    return (
        _figures(waits, calls, 0.0, seconds),
        _figures(waits, calls, seconds, 2 * seconds),
    )


def _engine(policy: str, hosts: Hosts) -> Engine:
    accounts = tuple(account(f"host{number}") for number in range(HOSTS))
    combos: tuple[Combo, ...] = ()
    if POLICIES[policy]:
        targets = [f"{one.provider}/m" for one in accounts]
        combos = (combo("mix", *targets, **POLICIES[policy]),)
    health = HealthBook()
    return Engine(
        configs=FakeConfigs(Config(1, accounts, combos)),
        preparer=Preparer(health),
        upstream=hosts,
        ledger=MemoryLedger(),
        budgets=MemoryBudgets(),
        health=health,
        clock=LoopClock(),
    )


async def _ask(
    engine: Engine, request_id: str, target: str, waits: list[tuple[float, float | None]]
) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    operation = Operation("chat", "openai_chat", b"{}", FEATURES, target, forward=False)
    try:
        reply = await engine.open(RouteRequest(request_id, target, operation, began_s), CALLER)
        async for _ in reply:
            pass
        reply.close()
    except RoutingError:
        waits.append((began_s, None))
    else:
        waits.append((began_s, loop.time() - began_s))


CALLER = Caller("bench", expand_scopes(["write:route"]))


def _arrivals_per_s() -> float:
    return LOAD * HOSTS * SLOTS / (MEDIAN_S * math.exp(SIGMA**2 / 2))


def _figures(
    waits: Sequence[tuple[float, float | None]],
    calls: Sequence[tuple[float, int]],
    from_s: float,
    until_s: float,
) -> Figures:
    all_of = [took for began, took in waits if from_s <= began < until_s]
    good = sorted(took for took in all_of if took is not None)
    made = [host for at, host in calls if from_s <= at < until_s]
    p50, p95, p99 = (good[math.ceil(len(good) * share) - 1] for share in (0.5, 0.95, 0.99))
    return Figures(len(all_of), p50, p95, p99, len(all_of) - len(good), len(made), made.count(0))


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate and print a table; with `--check` give 1 when the hedged policy misses the goal."""
    parser = argparse.ArgumentParser(description="A brown-out, simulated.")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each phase")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policy", action="append", choices=[*POLICIES], help="only this one")
    parser.add_argument("--check", action="store_true", help="fail when the goal is missed")
    wish = parser.parse_args(arguments)
    print(
        f"a brown-out of 1 of {HOSTS} hosts, {SLOWER:g} times slower, at {LOAD:.0%} load, "
        f"{_arrivals_per_s():.0f} requests/s, {wish.seconds:g} s calm and as long slow, "
        f"seed {wish.seed}"
    )
    print(
        f"  {'policy':<12} {'calm p50':>9} {'p99':>8} {'slow p50':>10} {'p95':>8} {'p99':>8}"
        f" {'p99 ratio':>10} {'extra calls':>12} {'to the slow one':>16} {'failed':>7}"
    )
    missed = False
    for policy in wish.policy or POLICIES:
        calm, slow = simulate(policy, seconds=wish.seconds, seed=wish.seed)
        ratio = slow.p99_s / calm.p99_s
        print(
            f"  {policy:<12} {calm.p50_s:7.2f} s {calm.p99_s:6.2f} s {slow.p50_s:8.2f} s "
            f"{slow.p95_s:6.2f} s {slow.p99_s:6.2f} s {ratio:10.2f} {slow.extra:12.1%} "
            f"{slow.slow_calls / slow.calls:16.1%} {slow.failed:7}"
        )
        if policy == HEDGED:
            missed = ratio > P99_RATIO_MAX or slow.extra > EXTRA_CALLS_MAX
    return int(wish.check and missed)


if __name__ == "__main__":
    raise SystemExit(main())
