"""The simulated provider as a real HTTP server.

async with Simulator() as simulator:
    client = openai.AsyncOpenAI(base_url=f"{simulator.url}/v1", api_key="sk-fake")
    simulator.control.set(Directives(fault="stall"), requests=1)
"""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Self

from .connection import Connection
from .control import Control
from .request import HttpRequest
from .routes import Played, Routes

BACKLOG = 4_096
CONNECTIONS_MAX = 20_000
_log = logging.getLogger(__name__)


class Simulator:
    """Listens while its context is open.

    Args:
        host: the address to listen on.
        port: 0 for any that is free.

    Attributes:
        control: rules for the next requests, and counts.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.control = Control()
        self._host = host
        self._port = port
        self._routes = Routes(self.control)
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        # Connections begin in callbacks of the event loop, where no task group is open: these
        # tasks belong to the simulator, which ends them when it closes.
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port that is listened on; the wanted one before."""
        return self._port

    @property
    def url(self) -> str:
        """Where clients find it, without a path."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    async def open(self) -> None:
        """Listen.

        Raises:
            OSError: the address is in use or not ours.
        """
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), self._host, self._port, backlog=BACKLOG
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._server is not None:
            self._server.close()
        for connection in tuple(self._connections):
            connection.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # What a connection needs: see connection.House.

    def answer(self, request: HttpRequest) -> Played:
        """Give what is played for a request."""
        return self._routes.answer(request)

    def admit(self, connection: Connection) -> bool:
        """Note a new connection; False when there are CONNECTIONS_MAX."""
        self._connections.add(connection)
        self.control.connections_opened += 1
        self.control.connections_open = len(self._connections)
        return len(self._connections) <= CONNECTIONS_MAX

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self._connections.discard(connection)
        self.control.connections_open = len(self._connections)

    def start(self, connection: Connection) -> asyncio.Task[None]:
        """Run the connection's answers in a task of the simulator's."""
        task = asyncio.get_running_loop().create_task(self._serve(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, connection: Connection) -> None:
        try:
            await connection.serve()
        except Exception:  # noqa: BLE001 - one broken connection must not end the others
            _log.exception("simulator_connection_failed")
            connection.close()


async def serve(host: str, port: int, *, ready: Callable[[Simulator], None] | None = None) -> None:
    """Serve until cancelled; `ready` is called once when it listens.

    Raises:
        OSError: the address is in use or not ours.
    """
    async with Simulator(host=host, port=port) as simulator:
        if ready is not None:
            ready(simulator)
        await asyncio.get_running_loop().create_future()
