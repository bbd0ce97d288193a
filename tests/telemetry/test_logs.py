"""Log lines: what may stand in them, one line each, as text and as JSON, and files that rotate."""

import ast
import json
import logging
import multiprocessing
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.errors import StorageUnavailable
from omniroute.server.log_file import KEPT, LogFile
from omniroute.server.log_lines import FIELDS, JsonFormatter, LineFormatter

ROOT = Path(__file__).parents[2]
ROOMS = ("server", "routing", "tools", "a2a")
SECRET = "sk-omni-k1-abcdefghijklmnopqrstuvwxyz0123456789"
FORMATTERS = (LineFormatter, JsonFormatter)
WICKED = ("\r\n", "\n", "\r", "\x0b", "\x1c", "\x85", "\u2028", "\u2029", "\x1b[2J", "\u202e")


def record(event: str, name: str = "omniroute", **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": name, "levelname": "WARNING", "msg": event, **extra})


def of_failure(error: BaseException) -> logging.LogRecord:
    try:
        raise error
    except type(error) as caught:
        return record("unexpected_error", exc_info=(type(caught), caught, caught.__traceback__))


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize("end", WICKED)
def test_no_text_of_others_begins_a_line(formatter: type[logging.Formatter], end: str) -> None:
    """Threat T33: log injection."""
    forged = f"x{end}2026-11-23 10:00:00,000 ERROR omniroute all_is_lost"

    line = formatter().format(record("poll_failed", reason=forged))

    assert len(line.splitlines()) == 1
    assert end not in line


@given(text=st.text(max_size=50))
def test_whatever_a_field_holds_a_line_of_json_gives_it_back(text: str) -> None:
    line = JsonFormatter().format(record("poll_failed", reason=text))

    assert len(line.splitlines()) == 1
    assert json.loads(line).get("reason", "") == text


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_a_field_that_nobody_has_allowed_is_not_written(
    formatter: type[logging.Formatter],
) -> None:
    line = formatter().format(record("poll_failed", reason="locked", prompt="my diary"))

    assert "locked" in line
    assert "diary" not in line


@pytest.mark.parametrize("formatter", FORMATTERS)
@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"Incorrect API key provided: {SECRET}.",
        "Authorization: Bearer abc.def-ghi",
        "could not connect to postgresql://me:hunter22@db:5432/x",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "AIzaSyA-0123456789abcdefghijklmnopqrstu",
    ],
)
def test_what_looks_like_a_credential_is_taken_out_of_every_field(
    formatter: type[logging.Formatter], text: str
) -> None:
    line = formatter().format(record("poll_failed", reason=text))

    assert "[secret]" in line
    for part in ("abcdefghij", "abc.def", "hunter22", "c2lnbmF0", "0123456789"):
        assert part not in line.partition("poll_failed")[2]


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_of_an_unexpected_error_its_place_and_kind_are_logged_and_not_its_words(
    formatter: type[logging.Formatter],
) -> None:
    line = formatter().format(of_failure(ValueError("no number: 'my diary'")))

    assert "ValueError" in line
    assert "test_logs.py" in line
    assert "diary" not in line


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_the_words_of_our_own_errors_and_of_the_system_are_logged(
    formatter: type[logging.Formatter],
) -> None:
    ours = formatter().format(of_failure(StorageUnavailable("the database is locked")))
    theirs = formatter().format(of_failure(FileNotFoundError(2, "No such file", "/x")))

    assert "the database is locked" in ours
    assert "No such file" in theirs


def test_the_cause_of_an_error_is_logged_too() -> None:
    try:
        try:
            raise KeyError("my diary")
        except KeyError as cause:
            raise StorageUnavailable("no row") from cause
    except StorageUnavailable as caught:
        told = record("poll_failed", exc_info=(type(caught), caught, caught.__traceback__))

    found = json.loads(JsonFormatter().format(told))["traceback"]
    assert found.index("which came of:") < found.index("KeyError")


