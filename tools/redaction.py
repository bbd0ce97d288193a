"""What may be kept of a tool's arguments and results: figures and names, never free text.

A value is told by the name of its field. Numbers and booleans are kept. A text is kept where its
field holds a name or a choice (KEPT) and the text looks like one; of any other text only its
length is told, so no prompt, answer, session or key ends up in the audit. A field that nobody
thought of is therefore not told.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

KEPT = frozenset(
    (
        "account",
        "action",
        "at",
        "budgetId",
        "capabilities",
        "capability",
        "cheapestModel",
        "cheapestProvider",
        "chosen",
        "circuitBreakerState",
        "combo",
        "comboId",
        "comboUsed",
        "connectionId",
        "degradeToTier",
        "dimension",
        "error",
        "failure",
        "fallbacks",
        "fastestModel",
        "fastestProvider",
        "finishReason",
        "generatedAt",
        "healthStatus",
        "id",
        "kind",
        "lastFailure",
        "likelyModel",
        "model",
        "modelServed",
        "modelUsed",
        "name",
        "openCircuits",
        "period",
        "primary",
        "profile",
        "provider",
        "providerSelected",
        "requestId",
        "resetAt",
        "role",
        "runnerUp",
        "sessionOf",
        "sessionStart",
        "since",
        "snapshotId",
        "source",
        "state",
        "status",
        "strategy",
        "target",
        "taskType",
        "timestamp",
        "tokenExpiresAt",
        "tokenStatus",
        "version",
    )
)
"""Fields that hold a name, a choice or a moment."""
ITEMS_MAX = 20
"""Members told of a list or an object; the rest is counted."""
DEPTH_MAX = 8
MORE = "..."

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:@+*-]{0,99}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_SECRET = re.compile(r"(?i)((sk|pk|rk|gsk|xai|ghp|github_pat|bearer)[-_]|akia|aiza).*")


def redacted(value: Any, *, items_max: int = ITEMS_MAX) -> Any:
    """Give a JSON value with its free texts replaced by their lengths."""
    return _told(value, "", items_max, DEPTH_MAX)


def shown(value: Any, *, chars_max: int, items_max: int = ITEMS_MAX) -> str:
    """Give a value as redacted JSON, cut with an ellipsis."""
    return cut(msgspec.json.encode(redacted(value, items_max=items_max)).decode(), chars_max)


def cut(text: str, chars_max: int) -> str:
    """Give the beginning of a text, as a database can keep it."""
    whole = text[: chars_max + 1].encode("utf-8", "replace").decode().replace("\0", "?")
    return whole if len(whole) <= chars_max else f"{whole[: chars_max - len(MORE)]}{MORE}"


def name_only(text: str) -> str:
    """Give a text that looks like a name as it is, and of any other its length."""
    return text if _NAME.fullmatch(text) and not _SECRET.fullmatch(text) else _length(text)


def _length(text: str) -> str:
    return f"[{len(text)} characters]"


def _told(value: Any, field: str, items_max: int, depth: int) -> Any:
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if abs(value) < 2**63 else "[a number]"
        case str():
            return name_only(value) if field in KEPT else _length(value)
        case Mapping() if depth:
            return _members(value, items_max, depth - 1)
        case list() | tuple() if depth:
            return _items(value, field, items_max, depth - 1)
        case _:
            return f"[{type(value).__name__}]"


def _members(given: Mapping[Any, Any], items_max: int, depth: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for number, (name, value) in enumerate(given.items()):
        if number == items_max:
            told[MORE] = len(given) - items_max
            break
        field = name if _FIELD.fullmatch(str(name)) else f"[name {number}]"
        told[field] = _told(value, field, items_max, depth)
    return told


def _items(given: Sequence[Any], field: str, items_max: int, depth: int) -> list[Any]:
    told = [_told(one, field, items_max, depth) for one in given[:items_max]]
    more = len(given) - items_max
    return [*told, f"[{more} more]"] if more > 0 else told
