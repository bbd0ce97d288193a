"""Who has to wait before trying to sign in again.

Failures are counted for each address and in total, in the database, so that neither several
processes nor several addresses give more tries. An attempt is counted before it is judged: of
many at the same moment only so many are judged at all. The first FREE of an address cost
nothing, then it has to wait, and twice as long each time, up to 15 minutes. In total many more
are free and the wait is a minute at most, as it stands in the way of others; this machine is
not in the total. What is counted is forgotten FORGET_S after the last failure, and an address
that signs in has failed nothing.

An address of version 6 stands for its network of 64 bits, which one subscriber has.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from omniroute.routing.ports import Clock

from .changes import Changes, Told
from .database import Database, Statement, Steps

TOTAL = "all"
FORGET_S = 3600.0
PRUNED_MAX = 500
NETWORK_BITS = 64


@dataclass(frozen=True, slots=True)
class Terms:
    """How failures become waits."""

    free: int
    first_s: float
    most_s: float

    def wait_s(self, failures: int) -> float:
        """Give how long to wait after so many failures."""
        if failures < self.free:
            return 0.0
        doublings = min(failures - self.free, 30)
        return min(self.first_s * 2.0**doublings, self.most_s)


OF_ONE = Terms(free=5, first_s=30.0, most_s=900.0)
OF_ALL = Terms(free=50, first_s=1.0, most_s=60.0)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that was counted.

    Attributes:
        wait_s: how long to wait until it may be made; 0 is at once, and only then it counts.
        locks: whether its failure makes its address, or all, wait for the first time.
        lock_s: for how long.
        in_total: whether it was counted there, too.
    """

    source: str
    wait_s: float = 0.0
    locks: tuple[str, ...] = ()
    lock_s: float = 0.0
    in_total: bool = False


class Locks:
    """Failures, in the database."""

    def __init__(self, database: Database, changes: Changes, clock: Clock) -> None:
        self._database = database
        self._changes = changes
        self._clock = clock

    async def attempt(self, address: str, *, is_here: bool) -> Attempt:
        """Count an attempt, or say how long to wait.

        Args:
            address: where it comes from.
            is_here: whether that is this machine.
        """
        source, now = source_of(address), self._clock.unix()
        sources = ((source, OF_ONE),) if is_here else ((source, OF_ONE), (TOTAL, OF_ALL))

        def steps() -> Steps[Attempt]:
            locks: list[str] = []
            lock_s = 0.0
            for name, terms in sources:
                (row,) = yield Statement(_COUNT, (name, now, now - FORGET_S))
                if row["until_unix_s"] > now:
                    raise _Wait(float(row["until_unix_s"]) - now)
                failures = int(row["failures"])
                wait_s = terms.wait_s(failures)
                if wait_s:
                    yield Statement(_LOCK, (name, now + wait_s))
                if failures == terms.free:
                    locks.append(name)
                lock_s = max(lock_s, wait_s)
            return Attempt(source, 0.0, tuple(locks), lock_s, in_total=not is_here)

        try:
            return await self._database.write(steps)
        except _Wait as wait:
            return Attempt(source, wait.seconds)

    async def failed(self, attempt: Attempt) -> None:
        """Put on record that an attempt locks its address, or all; the others are only counted."""
        for name in attempt.locks:
            facts = {"wait_s": attempt.lock_s}
            await self._changes.note(Told("dashboard", "dashboard.lock", name, facts))

    async def succeeded(self, attempt: Attempt) -> None:
        """Forget the failures of an address that has signed in."""

        def steps() -> Steps[None]:
            yield Statement(_FORGET, (attempt.source,))
            if attempt.in_total:
                yield Statement(_TAKE_BACK, (TOTAL,))

        await self._database.write(steps)

    async def prune(self, *, now_unix_s: float) -> int:
        """Remove what is forgotten, PRUNED_MAX at most; give how many."""
        asked = (now_unix_s - FORGET_S, now_unix_s, PRUNED_MAX)
        return len(await self._database.write(Statement(_PRUNE, asked)))


class _Wait(Exception):
    """It is too early; nothing is counted."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def source_of(address: str) -> str:
    """Give what failures of an address are counted under."""
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    mapped = getattr(found, "ipv4_mapped", None)
    found = mapped or found
    if found.version == 4:
        return str(found)
    return str(ip_network((found.packed, NETWORK_BITS), strict=False))


_COUNT = (
    "INSERT INTO sign_in_failures (source, failures, last_unix_s, until_unix_s) "
    "VALUES ($1, 1, $2, 0) ON CONFLICT (source) DO UPDATE SET "
    "failures = CASE WHEN sign_in_failures.last_unix_s < $3 THEN 1 "
    "ELSE sign_in_failures.failures + 1 END, last_unix_s = $2 RETURNING failures, until_unix_s"
)
_LOCK = "UPDATE sign_in_failures SET until_unix_s = $2 WHERE source = $1"
_FORGET = "DELETE FROM sign_in_failures WHERE source = $1"
_TAKE_BACK = (
    "UPDATE sign_in_failures SET failures = failures - 1, until_unix_s = 0 WHERE source = $1"
)
_PRUNE = (
    "DELETE FROM sign_in_failures WHERE source IN (SELECT source FROM sign_in_failures "
    "WHERE last_unix_s < $1 AND until_unix_s < $2 LIMIT $3) RETURNING source"
)
