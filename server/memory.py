"""How much memory may still be taken, and what happens when that is little.

A process that reaches its bound is killed, and with it every answer that it gives. So before
that nothing new is begun:

    FULL_SHARE      of the bound is held: requests that cost are refused with 503 and retry-after,
                    in the words of their door, and /ready says so; what runs goes on
    ENOUGH_SHARE    and less is held: they are taken again

The bound is what the control group of the process may hold, or that of a group around it, and
the setting `memory_max`, of which each worker has its part. Where there is neither, nobody looks.
Of a control group all is counted but what the kernel drops by itself when room is needed: pages
of files. A request costs one look at a word that is set here every LOOK_S.

What was freed does not always go back to the system. So while memory is short, what is kept only
to be fast is let go, and the C library is asked to give back what is free.

Sources: Linux, Documentation/admin-guide/cgroup-v2.rst (memory.max, memory.current, memory.stat)
and cgroup-v1/memory.rst (memory.limit_in_bytes, memory.usage_in_bytes, memory.stat), read
2026-11-23; proc(5), cgroup.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from omniroute.routing.pressure import Pressure

from .heap import give_back_freed_memory
from .parts import Parts
from .telemetry.shared import resident_bytes

FULL_SHARE = 0.9
ENOUGH_SHARE = 0.85
LOOK_S = 0.5
WHY = (
    "the gateway is short of memory and begins nothing new that costs until some is free again; "
    "send the request again"
)
ENDLESS_BYTES = 2**60
"""Groups of the first version without a bound have one that is larger than this."""

log = logging.getLogger("omniroute")


@dataclass(frozen=True, slots=True)
class Held:
    """How much memory is held, and how much may be."""

    used_bytes: int
    bytes_max: int

    @property
    def share(self) -> float:
        """Of what may be held."""
        return self.used_bytes / max(self.bytes_max, 1)


Bound = Callable[[], Held | None]
"""Looks at one bound; gives None where there is none now."""


@dataclass(frozen=True, slots=True)
class _Words:
    """What a version of control groups calls its files, and pages of files in `memory.stat`."""

    bound: str
    used: str
    of_files: tuple[str, str]


_FIRST = _Words(
    "memory.limit_in_bytes", "memory.usage_in_bytes", ("total_active_file", "total_inactive_file")
)
_SECOND = _Words("memory.max", "memory.current", ("active_file", "inactive_file"))


@dataclass(frozen=True, slots=True)
class Group:
    """A control group that may bound memory."""

    folder: Path
    words: _Words

    def __call__(self) -> Held | None:
        """Look at it."""
        try:
            bytes_max = int((self.folder / self.words.bound).read_text())
            if bytes_max >= ENDLESS_BYTES:
                return None
            used_bytes = int((self.folder / self.words.used).read_text())
            stat = (self.folder / "memory.stat").read_text()
        except (OSError, ValueError):
            # It says "max", or there is no such group.
            return None
        return Held(used_bytes - _pages_of_files(stat, self.words.of_files), bytes_max)


def groups(root: Path = Path("/")) -> tuple[Group, ...]:
    """Give the control groups that this process is in, from its own to the outermost."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return ()
    mount, found = root / "sys/fs/cgroup", list[Group]()
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            found += _around(mount, path, _SECOND)
        elif "memory" in controllers.split(","):
            found += _around(mount / "memory", path, _FIRST)
    return tuple(found)


def own_bound(bytes_max: int) -> Bound:
    """Give the bound of what this process itself holds."""

    def look() -> Held | None:
        used_bytes = resident_bytes()
        return None if used_bytes is None else Held(used_bytes, bytes_max)

    return look


class MemoryWatch:
    """Looks how much memory is left.

    Args:
        bounds: none of which may be reached.
        pressure: where it says so.
        let_go: called while memory is short, to forget what can be forgotten.
    """

    def __init__(
        self, bounds: Sequence[Bound], pressure: Pressure, let_go: Callable[[], object]
    ) -> None:
        self._bounds = bounds
        self._pressure = pressure
        self._let_go = let_go

    def look(self) -> bool:
        """Look once; gives whether memory is short."""
        held = max(
            (one for one in (bound() for bound in self._bounds) if one is not None),
            key=lambda one: one.share,
            default=Held(0, 1),
        )
        was_short = self._pressure.why is not None
        is_short = held.share > (ENOUGH_SHARE if was_short else FULL_SHARE)
        self._pressure.why = WHY if is_short else None
        if is_short:
            self._let_go()
        if is_short != was_short:
            facts = {"used_bytes": held.used_bytes, "bytes_max": held.bytes_max}
            log.warning("memory_short" if is_short else "memory_enough", extra=facts)
        return is_short

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            if self.look():
                await asyncio.to_thread(give_back_freed_memory)
            await asyncio.sleep(LOOK_S)


def watch_of(parts: Parts) -> MemoryWatch | None:
    """Give who looks at the memory of a gateway, None where nothing bounds it."""
    settings, cache, clock = parts.settings, parts.response_cache, parts.clock
    bounds: list[Bound] = [one for one in groups() if one() is not None]
    if settings.memory_max is not None:
        bounds.append(own_bound(settings.memory_max // settings.workers))
    if not bounds:
        return None
    return MemoryWatch(bounds, parts.gateway.route.pressure, lambda: cache.clear(clock.now()))


def _around(mount: Path, path: str, words: _Words) -> list[Group]:
    """Give a group and those around it; of a path that is not to be seen here, the outermost."""
    folder = mount / path.strip("/")
    folders = [one for one in (folder, *folder.parents) if one.is_relative_to(mount)]
    return [Group(one, words) for one in folders if (one / words.bound).exists()]


def _pages_of_files(stat: str, names: Sequence[str]) -> int:
    total = 0
    for line in stat.splitlines():
        name, _, value = line.partition(" ")
        if name in names:
            with suppress(ValueError):
                total += int(value)
    return total
