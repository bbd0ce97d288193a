"""Every fault that a simulated provider can produce, one row each.

The rows follow section 3 of the project's fault catalogue (reliability reference, rows 1-7,
8 in part, 10-23). Three ways to go wrong:

- a Refusal answers with an error status, in the dialect's own error body;
- an Edit changes what is said: usage, model name, arguments, endings;
- an Effect disturbs the connection at a place in the answer.

"After n" counts the pieces of the answer that were sent before: text, reasoning or
arguments. In an answer that is not streamed the place is the middle of its body.

Not here, because a server in plain HTTP cannot produce them: TLS faults (expired or wrong
certificates), name resolution, and a connect that is never accepted. A port where nobody
listens is a refused connect; `connection_refused` is its closest relative that can be asked
for by name: the connection is reset before a single byte.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ..conversation import Usage
from ..errors import FailureKind
from .script import Asked, Breakdown, Effect, Refusal, Script, Speech, Step, ToolUse

SECONDS_DEFAULT = 600.0
SIZE_DEFAULT = 5 * 2**20
OTHER_MODEL = "another-model"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an Edit acts, and with how much."""

    after: int
    size: int


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of the Script; a pure function."""

    apply: Callable[[Script, Asked, Place], Script]


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a provider fails.

    Attributes:
        name: what is written after `fault=`.
        does: what a client of the provider sees.
        how: what makes it happen.
        kind: how a gateway should class it; None when the answer stays usable.
        after: how many pieces come before it, unless the request says otherwise.
        seconds: how long it lasts, unless the request says otherwise.
    """

    name: str
    does: str
    how: Refusal | Edit | Effect
    kind: FailureKind | None = None
    after: int = 2
    seconds: float = SECONDS_DEFAULT


def _without_usage(script: Script, asked: Asked, place: Place) -> Script:
    return replace(script, usage=None)


def _with_absurd_usage(script: Script, asked: Asked, place: Place) -> Script:
    return replace(script, usage=Usage(input_tokens=-1, output_tokens=10**12))


def _as_other_model(script: Script, asked: Asked, place: Place) -> Script:
    return replace(script, model=OTHER_MODEL)


def _finished_twice(script: Script, asked: Asked, place: Place) -> Script:
    return replace(script, endings=2)


def _unterminated(script: Script, asked: Asked, place: Place) -> Script:
    return replace(script, terminated=False)


def _empty(script: Script, asked: Asked, place: Place) -> Script:
    return replace(script, steps=(), finish="stop")


def _with_broken_arguments(script: Script, asked: Asked, place: Place) -> Script:
    names = [asked.named] if asked.named else [tool.name for tool in asked.tools]
    name = names[0] if names else "simulated_tool"
    step = ToolUse(name, ('{"simul', 'ated": ["never', ' closed"'))
    return replace(script, steps=(step,), finish="tool_calls")


def _with_huge_piece(script: Script, asked: Asked, place: Place) -> Script:
    return _cut(script, place.after, Speech(("x" * place.size,)))


def _broken_down(script: Script, asked: Asked, place: Place) -> Script:
    return _cut(script, place.after, Breakdown(_OVERLOADED))


def _broken_down_at_once(script: Script, asked: Asked, place: Place) -> Script:
    return replace(script, steps=(Breakdown(_OVERLOADED),))


def _cut(script: Script, after: int, last: Step) -> Script:
    """Keep the first pieces and put a last step in place of the rest, never at the start."""
    kept: list[Step] = []
    left = max(min(after, script.pieces - 1), 1)
    for step in script.steps:
        if isinstance(step, Breakdown) or left <= 0:
            break
        kept.append(replace(step, pieces=step.pieces[:left]))
        left -= len(step.pieces)
    return replace(script, steps=(*kept, last))


_OVERLOADED = Refusal("overloaded", 529, "the simulated provider is overloaded")
_RATE = "the simulated rate limit of this model is reached"

