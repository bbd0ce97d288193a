"""Which headers and query fields pass between a client and a provider of the same dialect.

A vendor's clients and servers tell each other more than their bodies do: the version and the
betas that the client speaks, ids for prompt caches, limits that are left. Where both sides speak
one dialect these pass, by what their names begin with, so that a new one of tomorrow passes, too.

What does not pass, and why:
- credentials, and whose bill it is (an organization, a project): the account is the gateway's;
- what describes a client's machine (`x-stainless-*`, `user-agent`, `x-app`): nobody needs it;
- a request id of the provider: the answer's `x-request-id` is ours, which `explain` knows. Only
  Anthropic's has a name of its own;
- fields of a query that are not in the table: some servers read a key or a model there.

Sources: the clients' requests as they were seen in 2026-11; Anthropic API reference, "Errors",
"Rate limits" and "Beta headers"; OpenAI API reference, "Debugging requests"; xAI, "Maximizing
cache hits"; OpenRouter, "App attribution"; all read 2026-11.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from omniroute.routing.model import Dialect

from ..exchange import Head, Header

ANSWERS_MAX = 256
"""Sets of names that providers' answers have, whose passing is remembered."""
SILENT_MAX = 1024
"""Names that do not pass, which are remembered."""
PASSED_MAX = 32
"""The most headers of a request that pass."""

_NEVER = re.compile(rb"auth|key|token|secret|cookie|password|credential|jwt|organization|project")
_COUNTS = re.compile(rb"-tokens(?:-|$)")
"""Names that count tokens, which are no credentials."""
_PLAIN = re.compile(rb"[\t\x20-\x7e]*")


@dataclass(frozen=True, slots=True)
class Passing:
    """What passes in one dialect.

    Attributes:
        asked: beginnings of names that pass to the provider; a whole name is one as well.
        answered: beginnings of names that pass to the client.
        query: fields of the query that pass to the provider.
    """

    asked: tuple[bytes, ...]
    answered: tuple[bytes, ...]
    query: frozenset[bytes] = frozenset()


_BETA = frozenset({b"beta"})
"""The SDKs of OpenAI and Anthropic send it with their beta resources."""
_OPENAI_ANSWERED = (
    *(b"openai-", b"x-ratelimit-", b"x-should-retry", b"retry-after"),
    # What Codex shows of an account's limits, and notices of its catalogue.
    *(b"x-codex-", b"x-models-etag", b"x-reasoning-included"),
)
PASSING: dict[Dialect, Passing] = {
    "openai_chat": Passing(
        asked=(
            *(b"openai-", b"x-client-request-id"),
            # OpenRouter counts applications by them.
            *(b"http-referer", b"x-title", b"x-openrouter-"),
            # Where a provider keeps a conversation's prompt: xAI, Fireworks and who do as they do.
            *(b"x-grok-conv-id", b"x-session-affinity"),
        ),
        answered=_OPENAI_ANSWERED,
        query=_BETA,
    ),
    "openai_responses": Passing(
        asked=(
            *(b"openai-", b"x-client-request-id", b"x-openai-"),
            # Codex.
            *(b"x-codex-", b"originator", b"session-id", b"thread-id", b"conversation-id"),
            *(b"session_id", b"conversation_id", b"x-session-affinity"),
        ),
        answered=_OPENAI_ANSWERED,
        query=_BETA,
    ),
    "anthropic": Passing(
        asked=(b"anthropic-", b"x-claude-code-session-id"),
        answered=(b"anthropic-", b"request-id", b"x-should-retry", b"retry-after"),
        query=_BETA,
    ),
    "gemini": Passing(
        asked=(b"x-goog-", b"x-gemini-"),
        answered=(b"x-gemini-", b"x-goog-", b"retry-after"),
    ),
}

# A browser's permission to call the vendor itself: no provider has to know of it.
_OURS = frozenset({b"anthropic-dangerous-direct-browser-access"})


Passed = tuple[tuple[tuple[str, str], ...], str]
"""Headers and query that pass to a provider."""
NOTHING: Passed = ((), "")


def passed_of(head: Head, dialect: Dialect) -> Passed:
    """Give what of a request's head passes, and note it there: heads that are alike share one."""
    passed = asked_headers(dialect, head.headers), asked_query(dialect, head.query)
    head.passed = found = passed if any(passed) else NOTHING
    return found


def asked_headers(dialect: Dialect, headers: Iterable[Header]) -> tuple[tuple[str, str], ...]:
    """Give the headers of a client that pass to a provider of its dialect.

    One that comes several times is a list, and leaves as one.
    """
    begins = PASSING[dialect].asked
    passed: dict[str, str] = {}
    for name, value in headers:
        if name.startswith(begins) and name not in _OURS and _may_pass(name, value):
            known, text = name.decode("ascii"), value.decode("ascii")
            passed[known] = f"{passed[known]}, {text}" if known in passed else text
    return tuple(passed.items())[:PASSED_MAX]


def asked_query(dialect: Dialect, query: bytes) -> str:
    """Give the fields of a client's query that pass to a provider of its dialect."""
    passing = PASSING[dialect].query
    if not query or not passing:
        return ""
    kept = [one for one in query.split(b"&") if one.partition(b"=")[0] in passing]
    return b"&".join(kept).decode("ascii", "replace")


def answered_lines(dialect: Dialect, headers: Mapping[bytes, bytes]) -> bytes:
    """Give the lines of a provider's answer that pass to a client of its dialect."""
    # Most answers have no other names than those of answers before, and none that passes.
    if _silent.issuperset(headers):
        return b""
    names = _answered(dialect, tuple(headers))
    return b"".join(
        [b"%b: %b\r\n" % (name, headers[name]) for name in names if _PLAIN.fullmatch(headers[name])]
    )


_ANSWERED = tuple({begin for passing in PASSING.values() for begin in passing.answered})
_silent: set[bytes] = set()
"""Names that pass to no client, as far as they were met."""


@lru_cache(ANSWERS_MAX)
def _answered(dialect: Dialect, names: tuple[bytes, ...]) -> tuple[bytes, ...]:
    begins = PASSING[dialect].answered
    for name in names:
        if not name.startswith(_ANSWERED) and len(_silent) < SILENT_MAX:
            _silent.add(name)
    return tuple([name for name in names if name.startswith(begins) and _may_pass(name, b"")])


def _may_pass(name: bytes, value: bytes) -> bool:
    """Whether a header holds no credential by its name, and only what any server takes."""
    counted = _COUNTS.sub(b"", name)
    return _NEVER.search(counted) is None and _PLAIN.fullmatch(value) is not None
