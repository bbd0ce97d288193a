"""Log lines: when, how grave, who, the event's name, and its fields; as text or as JSON.

What may stand in a log is a list and not a search for what may not. An event of ours is a name
with fields, and only fields of FIELDS are written, each cut to FIELD_CHARS_MAX. Of an exception
the frames and its type are written; its words only where they are ours or the system's, as those
of others repeat what they were given. Of libraries a few are trusted to name no content
(TOLD_LIBRARIES); of the others it is said that they had something to say, and where. What looks
like a credential is taken out of every text (see `without_secrets`).

A line stays one line and a field one field, whatever a provider or a client wrote: in text a
value that has anything but plain letters in it is written as a JSON string, and the lines of a
traceback are set in, so that none can pass for a line of the log.
"""

import json
import logging
import re
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from omniroute.routing.errors import RoutingError

FIELD_CHARS_MAX = 2_000
FRAMES_MAX = 50
OWN_LOGGER = "omniroute"
TOLD_LIBRARIES = ("alembic", "asyncio", "opentelemetry", "uvicorn")
"""Libraries whose own words are written: they speak of addresses, tasks and tables."""
LIBRARY = "library_message"

FIELDS = frozenset(
    (
        *("account_id", "attempts", "boots", "budget_id", "bytes_max", "chain_id", "combo"),
        *("connections",),
        *("cost_usd_nanos", "decisions", "detail", "door", "duration_ms", "error"),
        *("first_content_ms", "given_up", "held_usd_nanos", "held_usd_nanos_found"),
        *("hold_id", "holds", "host", "in_a_row", "input_tokens", "key_id", "kind"),
        *("lease", "leased_usd_nanos", "leased_usd_nanos_found", "left_out", "lived_s", "method"),
        *("model_name", "next_in_s", "outbox", "output_tokens", "peer", "process_id"),
        *("provider", "reason", "recorded_as", "request_id", "requests", "response_bytes"),
        *("route", "signal", "snapshots", "stack", "standing", "state", "status"),
        *("task_id", "tool", "tool_calls", "topic", "total_ms", "trace_id", "tries"),
        *("usd_nanos", "used_bytes", "waiting", "where", "window_start", "worker", "workers"),
    )
)
"""Every field that an event may have."""

_PLAIN = re.compile(r"[\w./:@+-]+")
_EVENT = re.compile(r"[a-z][a-z0-9_]*")
_RECORD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest are the event's fields."""
_CREDENTIAL = re.compile(
    r"""(?:sk|pk|gsk|xai|ghp|gho|hf|nvapi|pplx|csk|r8|AKIA|AIza|ya29|omni)[-_.A-Za-z0-9]{16,}
      | (?:Bearer|Basic)\s+[^\s"',;]{6,}
      | (?<=://)[^\s/@:]+:[^\s/@]+(?=@)
      | eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*
    """,
    re.VERBOSE,
)
"""Keys by how they begin, credentials of headers, of URLs, and signed tokens."""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SET_IN = "    "


class LineFormatter(logging.Formatter):
    """Writes a record as one line of text; the traceback of a failure follows it, set in."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s")

    def format(self, record: logging.LogRecord) -> str:
        """Give the line with the record's own fields at its end."""
        record.asctime = self.formatTime(record, self.datefmt)
        words, fields = told(record)
        parts = [self.formatMessage(record), words]
        parts += [f"{name}={_shown(value)}" for name, value in fields.items()]
        lines = [" ".join(parts)]
        lines += [_SET_IN + _one_line(line) for line in _trace(record)]
        return "\n".join(lines)


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON; a traceback is a list of lines in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        words, fields = told(record)
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "event": words,
            **fields,
        }
        found = list(_trace(record))
        if found:
            line["traceback"] = found
        # ASCII alone: no reader takes U+2028 or a half of a pair for the end of a line.
        return json.dumps(line, default=str)


def told(record: logging.LogRecord) -> tuple[str, dict[str, object]]:
    """Give what a record says: an event's name and the fields that may be written."""
    if _is_own(record.name):
        event = str(record.msg)
        if not _EVENT.fullmatch(event):
            return "unnamed_event", {"where": _where(record)}
        return event, dict(_fields(record))
    if record.name.partition(".")[0] in TOLD_LIBRARIES:
        words = without_secrets(record.getMessage().partition("\n")[0])[:FIELD_CHARS_MAX]
        return LIBRARY, {"detail": words}
    return LIBRARY, {"where": _where(record)}


def without_secrets(text: str) -> str:
    """Give a text in which what looks like a credential is replaced."""
    return _CREDENTIAL.sub("[secret]", text)


def _is_own(name: str) -> bool:
    return name == OWN_LOGGER or name.startswith(f"{OWN_LOGGER}.")


def _where(record: logging.LogRecord) -> str:
    return f"{record.module}:{record.lineno}"


def _fields(record: logging.LogRecord) -> Iterator[tuple[str, object]]:
    for name, value in vars(record).items():
        if name in _RECORD or name not in FIELDS or value is None or value == "":
            continue
        yield name, _safe(value)


def _safe(value: object) -> object:
    """Give a value as it may be written: numbers as they are, all else as text, in bounds."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_safe(one) for one in value[:FRAMES_MAX]]
    return without_secrets(str(value))[:FIELD_CHARS_MAX]


def _trace(record: logging.LogRecord) -> Iterator[str]:
    """Give the lines of a failure's traceback: where it was, and what kind of failure."""
    error = record.exc_info[1] if record.exc_info else None
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for frame in traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]:
            yield f"{frame.filename}:{frame.lineno} in {frame.name}"
        yield _named(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if error is not None:
            yield "which came of:"


def _named(error: BaseException) -> str:
    kind = f"{type(error).__module__}.{type(error).__qualname__}".removeprefix("builtins.")
    if isinstance(error, RoutingError | OSError):
        return f"{kind}: {without_secrets(str(error))[:FIELD_CHARS_MAX]}"
    return kind


def _shown(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else _one_line(json.dumps(text, ensure_ascii=False))


def _one_line(text: str) -> str:
    """Give a text in which what could end its line, or turn it around, is escaped."""
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