_REFUSALS = (
    Fault(
        "rate_limited",
        "429 with Retry-After in seconds (Gemini: RetryInfo in the body instead)",
        Refusal("rate", 429, _RATE, retry="seconds"),
        "rate_limited",
    ),
    Fault(
        "rate_limited_date",
        "429 with Retry-After as an HTTP date",
        Refusal("rate", 429, _RATE, retry="date"),
        "rate_limited",
    ),
    Fault(
        "rate_limited_silent",
        "429 without Retry-After",
        Refusal("rate", 429, _RATE),
        "rate_limited",
    ),
    Fault(
        "quota_exhausted",
        "429 insufficient_quota (Anthropic: 402 billing_error): no credit is left",
        Refusal("quota", 429, "the simulated account has no credit left"),
        "quota_exhausted",
    ),
    Fault(
        "spend_limit",
        "429 without Retry-After: a monthly spend limit is reached",
        Refusal("spend", 429, "the simulated spend limit of this month is reached"),
        "quota_exhausted",
    ),
    Fault(
        "server_error",
        "500",
        Refusal("server", 500, "the simulated provider had an internal error"),
        "server_error",
    ),
    Fault(
        "bad_gateway",
        "502 in the dialect's error body",
        Refusal("server", 502, "the simulated provider's own upstream failed"),
        "server_error",
    ),
    Fault(
        "unavailable",
        "503",
        Refusal("server", 503, "the simulated provider is unavailable"),
        "server_error",
    ),
    Fault(
        "gateway_timeout",
        "504",
        Refusal("server", 504, "the simulated provider's own upstream timed out"),
        "server_error",
    ),
    Fault("overloaded", "529 overloaded", _OVERLOADED, "overloaded"),
    Fault(
        "bad_key",
        "401 (Gemini: 400 API_KEY_INVALID)",
        Refusal("bad_key", 401, "the API key is not known to the simulated provider"),
        "auth",
    ),
    Fault(
        "forbidden",
        "403",
        Refusal("forbidden", 403, "the API key may not use this simulated model"),
        "auth",
    ),
    Fault(
        "context_too_long",
        "400: the prompt does not fit the model's context",
        Refusal("context", 400, "prompt is too long: 300000 tokens > 200000 maximum (simulated)"),
        "context_too_long",
    ),
    Fault(
        "content_policy",
        "400 content policy (Gemini: 200 with promptFeedback.blockReason, streamed or not)",
        Refusal("policy", 400, "the simulated content policy refuses this prompt"),
        "content_policy",
    ),
    Fault(
        "model_gone",
        "404: the model does not exist",
        Refusal("not_found", 404, "the simulated model does not exist or is retired"),
        "model_gone",
    ),
)

_EDITS = (
    Fault("usage_missing", "no usage is reported", Edit(_without_usage)),
    Fault("usage_absurd", "usage of -1 and 1e12 tokens", Edit(_with_absurd_usage)),
    Fault("other_model", f"the answer says it is from {OTHER_MODEL}", Edit(_as_other_model)),
    Fault("finish_twice", "the stream's finish event comes twice", Edit(_finished_twice)),
    Fault(
        "terminator_missing",
        "the finish is said, the last event ([DONE], message_stop) is missing; in the "
        "dialects whose finish is the last event, that one is missing",
        Edit(_unterminated),
    ),
    Fault("empty_answer", "a well-formed answer without content", Edit(_empty)),
    Fault(
        "tool_json_broken",
        "a tool call whose arguments are not JSON (Gemini: MALFORMED_FUNCTION_CALL)",
        Edit(_with_broken_arguments),
    ),
    Fault("huge_event", "one event of 5 MiB (`size`)", Edit(_with_huge_piece), "too_large"),
    Fault(
        "error_first",
        "an error event inside a 200 stream before any content; not streamed: 529",
        Edit(_broken_down_at_once),
        "overloaded",
    ),
    Fault(
        "error_later",
        "an error event inside a 200 stream after content; not streamed: 529",
        Edit(_broken_down),
        "overloaded",
    ),
)

_EFFECTS = (
    Fault(
        "connection_refused",
        "the connection is reset before a byte",
        "refuse_connection",
        "connect",
    ),
    Fault(
        "slow_first_byte",
        "nothing, not even a status line, for `seconds`",
        "slow_head",
        "timeout_first_byte",
    ),
    Fault(
        "slow_first_event",
        "status and headers at once, then nothing for `seconds`",
        "slow_event",
        "timeout_first_byte",
    ),
    Fault(
        "keep_alives_only",
        "status at once, then keep-alives without content for `seconds`",
        "keep_alives",
        "timeout_first_byte",
    ),
    Fault("stall", "nothing for `seconds` in the middle", "stall", "timeout_idle"),
    Fault("reset", "the connection is reset in the middle", "reset", "truncated"),
    Fault(
        "hang_up",
        "the connection is closed in the middle, without the end of the HTTP message",
        "hang_up",
        "truncated",
    ),
    Fault(
        "stops_early",
        "the HTTP message ends well in the middle of the answer",
        "stop_early",
        "truncated",
    ),
    Fault(
        "malformed_line",
        "one event is not in event-stream form: its JSON stands without `data:`",
        "bad_line",
        "malformed",
    ),
    Fault("malformed_json", "one event holds half of its JSON", "bad_json", "malformed"),
    Fault(
        "short_body",
        "content-length promises twice what is sent before the connection closes",
        "short_body",
        "truncated",
    ),
    Fault("html", "200 with an HTML page", "html", "malformed"),
    Fault(
        "html_502", "502 with an HTML page, as a proxy in front says it", "html_502", "server_error"
    ),
    Fault("error_as_200", "200 with the dialect's error body", "error_as_200", "server_error"),
    Fault("gzip", "the body is gzipped though identity was asked for", "gzip"),
    Fault("early_hints", "a 103 comes before the answer", "early_hints"),
    Fault(
        "close_after_head",
        "the connection closes after status and headers",
        "close_after_head",
        "truncated",
    ),
)

FAULTS: dict[str, Fault] = {row.name: row for row in (*_REFUSALS, *_EDITS, *_EFFECTS)}
