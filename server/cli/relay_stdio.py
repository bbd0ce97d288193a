"""Standard input and output as a channel of lines that nothing else can get into."""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

LINE_BYTES_MAX = 4 * 2**20
"""The longest message; the gateway takes no longer one."""
READ_BYTES = 64 * 1024
PARENT_POLL_S = 0.25


def claim_stdio() -> tuple[int, int]:
    """Put standard input and output aside for the protocol, and give their descriptors.

    What anyone prints from then on goes to standard error, and who reads standard input, a
    child among them, finds it at its end instead of taking the client's lines.
    """
    heard, said = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return heard, said


class Output:
    """Standard output: whole lines, one after the other, from any thread."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, line: bytes) -> None:
        """Write one message; ends the process when nobody reads any more."""
        left = memoryview(line + b"\n")
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:
                # Some clients give a pipe that does not block.
                select.select([], [self._descriptor], [])
            except OSError:
                os._exit(0)


def lines(descriptor: int) -> Iterator[bytes]:
    """Give the lines as they come; of one that is too long only enough to see that it is."""
    held: list[bytes] = []
    size = 0
    while chunk := _read(descriptor):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            line = b"".join([*held, end]).strip()
            held, size = [], 0
            if line:
                yield line
        size += len(rest)
        # One piece beyond the limit is kept, so that the line is seen to be too long.
        if size - len(rest) <= LINE_BYTES_MAX:
            held.append(rest)


def _read(descriptor: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, READ_BYTES)
        except BlockingIOError:
            select.select([descriptor], [], [])


def wait_for_parents_end() -> None:
    """Return when the process that started this one has ended.

    The end of standard input does not tell: somebody else may hold the other end of the pipe.
    """
    parent = os.getppid()
    with suppress(OSError):
        if sys.platform == "linux":
            # It wakes nobody until that moment. Elsewhere, and where it is not allowed, we look.
            descriptor = os.pidfd_open(parent)
            if os.getppid() == parent:
                select.select([descriptor], [], [])
            os.close(descriptor)
            return
    while os.getppid() == parent:
        time.sleep(PARENT_POLL_S)
