"""The process that listens: its sockets, the web server, the runtime file, the end of it all.

`run` serves until it is asked to stop. On SIGTERM or SIGINT it stops listening, says so on
/ready, lets requests in flight end (at most `shutdown_s`), stores what is queued and gives 0.
A second signal ends it at once.
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
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from .cli.banner import StartFacts, banner
from .cli.exits import OK, UNAVAILABLE
from .compose import Composed, compose
from .edge import Connection
from .log_lines import LineFormatter
from .runtime_file import Running, process_lives, read_running, remove_running, write_running
from .settings import Settings, Sources
from .store.keys import KeyTerms

MCP_PORT = 20130
"""Where `--dev` also listens, for MCP alone."""
BACKLOG = 2048
KEEP_ALIVE_S = 75
IDLE_LOOK_S = 1.0
LOOK_S = 0.2
SWITCH_S = 0.0005
GC_ALLOCATIONS = 20_000
"""So many new containers begin a collection of the youngest; Python's own number is 700."""
QUIET = ("alembic", "uvicorn", "mcp", "httpx", "httpx2")
"""Libraries whose chatter is kept out of our log."""

log = logging.getLogger("omniroute")


def run(settings: Settings, sources: Sources) -> int:
    """Serve until asked to stop, and give the exit status."""
    lines = logging.StreamHandler(sys.stderr)
    lines.setFormatter(LineFormatter())
    logging.basicConfig(level=settings.log_level.upper(), handlers=[lines])
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        sockets = _listen(settings)
    except OSError as error:
        print(_cannot_listen(settings, error), file=sys.stderr)
        return UNAVAILABLE
    settings = replace(settings, port=sockets[0].getsockname()[1])
    # The store's writer is a thread: it must not keep the event loop from running for long.
    sys.setswitchinterval(SWITCH_S)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            return runner.run(_serve(settings, sources, sockets))
        finally:
            for one in sockets:
                one.close()


class Server(uvicorn.Server):
    """The web server, whose end is a drain that /ready tells of."""

    def __init__(
        self, config: uvicorn.Config, composed: Composed, on_started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._composed = composed
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, then call `on_started`."""
        await super().startup(sockets=sockets)
        self._on_started()

    def stop(self) -> None:
        """Begin to end; asked a second time, end at once."""
        self.force_exit = self._composed.app.draining
        self._composed.app.draining = True
        self.should_exit = True

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


async def _serve(settings: Settings, sources: Sources, sockets: list[socket.socket]) -> int:
    async with compose(settings, sources) as composed:
        await _make_first_key(composed)
        if len(sockets) > 1:
            composed.app.mcp_only_port = sockets[1].getsockname()[1]
        running = Running(
            os.getpid(), settings.local_url, composed.token, composed.parts.version, time.time()
        )
        _rest_the_collector()
        server = Server(
            _web_server(settings, composed),
            composed,
            lambda: _announce(settings, sources, composed, running),
        )
        async with asyncio.TaskGroup() as group:
            upkeep = [group.create_task(composed.keep_up())]
            if settings.exit_when_idle_s is not None:
                idle_s = settings.exit_when_idle_s
                upkeep.append(group.create_task(_exit_when_idle(server, composed, idle_s)))
            await server.serve(sockets=sockets)
            for task in upkeep:
                task.cancel()
        remove_running(settings.data_dir, running)
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
        timeout_graceful_shutdown=max(round(settings.shutdown_s), 1),
    )


def _rest_the_collector() -> None:
    """Let the garbage collector look seldom, and never again at what start-up has made.

    A request frees what it used by itself, as it leaves no circles behind; looking through
    everything for circles stopped all streams for tens of milliseconds at a time. What start-up
    left behind is not collected first, as that would make the start longer by as much.
    """
    gc.freeze()
    gc.set_threshold(GC_ALLOCATIONS)


async def _make_first_key(composed: Composed) -> None:
    """Where others than this machine can reach the gateway and no key exists: make one."""
    keys = composed.parts.storage.keys
    if composed.parts.settings.on_loopback or len(keys):
        return
    terms = KeyTerms(name="first", scopes=("full", "admin"))
    made = await keys.create(terms, actor="start")
    print(
        f"Others can reach {composed.parts.settings.local_url}, so every request needs a key. "
        f"This one was made now and is shown this once:\n\n    {made.text}\n",
        flush=True,
    )


def _announce(settings: Settings, sources: Sources, composed: Composed, running: Running) -> None:
    """Name the gateway of this data folder, and say where everything is."""
    other = read_running(settings.data_dir)
    if other is None or other.url == running.url or not _answers(other):
        write_running(settings.data_dir, running)
    mcp_url = f"http://127.0.0.1:{MCP_PORT}/mcp" if settings.dev else None
    facts = StartFacts(composed.parts.facts.now(), sources, settings.local_url, mcp_url)
    print(banner(settings, facts), flush=True)
    if settings.open_browser and sys.stdout.isatty():
        threading.Thread(target=_open_browser, args=(settings.local_url,), daemon=True).start()


async def _exit_when_idle(server: Server, composed: Composed, idle_s: float) -> None:
    front = composed.app
    while True:
        left_s = idle_s - (time.monotonic() - front.last_s)
        if left_s <= 0 and not front.busy:
            break
        await asyncio.sleep(max(left_s, IDLE_LOOK_S))
    log.info("idle_exit")
    server.stop()


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


def _listen(settings: Settings) -> list[socket.socket]:
    addresses = [(settings.host, settings.port)]
    if settings.dev:
        addresses.append(("127.0.0.1", MCP_PORT))
    sockets: list[socket.socket] = []
    try:
        for host, port in addresses:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            one = socket.socket(family, socket.SOCK_STREAM)
            sockets.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((host, port))
            one.listen(BACKLOG)
            one.setblocking(False)
    except OSError:
        for one in sockets:
            one.close()
        raise
    return sockets


def _cannot_listen(settings: Settings, error: OSError) -> str:
    where = f"{settings.host}:{settings.port}"
    if settings.dev:
        where += f" and 127.0.0.1:{MCP_PORT}"
    other = read_running(settings.data_dir)
    if other is not None and process_lives(other.pid) and other.url == settings.local_url:
        return (
            f"A gateway of this data folder already runs at {other.url} (process {other.pid}). "
            "Use it as it is, or stop it first."
        )
    return (
        f"Cannot listen on {where}: {error.strerror or error}. Choose another port with --port, "
        "or end what holds it (`omniroute doctor` looks)."
    )


def _loop_factory() -> Any:
    """Give uvloop where it is installed: on Windows it is not."""
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop
