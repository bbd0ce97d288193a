"""The record of tool calls: who called what when, in which era, and what became of it.

Every tools/call of a known key is recorded once, also one that is refused for its scope or its
name, or cancelled: cancelled is not failed. What is kept of arguments and results is told in
redaction.py; of a key that keeps no content neither is kept, and no hash of the arguments.

Recording never waits and never fails: `Audit.record` queues, and the store's writer keeps the
call, off the path of its answer. Imports nothing of the MCP SDK: the door records its refusals
before the SDK is there.
"""

import hashlib
import json
import re
from asyncio import CancelledError
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Protocol

from msgspec import Struct

from omniroute.routing.errors import NotAllowed
from omniroute.routing.model import Caller
from omniroute.routing.ports import Clock

from .redaction import cut, name_only, shown

Outcome = Literal["answered", "failed", "refused", "cancelled"]
"""refused: it never ran, as its key may not or no such tool exists."""

TRANSPORT_HEADER = b"x-omniroute-transport"
"""Says "stdio" where our relay sends a request; who sends it can say what they like."""
REQUEST_ID_PLACE = "omniroute.request_id"
"""Where the scope of an HTTP request holds the id that its answer names."""
TRACE_PLACE = "omniroute.traceparent"
"""Where the scope of an HTTP request holds the span that it is answered in, if anybody traces."""
SCOPE_DENIED = "scope_denied"
UNKNOWN_TOOL = "unknown_tool"
TOOL_ERROR = "tool_error"
"""The code of a tool error that names none."""
SUMMARY_CHARS_MAX = 200
SUMMARY_ITEMS_MAX = 5
ARGUMENTS_CHARS_MAX = 2_000
CODE_CHARS_MAX = 80

_ERA = re.compile(r"\d{4}-\d{2}-\d{2}")


class ToolCall(Struct, frozen=True, gc=False):
    """One call of a tool, as it is kept.

    Attributes:
        call_id: the request id of ours that answers and the log name, too.
        tool: as the client named it; of what is no name its length.
        error: the code of what went wrong, None where nothing did.
        arguments_hash: SHA-256 of the arguments as JSON, keys sorted, in hex; None where nothing
            of the arguments is kept.
        arguments: redacted JSON; None unless the setting asks for them.
        summary: of the result, redacted, or of the error in words.
        era: the version of the protocol that was spoken, None where that was not said.
        transport: http, stdio or memory.
    """

    call_id: str
    key_id: str
    tool: str
    at_unix_s: float
    duration_ms: int
    outcome: Outcome
    error: str | None
    arguments_hash: str | None
    arguments: str | None
    summary: str | None
    era: str | None
    transport: str


class Audit(Protocol):
    """Keeps calls.

    Attributes:
        keeps_arguments: whether redacted arguments are wanted.
    """

    @property
    def keeps_arguments(self) -> bool: ...

    def record(self, call: ToolCall) -> None:
        """Keep a call; never waits, never fails."""
        ...


class Asked(Struct, frozen=True):
    """A call as it arrives."""

    call_id: str
    caller: Caller
    tool: str
    arguments: Mapping[str, Any]
    era: str | None
    transport: str


class Trail:
    """Records calls, whatever becomes of them."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock

    def follow(self, asked: Asked) -> "Followed":
        """Give the context in which a call runs; it is recorded when that ends."""
        return Followed(self, asked, self._clock.now(), self._clock.unix())

    def denied(self, asked: Asked, error: NotAllowed) -> None:
        """Record a call that was refused for its scope before anything was done for it."""
        with self.follow(asked) as followed:
            followed.denied(error.scope, str(error))

    def keep(self, followed: "Followed") -> None:
        """Record a call that is over."""
        asked = followed.asked
        keeps = asked.caller.keep_content
        arguments = None
        if keeps and self._audit.keeps_arguments:
            arguments = shown(asked.arguments, chars_max=ARGUMENTS_CHARS_MAX)
        call = ToolCall(
            call_id=asked.call_id,
            key_id=asked.caller.key_id,
            tool=name_only(asked.tool),
            at_unix_s=followed.at_unix_s,
            duration_ms=round((self._clock.now() - followed.began_s) * 1000),
            outcome=followed.outcome,
            error=None if followed.error is None else cut(followed.error, CODE_CHARS_MAX),
            arguments_hash=hash_of(asked.arguments) if keeps else None,
            arguments=arguments,
            summary=followed.summary if keeps else None,
            era=asked.era if asked.era is not None and _ERA.fullmatch(asked.era) else None,
            transport=asked.transport,
        )
        self._audit.record(call)


class Followed:
    """One call under way. Without a word from who runs it, it counts as answered."""

    def __init__(self, trail: Trail, asked: Asked, began_s: float, at_unix_s: float) -> None:
        self.asked = asked
        self.began_s = began_s
        self.at_unix_s = at_unix_s
        self.outcome: Outcome = "answered"
        self.error: str | None = None
        self.summary: str | None = None
        self._trail = trail

    def __enter__(self) -> "Followed":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, CancelledError):
            self.outcome, self.error, self.summary = "cancelled", None, None
        elif error is not None and self.error is None:
            self.failed(type(error).__name__, "")
        self._trail.keep(self)

    def gave(self, result: object) -> None:
        """Note the result."""
        self.summary = shown(result, chars_max=SUMMARY_CHARS_MAX, items_max=SUMMARY_ITEMS_MAX)

    def failed(self, code: str, words: str) -> None:
        """Note that it went wrong, and how."""
        self.outcome, self.error, self.summary = "failed", code, cut(words, SUMMARY_CHARS_MAX)

    def denied(self, scope: str | None, words: str) -> None:
        """Note that its key lacks a scope."""
        self.refused(SCOPE_DENIED if scope is None else f"{SCOPE_DENIED}:{scope}", words)

    def refused(self, code: str, words: str) -> None:
        """Note that it was not run, and why."""
        self.failed(code, words)
        self.outcome = "refused"


def hash_of(arguments: Mapping[str, Any]) -> str | None:
    """Give the SHA-256 of arguments, the same for the same values in any order of their names.

    None for arguments that are nested too deep to be written.
    """
    try:
        text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    except (RecursionError, ValueError):
        return None
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
