"""Long work on the event loop in turns, so that nobody waits for the end of it.

Patterns hold the interpreter while they are looked for: in a thread of its own a long text would
keep the event loop waiting just as long, and every turn of the loop longer than a slice takes.
So work is a generator that pauses after every slice, and who drives it says what a pause is.
"""

import asyncio
from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Steps = Generator[None, None, T]
"""Work that pauses, and gives a value at its end."""

SLICE_CHARS = 4_096
"""Of a text between two pauses: 0.8 ms of CPU, where 1,000,000 characters take 180."""


def at_once(steps: Steps[T]) -> T:
    """Give what work gives, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            value: T = ended.value
            return value


async def in_turns(steps: Steps[T]) -> T:
    """Give what work gives; everybody else has a turn at each pause."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            value: T = ended.value
            return value
        await asyncio.sleep(0)
