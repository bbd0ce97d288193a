"""Which gateway the stdio relay talks to: the data folder's own, started when none runs.

The runtime file is a claim: the relay believes it while connecting works. Once connecting
failed, or when there is no file, it takes the start lock of the data folder, looks again, and
starts a gateway if there is still none. So of several relays one starts it and the others
find it. The started gateway is nobody's child in effect: it outlives the relay and ends by
itself after IDLE_EXIT_S without a request.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime_file import process_lives, read_running

if TYPE_CHECKING:
    from subprocess import Popen

    from ..settings import Settings

START_S_MAX = 15.0
"""How long a gateway may take from nothing to its first answer."""
IDLE_EXIT_S = 600
PROBE_S = 1.0
SILENT_S = 3.0
"""How long a process that the runtime file names may say nothing: its id may be another's now."""
POLL_S = 0.05
LOG_TAIL_CHARS = 1500


class NoGateway(Exception):
    """No gateway can be reached or started. Says what was tried and what to do."""


class _Search:
    """One look for a gateway, which several threads may wait for."""

    def __init__(self, gone: str | None) -> None:
        self.gone = gone
        self.ended = threading.Event()
        self.url: str | None = None
        self.problem: NoGateway | None = None


class Gateways:
    """Gives the address of the gateway, and finds or starts another when one is gone.

    Args:
        settings: the data folder, and what a started gateway listens on.
        base_url: a gateway that somebody else runs: it is used as it is, never started.
    """

    def __init__(self, settings: "Settings", base_url: str | None) -> None:
        self._settings = settings
        self._base_url = base_url
        self._lock = threading.Lock()
        self._search: _Search | None = None
        self._child: Popen[bytes] | None = None

    def begin(self) -> None:
        """Start to look for it, without waiting."""
        self._current(gone=None)

    def url(self, *, gone: str | None = None) -> str:
        """Give the gateway's address; waits while one is starting.

        Args:
            gone: an address that did not answer: another one is looked for.

        Raises:
            NoGateway: none runs and none could be started.
        """
        search = self._current(gone)
        if not search.ended.wait(START_S_MAX + PROBE_S):
            raise NoGateway(f"no gateway answered within {START_S_MAX:.0f} s")
        if search.url is None:
            raise search.problem or NoGateway("no gateway was found")
        return search.url

    def known_url(self) -> str | None:
        """Give the address that was found last; starts nothing."""
        search = self._search
        return None if search is None else search.url

    def _current(self, gone: str | None) -> _Search:
        """Give the search that counts: a new one when the last failed or found what is gone."""
        with self._lock:
            search = self._search
            if search is None or (
                search.ended.is_set() and (search.url is None or search.url == gone)
            ):
                search = self._search = _Search(gone)
                threading.Thread(target=self._look, args=(search,), daemon=True).start()
            return search

    def _look(self, search: _Search) -> None:
        try:
            search.url = self._named() or self._claimed(search.gone) or self._started()
        except NoGateway as problem:
            search.problem = problem
        except OSError as error:
            folder = self._settings.data_dir
            search.problem = NoGateway(
                f"cannot start a gateway on {folder}: {error.strerror or error}; check that "
                "the folder is readable and writable, or name another one with DATA_DIR"
            )
        finally:
            search.ended.set()

    def _named(self) -> str | None:
        """Give the gateway that OMNIROUTE_BASE_URL names, without what other doors add."""
        if self._base_url is None:
            return None
        url = self._base_url.rstrip("/").removesuffix("/mcp").removesuffix("/v1")
        if not url.startswith(("http://", "https://")) or "@" in url:
            raise NoGateway(
                "OMNIROUTE_BASE_URL is the address of a gateway, such as http://127.0.0.1:20128"
            )
        return url

    def _claimed(self, gone: str | None) -> str | None:
        """Give what the runtime file says, unless that is known to be wrong."""
        running = read_running(self._settings.data_dir)
        if running is None or running.url == gone or not process_lives(running.pid):
            return None
        return running.url

    def _started(self) -> str:
        """Give the gateway that answers, and start one where none does."""
        until_s = time.monotonic() + START_S_MAX
        folder = self._settings.data_dir / "runtime"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = folder / "relay-gateway.log"
        with _alone(folder / "start.lock", until_s):
            silent_s = time.monotonic() + SILENT_S
            mine: Popen[bytes] | None = None
            while (now_s := time.monotonic()) < until_s:
                self._reap()
                running = read_running(self._settings.data_dir)
                lives = running is not None and process_lives(running.pid)
                if running is not None and lives and _answers(running.url):
                    return running.url
                if mine is None and (not lives or now_s >= silent_s):
                    mine = self._child = self._start(log)
                elif mine is not None and mine.poll() is None:
                    # It may leave a stranger's word in the runtime file where it is.
                    if _answers(self._settings.local_url):
                        return self._settings.local_url
                elif mine is not None:
                    raise NoGateway(
                        f"a gateway was started on {self._settings.data_dir} and ended with "
                        f"status {mine.returncode}: {_tail(log)}"
                    )
                time.sleep(POLL_S)
        raise NoGateway(
            f"a gateway on {self._settings.data_dir} did not answer within {START_S_MAX:.0f} s; "
            f"{log} may say why"
        )

    def _reap(self) -> None:
        """Take note of a started gateway that has ended; until then its id looks alive."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None

    def _start(self, log: Path) -> "Popen[bytes]":
        from subprocess import DEVNULL, Popen

        settings = self._settings
        command = [sys.executable, "-m", "omniroute.server.cli.main", "serve", "--no-open"]
        command += ["--exit-when-idle", str(IDLE_EXIT_S), "--data-dir", str(settings.data_dir)]
        command += ["--host", settings.host, "--port", str(settings.port)]
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        with os.fdopen(os.open(log, flags, 0o600), "wb") as output:
            return Popen(  # noqa: S603 - our own command, no shell
                command,
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
                # Not the client's folder: it may be anywhere, and go away.
                cwd=settings.data_dir,
                # A signal to the client's group must not end what other clients use.
                start_new_session=True,
            )


@contextmanager
def _alone(path: Path, until_s: float) -> Iterator[None]:
    """Keep other relays of this data folder out of the block.

    Raises:
        NoGateway: another one holds the lock until that moment.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _locked(descriptor):
            if time.monotonic() >= until_s:
                raise NoGateway(f"another process has been starting a gateway for long: {path}")
            time.sleep(POLL_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    """Take the lock if it is free; closing the descriptor gives it back."""
    with suppress(OSError):
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _answers(url: str) -> bool:
    """Whether a gateway is there and takes work."""
    from http.client import HTTPConnection, HTTPException
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PROBE_S)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _tail(log: Path) -> str:
    with suppress(OSError):
        text = log.read_bytes()[-LOG_TAIL_CHARS:].decode("utf-8", "replace").strip()
        return text or "it said nothing"
    return "it left no log"
