"""Log lines: when, how grave, who, the event's name, and its fields as name=value.

A value that has anything but plain letters in it is written as a JSON string, so that a line
stays one line and a field one field, whatever a provider or a client wrote.
"""

import json
import logging
import re

_PLAIN = re.compile(r"[\w./:@+-]+")
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; the rest are the event's fields."""


class LineFormatter(logging.Formatter):
    """Writes a record as one line; the traceback of a failure follows it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base's name
        """Give the line with the record's own fields at its end."""
        fields = [
            f" {name}={_shown(value)}"
            for name, value in vars(record).items()
            if name not in _OWN and value not in {None, ""}
        ]
        return super().formatMessage(record) + "".join(fields)


def _shown(value: object) -> str:
    text = str(value)
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)
