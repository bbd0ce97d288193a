"""This gateway with a chat made dearer, to show that the budget check would notice.

    python -m benchmarks.slowed MICROSECONDS serve --port 0 ...

Every request to the chat door first burns so many microseconds of CPU. Nothing of it is in the
gateway: it is put around the door from here.
"""

import sys
import time

from omniroute.server.cli.main import main
from omniroute.server.exchange import Exchange
from omniroute.server.v1.chat import ChatDoor


def slow(door: type[ChatDoor], burnt_us: float) -> None:
    """Put the burning before what the door does."""
    answer = door.__call__

    async def slowly(self: ChatDoor, exchange: Exchange) -> None:
        ends_ns = time.thread_time_ns() + burnt_us * 1000
        while time.thread_time_ns() < ends_ns:
            pass
        await answer(self, exchange)

    setattr(door, "__call__", slowly)  # noqa: B010 - a type checker forbids the assignment


if __name__ == "__main__":
    slow(ChatDoor, float(sys.argv.pop(1)))
    sys.exit(main(sys.argv[1:]))