def test_lines_of_a_traceback_are_set_in_so_that_none_passes_for_a_line_of_the_log() -> None:
    forged = StorageUnavailable("x\n2026-11-23 10:00:00,000 ERROR omniroute all_is_lost")

    first, *rest = LineFormatter().format(of_failure(forged)).split("\n")

    assert first.endswith("omniroute unexpected_error")
    assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize("formatter", FORMATTERS)
def test_of_a_library_that_could_name_content_only_the_place_is_logged(
    formatter: type[logging.Formatter],
) -> None:
    told = record("Failed to validate: {'prompt': 'my diary'}", name="mcp.server", module="session")
    trusted = record("Task was destroyed\nmy diary", name="asyncio")

    assert "session:" in formatter().format(told)
    assert "diary" not in formatter().format(told)
    assert "Task was destroyed" in formatter().format(trusted)
    assert "diary" not in formatter().format(trusted)


def literal_fields() -> Iterator[tuple[str, str]]:
    """Give each field that a call of a logger names in the code, and where."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for function in ast.walk(tree):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    for one in extras(function):
                        for key in one.keys:
                            if isinstance(key, ast.Constant):
                                yield str(key.value), f"{path.relative_to(ROOT)}:{one.lineno}"


def extras(function: ast.AST) -> Iterator[ast.Dict]:
    """Give the dicts that a function logs, also by a name of its own."""
    values = [
        one.value
        for one in ast.walk(function)
        if isinstance(one, ast.keyword) and one.arg == "extra"
    ]
    names = {one.id for value in values for one in ast.walk(value) if isinstance(one, ast.Name)}
    values += [
        one.value
        for one in ast.walk(function)
        if isinstance(one, ast.Assign) and getattr(one.targets[0], "id", "") in names
    ]
    for value in values:
        yield from (one for one in ast.walk(value) if isinstance(one, ast.Dict))


def test_every_field_that_is_logged_is_on_the_list_of_fields() -> None:
    """Who logs a new field adds it to FIELDS of server/log_lines.py, if no content is in it."""
    found = list(literal_fields())

    assert len(found) > 40
    assert [(name, where) for name, where in found if name not in FIELDS] == []


def lines_of(folder: Path) -> list[str]:
    files = sorted(folder.glob("a.log*"))
    return [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def handler(path: Path, bytes_max: int) -> LogFile:
    made = LogFile(path, bytes_max=bytes_max)
    made.setFormatter(JsonFormatter())
    return made


def test_a_log_file_is_private_and_is_rotated_when_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.log"
    one = handler(path, 1024)

    for number in range(100):
        one.emit(record("poll_failed", tries=number))
    one.close()

    files = sorted(one for one in path.parent.iterdir() if one.suffix != ".lock")
    assert [file.name for file in files] == ["a.log", *(f"a.log.{n + 1}" for n in range(KEPT))]
    assert all(file.stat().st_size < 2048 for file in files)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    newest = max(json.loads(line)["tries"] for line in lines_of(path.parent))
    assert newest == 99


def test_a_log_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    one = handler(path, 10_000)
    one.emit(record("poll_failed", tries=1))

    os.replace(path, tmp_path / "a.log-moved")
    one.emit(record("poll_failed", tries=2))
    one.close()

    assert '"tries": 2' in path.read_text()
    assert '"tries": 1' in (tmp_path / "a.log-moved").read_text()


def write_many(path: str, worker: int, count: int) -> None:
    one = handler(Path(path), 4096)
    for number in range(count):
        one.emit(record("poll_failed", worker=worker, tries=number))
    one.close()


def test_several_processes_write_one_file_and_lose_no_line(tmp_path: Path) -> None:
    """As many lines as fit in the files that stay: none is cut, lost or written twice."""
    count, path = 40, str(tmp_path / "a.log")
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(path, one, count)) for one in range(3)]

    for one in writers:
        one.start()
    for one in writers:
        one.join(60)

    found = [json.loads(line) for line in lines_of(tmp_path)]
    told = sorted((line["worker"], line["tries"]) for line in found)
    assert told == [(worker, number) for worker in range(3) for number in range(count)]
