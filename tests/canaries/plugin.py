"""Looks for secrets in everything that the whole test session leaves behind.

The helpers of the suite put canaries (secrets.py) into what they send and configure. Every
process of the session (each worker of xdist is one) looks for them, and for keys that gateways
have made, in

- every record of our loggers and of libraries whose words we write, at debug level and in both
  formats, in gateways of this process; gateways of their own log into files;
- at its end, every database, log and trace in its temporary folders;
- every PostgreSQL database, before it is dropped.

One that is found fails the session, whatever the tests said.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.log_lines import OWN_LOGGER, TOLD_LIBRARIES, JsonFormatter, LineFormatter

from . import secrets

LEAKS_MAX = 20
"""So many are told."""
SUFFIXES = (".sqlite", ".sqlite-wal", ".log", ".jsonl", ".traces")
PART_BYTES = 16 * 2**20
OVERLAP_BYTES = 256
REPORT = "canaries"
_PRINTED_ONCE = b"is shown this once:"
_LOGGERS = (OWN_LOGGER, *TOLD_LIBRARIES)

leaks: list[str] = []


def look(where: str, data: bytes) -> None:
    """Look for secrets in some bytes."""
    if len(leaks) < LEAKS_MAX:
        leaks.extend(f"{where}: {words}" for words in secrets.found_in(data))


class _Watch:
    """Sees every record of the loggers that are written, at any level, and changes nothing."""

    def __init__(self) -> None:
        self.formatters = (LineFormatter(), JsonFormatter())
        self.seen = 0
        self._is_enabled = logging.Logger.isEnabledFor
        self._call = logging.Logger.callHandlers

    def open(self) -> None:
        is_enabled, call, see = self._is_enabled, self._call, self._see

        def enabled(logger: logging.Logger, level: int) -> bool:
            return logger.name.partition(".")[0] in _LOGGERS or is_enabled(logger, level)

        def passed(logger: logging.Logger, record: logging.LogRecord) -> None:
            if logger.name.partition(".")[0] in _LOGGERS:
                see(record)
            if is_enabled(logger, record.levelno):
                call(logger, record)

        logging.Logger.isEnabledFor = enabled  # type: ignore[method-assign, assignment]
        logging.Logger.callHandlers = passed  # type: ignore[method-assign, assignment]

    def close(self) -> None:
        logging.Logger.isEnabledFor = self._is_enabled  # type: ignore[method-assign]
        logging.Logger.callHandlers = self._call  # type: ignore[method-assign]

    def _see(self, record: logging.LogRecord) -> None:
        self.seen += 1
        test = os.environ.get("PYTEST_CURRENT_TEST", "")
        for formatter in self.formatters:
            line = formatter.format(record)
            look(f"log line of {record.name} in {test}", line.encode("utf-8", "backslashreplace"))


_watch = _Watch()


def pytest_configure(config: pytest.Config) -> None:
    if _tests_here(config):
        _watch.open()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _tests_here(config):
        _watch.close()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if _tests_here(config):
        for path in left_behind(config):
            _look_at(path)
    if hasattr(config, "workeroutput"):
        config.workeroutput[REPORT] = (leaks, dict(secrets.issued), _watch.seen)
    elif leaks:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take what a worker of xdist has found."""
    found, issued, seen = getattr(node, "workeroutput", {}).get(REPORT, ([], {}, 0))
    leaks.extend(found)
    secrets.issued.update(issued)
    _watch.seen += seen


def pytest_terminal_summary(terminalreporter: Any) -> None:
    count = sum(secrets.issued.values())
    if leaks:
        terminalreporter.section("secrets were found", sep="=", red=True)
        for one in leaks[:LEAKS_MAX]:
            terminalreporter.line(one)
    words = f"{count} secrets sent, {_watch.seen} log records seen, {len(leaks)} secrets found"
    terminalreporter.line(words)


def left_behind(config: pytest.Config) -> Iterator[Path]:
    """Give the files of this process's tests that could hold what a gateway has written."""
    factory: Any = getattr(config, "_tmp_path_factory", None)
    base: Path | None = getattr(factory, "_basetemp", None)
    if base is None:
        return
    for folder, _, names in os.walk(base):
        for name in names:
            if name.endswith(SUFFIXES) or ".log." in name:
                yield Path(folder, name)


def _look_at(path: Path) -> None:
    try:
        with path.open("rb") as file:
            before = b""
            while part := file.read(PART_BYTES):
                look(str(path), _not_shown_once(before + part))
                before = part[-OVERLAP_BYTES:]
    except OSError:
        # It went away, as temporary files of a killed process do.
        return


def _not_shown_once(data: bytes) -> bytes:
    """Give what a process wrote without the key that its start shows on purpose, once."""
    before, shown, rest = data.partition(_PRINTED_ONCE)
    return before + rest.partition(b"sk-omni-")[2][60:] if shown else data


def _tests_here(config: pytest.Config) -> bool:
    """Whether tests run in this process: it is a worker of xdist, or there are none."""
    return hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None)
