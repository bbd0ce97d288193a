"""An event loop whose time passes only when everybody waits, and then at once.

For simulations: the real, asynchronous parts run as they are, an hour takes the time of the
computing in it, and a run with the same seeds is the same run. Nothing outside of the loop may
be waited for: there are no sockets, threads or signals in such a run.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any


class _NoWaiting(selectors.BaseSelector):
    """Lets the time that the loop would wait pass."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._keys: dict[Any, selectors.SelectorKey] = {}

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("everybody waits and nothing is to happen")
        self.now_s += max(timeout, 0.0)
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        self._keys[fileobj] = selectors.SelectorKey(fileobj, 0, events, data)
        return self._keys[fileobj]

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._keys.pop(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._keys


class VirtualLoop(asyncio.SelectorEventLoop):
    """Counts virtual seconds from 0."""

    def __init__(self) -> None:
        self._selects = _NoWaiting()
        super().__init__(self._selects)

    def time(self) -> float:
        return self._selects.now_s


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(work)
