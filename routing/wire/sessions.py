"""Which requests belong together: the session that a client names, in its own words.

Clients say it differently, in a header or in the body; the two tables here say where each one
does. A header wins over the body, and of several the first in the table wins. Nothing is made
up: a request that names no session has none.

What a client wrote is never kept. A session's id is a hash over the key that asked and the
name it gave, so two keys that name the same session never meet, and a record tells nothing of
how a client names things.

Source: the clients' requests as they were seen in 2026-11; OpenAI API reference,
"prompt_cache_key" and "conversation"; xAI, "Maximizing cache hits"; read 2026-11.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

import msgspec

HEADERS: dict[bytes, int] = {
    name: place
    for place, name in enumerate(
        (
            b"x-omniroute-session",  # ours
            b"x-session-id",  # OpenCode, Kilo, Cline
            b"x-claude-code-session-id",  # Claude Code
            b"session-id",  # Codex
            b"session_id",  # older Codex
            b"thread-id",  # Codex, of one thread of a session
            b"conversation_id",  # older Codex
            b"x-grok-conv-id",  # xAI's clients
            b"x-session-affinity",  # OpenCode, where it names no session
        )
    )
}
"""The headers that name a session, strongest first."""

NAME_BYTES_MAX = 512
"""The most that is read of a name."""
DIGEST_BYTES = 12
CHECK_BYTES = 4

_NONE = len(HEADERS)
_MARK = "ses_"
_OLDER_MARK = "_session_"


class _Metadata(msgspec.Struct):
    session_id: str | None = None
    user_id: str | None = None


class _Conversation(msgspec.Struct):
    id: str | None = None


class _Body(msgspec.Struct):
    prompt_cache_key: str | None = None
    metadata: _Metadata | None = None
    conversation: str | _Conversation | None = None


class _User(msgspec.Struct):
    session_id: str | None = None


_FIELDS = frozenset(_Body.__struct_fields__)
_bodies = msgspec.json.Decoder(_Body)
_users = msgspec.json.Decoder(_User)


def session_of(
    headers: Iterable[tuple[bytes, bytes]], fields: Mapping[str, msgspec.Raw]
) -> str | None:
    """Give the name of the request's session, None where the client names none.

    Args:
        headers: of the request, names in lower case.
        fields: of the client's body, in any dialect.
    """
    best, found = _NONE, b""
    for name, value in headers:
        if name in HEADERS and HEADERS[name] < best and value:
            best, found = HEADERS[name], value
    if found:
        return found[:NAME_BYTES_MAX].decode("latin-1")
    return None if _FIELDS.isdisjoint(fields) else _in_body(fields)


def session_id(key_id: str, name: str) -> str:
    """Give the id of a key's session: `ses_` and 32 hex digits.

    A key may also name a session by the id that its records have: such an id is given back. The
    last 8 digits tell whose id it is, so another key's is a name like any other.
    """
    own = name[len(_MARK) : len(_MARK) + 2 * DIGEST_BYTES]
    if name.startswith(_MARK) and name == _checked(key_id, own):
        return name
    return _checked(key_id, _hash(f"{key_id}\0{name}", DIGEST_BYTES))


def _checked(key_id: str, digest: str) -> str:
    return _MARK + digest + _hash(f"{key_id}\0{digest}\0", CHECK_BYTES)


def _hash(text: str, size: int) -> str:
    return blake2b(text.encode(), digest_size=size).hexdigest()


def _in_body(fields: Mapping[str, msgspec.Raw]) -> str | None:
    """Give what the body names: OpenAI's cache key or conversation, or a session in the metadata.

    Claude Code puts it into `metadata.user_id`, as JSON within the string; older ones as
    `user_..._session_...`.
    """
    named = {name: fields[name] for name in _FIELDS if name in fields}
    try:
        body = _bodies.decode(msgspec.json.encode(named))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None  # another shape than those that name a session
    name, metadata, conversation = body.prompt_cache_key, body.metadata, body.conversation
    if not name:
        name = conversation.id if isinstance(conversation, _Conversation) else conversation
    if not name and metadata is not None:
        name = metadata.session_id or _of_user(metadata.user_id or "")
    return name[:NAME_BYTES_MAX] if name else None


def _of_user(user_id: str) -> str | None:
    if not user_id.startswith("{"):
        return user_id.partition(_OLDER_MARK)[2] or None
    try:
        return _users.decode(user_id).session_id
    except (msgspec.MsgspecError, RecursionError):
        return None
