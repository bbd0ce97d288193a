"""The process that listens: its sockets, the web server, the runtime file, the end of it all.

`run` serves until it is asked to stop. On SIGTERM or SIGINT it stops listening, says so on
/ready, lets requests in flight end (at most `shutdown_s`), stores what is queued and gives 0.
A second signal ends it at once. With several workers each of them serves here, at its place, and
the first process supervises them: see workers/supervisor.py.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from .cli.banner import StartFacts, banner
from .cli.exits import OK, UNAVAILABLE
from .compose import Composed, compose
from .draining import Drain
from .edge import Connection
from .first_key import make_first_key
from .heap import keep_freed_memory
from .listeners import MCP_HOST, MCP_PORT, CannotListen, listen
from .log_setup import open_log
from .runtime_file import (
    Running,
    new_token,
    process_lives,
    read_running,
    remove_running,
    write_running,
)
from .settings import Settings, SettingsError, Sources
from .workers.acceptor import Acceptor, Connections
from .workers.place import ANNOUNCE, DRAIN, END, OPENED, READY, Place, Shared
from .workers.supervisor import Plan, Supervisor

KEEP_ALIVE_S = 75
IDLE_LOOK_S = 1.0
LOOK_S = 0.2
SWITCH_S = 0.0005
GC_ALLOCATIONS = 20_000
"""So many new containers begin a collection of the youngest; Python's own number is 700."""
GC_YOUNGEST = 100
"""So many of these begin one of the middle generation, which holds what runs for long: some ten
milliseconds beside 500 streams. Python's own number is 10."""

EXPORTER = "opentelemetry-exporter-otlp-proto-http"
"""What the extra omniroute[otel] brings."""

log = logging.getLogger("omniroute")


def run(settings: Settings, sources: Sources) -> int:
    """Serve until asked to stop, and give the exit status."""
    if settings.otel and not _is_installed(EXPORTER):
        words = "OMNIROUTE_OTEL is on, and OpenTelemetry is not installed"
        print(f"{words}: pip install 'omniroute[otel]'", file=sys.stderr)
        return SettingsError.EXIT_STATUS
    try:
        open_log(settings)
    except OSError as problem:
        print(f"the log cannot be written to {settings.log_file}: {problem}", file=sys.stderr)
        return UNAVAILABLE
    try:
        sockets = listen(settings)
    except CannotListen as problem:
        print(problem, file=sys.stderr)
        return UNAVAILABLE
    settings = replace(settings, port=sockets[0].getsockname()[1])
    # The store's writer is a thread: it must not keep the event loop from running for long.
    sys.setswitchinterval(SWITCH_S)
    keep_freed_memory()
    running = Running(
        os.getpid(), settings.local_url, new_token(), version_of("omniroute"), time.time()
    )
    try:
        if settings.workers == 1:
            return _serve(settings, sources, sockets, running)
        return _supervise(settings, sources, sockets, running)
    finally:
        if os.getpid() == running.pid:
            remove_running(settings.data_dir, running)
        for one in sockets:
            one.close()


