"""A look from another thread at whether the event loop still turns.

Everything of a process runs on one loop, so what blocks it stops every request. While that
lasts only another thread can say where: it logs the stack, file by line, without values. It
starts to doubt when the loop's beat is BLOCKED_S late, says so once for each time, and says
nothing when it was itself woken late, as then it is the machine that has no time for the process.
"""

import logging
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

BLOCKED_S = 0.5
LOOK_S = 0.25
FRAMES_MAX = 20

log = logging.getLogger("omniroute")


class Pulse:
    """When the loop turned last, and whether its silence was told already.

    Args:
        every_s: how often the loop says that it turns.
    """

    def __init__(self, now_s: float, *, every_s: float) -> None:
        self._every_s = every_s
        self._beat_s = now_s
        self._looked_s = now_s
        self._told_s = -1.0

    def beat(self, now_s: float) -> float:
        """Note that the loop turns, and give by how much that was late."""
        late_s = now_s - self._beat_s - self._every_s
        self._beat_s = now_s
        return max(late_s, 0.0)

    def is_news(self, now_s: float) -> bool:
        """Whether the loop is blocked and nobody has said so."""
        waited_s, self._looked_s = now_s - self._looked_s, now_s
        beat_s = self._beat_s
        silent = now_s - beat_s >= self._every_s + BLOCKED_S
        if not silent or waited_s >= LOOK_S + BLOCKED_S or beat_s == self._told_s:
            return False
        self._told_s = beat_s
        return True


@contextmanager
def watched(*, every_s: float) -> Iterator[Pulse]:
    """Watch the running loop, whose user beats the pulse, while this is open."""
    pulse, ends = Pulse(time.monotonic(), every_s=every_s), threading.Event()
    thread = threading.Thread(
        target=_look, args=(pulse, ends, threading.get_ident()), name="watchdog", daemon=True
    )
    thread.start()
    try:
        yield pulse
    finally:
        ends.set()
        thread.join()


def _look(pulse: Pulse, ends: threading.Event, thread_id: int) -> None:
    while not ends.wait(LOOK_S):
        if pulse.is_news(time.monotonic()):
            frame = sys._current_frames().get(thread_id)
            stack = traceback.extract_stack(frame, FRAMES_MAX) if frame is not None else []
            told = [f"{one.filename}:{one.lineno} in {one.name}" for one in stack]
            log.warning("loop_blocked", extra={"stack": told})