class Server(uvicorn.Server):
    """The web server, whose end is a drain that /ready tells of."""

    def __init__(
        self, config: uvicorn.Config, composed: Composed, announce: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._composed = composed
        self._announce = announce
        self._ending = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then say so."""
        await super().startup(sockets=sockets)
        self._announce()

    async def main_loop(self) -> None:
        """Wait until `drain`. The server's own looks ten times a second for a wish to end."""
        await self._ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and end when those that there are have their answers."""
        # What the system has accepted for us is served: the loop takes it in before.
        await asyncio.sleep(0)
        for server in self.servers:
            server.close()
        for one in sockets or ():
            one.close()
        state, front = self.server_state, self._composed.app
        patience_s = self._composed.parts.settings.shutdown_s
        ends = Drain(
            state.connections, state.tasks, patience_s, front.cutting, lambda: self.force_exit
        )
        await ends.run()
        for server in self.servers:
            await server.wait_closed()

    def stop(self) -> None:
        """Begin to end; asked a second time, end at once."""
        self.force_exit = self._composed.app.draining
        self.drain()

    def drain(self) -> None:
        """Begin to end."""
        self._composed.app.drain()
        self.should_exit = True
        self._ending.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGTERM and SIGINT for a wish to end, without raising them again afterwards."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)


class WorkerServer(Server):
    """The web server of one worker: it shares its sockets, and does what the supervisor says."""

    def __init__(
        self,
        config: uvicorn.Config,
        composed: Composed,
        announce: Callable[[], None],
        place: Place,
    ) -> None:
        super().__init__(config, composed, announce)
        self._place = place
        self._connections = Connections(place.shared.board, place.index)
        self.server_state.connections = self._connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, in turn with the others, and tell the supervisor."""
        self.servers = [
            Acceptor(one, self._protocol, self._connections)  # type: ignore[misc]
            for one in sockets or ()
        ]
        self.started = True
        self._place.tell(READY)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain on SIGTERM, however often it comes, and follow the supervisor."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.drain)
        loop.add_reader(self._place.line.fileno(), self._follow)
        try:
            yield
        finally:
            loop.remove_reader(self._place.line.fileno())
            loop.remove_signal_handler(signal.SIGTERM)

    def _protocol(self) -> asyncio.Protocol:
        return Connection(self.config, self.server_state, self.lifespan.state)

    def _follow(self) -> None:
        words = self._place.heard()
        if words is None:
            # Without its supervisor nobody would end or replace it.
            asyncio.get_running_loop().remove_reader(self._place.line.fileno())
            self.drain()
            return
        if ANNOUNCE in words:
            self._announce()
        if DRAIN in words:
            self.drain()
        if END in words:
            self.force_exit = True


def _serve(
    settings: Settings,
    sources: Sources,
    sockets: list[socket.socket],
    running: Running,
    place: Place | None = None,
) -> int:
    """Serve in this process, at its place among the workers if there are several."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_served(settings, sources, sockets, running, place))


def _supervise(
    settings: Settings, sources: Sources, sockets: list[socket.socket], running: Running
) -> int:
    """Run the workers; it returns in each of them, too, with the status of the one."""
    # Imported here, so that the workers share it.
    _loop_factory()
    plan = Plan(
        workers=settings.workers,
        work=lambda place: _serve(settings, sources, sockets, running, place),
        running=running,
        sockets=sockets,
        drain_s=settings.shutdown_s,
        idle_s=settings.exit_when_idle_s,
    )
    return Supervisor(plan, Shared.made(settings.workers)).run()


async def _served(
    settings: Settings,
    sources: Sources,
    sockets: list[socket.socket],
    running: Running,
    place: Place | None,
) -> int:
    async with compose(settings, sources, running=running, place=place) as composed:
        if place is None or place.is_first:
            _tell_first_key(composed, await make_first_key(composed))
        if place is not None:
            place.tell(OPENED)
        if len(sockets) > 1:
            composed.app.mcp_only_port = sockets[1].getsockname()[1]
        _rest_the_collector()
        config = _web_server(settings, composed)
        announce = partial(_announce, settings, sources, composed, running)
        if place is None:
            server = Server(config, composed, announce)
        else:
            server = WorkerServer(config, composed, announce, place)
        async with asyncio.TaskGroup() as group:
            upkeep = [group.create_task(composed.keep_up())]
            if settings.exit_when_idle_s is not None:
                looking = (
                    _exit_when_idle(server, composed, settings.exit_when_idle_s)
                    if place is None
                    else _tell_work(place, composed)
                )
                upkeep.append(group.create_task(looking))
            await server.serve(sockets=sockets)
            for task in upkeep:
                task.cancel()
    return OK


def _web_server(settings: Settings, composed: Composed) -> uvicorn.Config:
    return uvicorn.Config(
        composed.app,
        http=Connection,
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


def _rest_the_collector() -> None:
    """Let the garbage collector look seldom, and never again at what start-up has made.

    A request frees what it used by itself, as it leaves no circles behind; looking through
    everything for circles stopped all streams for tens of milliseconds at a time. What start-up
    left behind is not collected first, as that would make the start longer by as much.
    """
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS, GC_YOUNGEST)


def _tell_first_key(composed: Composed, key: str | None) -> None:
    if key is not None:
        print(
            f"Others can reach {composed.parts.settings.local_url}, so every request needs a key. "
            f"This one was made now and is shown this once:\n\n    {key}\n",
            flush=True,
        )


def _announce(settings: Settings, sources: Sources, composed: Composed, running: Running) -> None:
    """Name the gateway of this data folder, and say where everything is."""
    other = read_running(settings.data_dir)
    if other is None or other.url == running.url or not _answers(other):
        write_running(settings.data_dir, running)
    mcp_url = f"http://{MCP_HOST}:{MCP_PORT}/mcp" if settings.dev else None
    facts = StartFacts(composed.parts.facts.now(), sources, settings.local_url, mcp_url)
    print(banner(settings, facts), flush=True)
    if settings.open_browser and sys.stdout.isatty():
        threading.Thread(
            target=_open_browser, args=(f"{settings.local_url}/dashboard",), daemon=True
        ).start()


async def _exit_when_idle(server: Server, composed: Composed, idle_s: float) -> None:
    front = composed.app
    while True:
        left_s = idle_s - (time.monotonic() - front.last_s)
        if left_s <= 0 and not front.busy:
            break
        await asyncio.sleep(max(left_s, IDLE_LOOK_S))
    log.info("idle_exit")
    server.stop()


async def _tell_work(place: Place, composed: Composed) -> None:
    """Keep on the board what the supervisor ends an idle gateway by."""
    front = composed.app
    while True:
        place.shared.board.work(place.index, busy=front.busy, touched_s=front.last_s)
        await asyncio.sleep(LOOK_S)


def _answers(other: Running) -> bool:
    """Whether something listens where another gateway says it does; process ids come again."""
    address = urlsplit(other.url)
    if not process_lives(other.pid):
        return False
    try:
        socket.create_connection((address.hostname, address.port), timeout=LOOK_S).close()
    except OSError:
        return False
    return True


def _open_browser(url: str) -> None:
    import webbrowser

    webbrowser.open(url)


def _is_installed(package: str) -> bool:
    try:
        version_of(package)
    except PackageNotFoundError:
        return False
    return True


def _loop_factory() -> Any:
    """Give uvloop where it is installed: on Windows it is not."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
