"""A session is what the client says it is, in its own header or field."""

import json
from contextlib import suppress

import pytest

from omniroute.routing.errors import BadRequest
from omniroute.routing.wire.sessions import NAME_BYTES_MAX, session_id, session_of
from omniroute.routing.wire.splice import fields_of

UUID = "0199e2a0-7b1c-7c52-9a51-0242ac120002"
CODE_USER = json.dumps({"device_id": "d", "session_id": UUID})
OLDER_USER = f"user_0123abcd_account__session_{UUID}"


def named(headers: list[tuple[bytes, bytes]], body: bytes) -> str | None:
    """The session of a request; a body that is no JSON object never comes so far."""
    with suppress(BadRequest):
        return session_of(headers, fields_of(body))
    return None


@pytest.mark.parametrize(
    ("client", "header"),
    [
        ("anyone", b"x-omniroute-session"),
        ("OpenCode", b"x-session-id"),
        ("Claude Code", b"x-claude-code-session-id"),
        ("Codex", b"session-id"),
        ("older Codex", b"session_id"),
        ("Codex's threads", b"thread-id"),
        ("xAI's clients", b"x-grok-conv-id"),
        ("OpenCode without a session", b"x-session-affinity"),
    ],
)
def test_a_clients_own_header_names_its_session(client: str, header: bytes) -> None:
    headers = [(b"host", b"127.0.0.1"), (header, UUID.encode()), (b"user-agent", b"any")]

    assert named(headers, b"{}") == UUID


@pytest.mark.parametrize(
    ("client", "fields"),
    [
        ("Codex", {"prompt_cache_key": UUID}),
        ("OpenAI's clients", {"conversation": UUID}),
        ("OpenAI's clients by object", {"conversation": {"id": UUID}}),
        ("Claude Code", {"metadata": {"user_id": CODE_USER}}),
        ("older Claude Code", {"metadata": {"user_id": OLDER_USER}}),
        ("anyone", {"metadata": {"session_id": UUID}}),
    ],
)
def test_a_clients_own_field_names_its_session(client: str, fields: dict[str, object]) -> None:
    body = json.dumps({"model": "auto", "messages": [], **fields}).encode()

    assert named([], body) == UUID


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"metadata": 1}',
        b'{"metadata": {"user_id": "someone"}}',
        b'{"metadata": {"user_id": "{"}}',
        b'{"metadata": {"user_id": "{}"}}',
        b'{"metadata": {"user_id": {"session_id": "x"}}}',
        b'{"prompt_cache_key": 7}',
        b'{"prompt_cache_key": ""}',
        b'{"messages": [{"role": "user", "content": "\\"prompt_cache_key\\": \\"x\\""}]}',
        b'{"tools": [{"prompt_cache_key": "not at the top"}]}',
        b'{"metadata": "\xff"}',
        b'{"metadata": ' + b"[" * 100_000,
    ],
)
def test_a_body_that_names_no_session_has_none(body: bytes) -> None:
    assert named([(b"host", b"127.0.0.1"), (b"session-id", b"")], body) is None


def test_the_strongest_header_wins_wherever_it_stands_and_over_the_body() -> None:
    headers = [
        (b"session-id", b"third"),
        (b"x-omniroute-session", b"ours"),
        (b"x-session-id", b"2"),
    ]

    assert named(headers, b'{"prompt_cache_key": "body"}') == "ours"


def test_a_name_is_read_up_to_its_bound() -> None:
    long = b"n" * (2 * NAME_BYTES_MAX)

    in_header = named([(b"session-id", long)], b"{}")
    in_body = named([], b'{"prompt_cache_key": "' + long + b'"}')

    assert in_header == in_body == "n" * NAME_BYTES_MAX


def test_a_sessions_id_is_the_keys_own_and_tells_nothing_of_its_name() -> None:
    mine, theirs = session_id("key_a", UUID), session_id("key_b", UUID)

    assert mine == session_id("key_a", UUID)
    assert mine != theirs
    assert mine.startswith("ses_")
    assert UUID not in mine


def test_a_key_may_name_a_session_by_its_id_and_no_other_key_may() -> None:
    mine = session_id("key_a", UUID)

    assert session_id("key_a", mine) == mine
    assert session_id("key_b", mine) not in {mine, session_id("key_b", UUID)}
    assert session_id("key_a", mine[:-1] + "x") != mine[:-1] + "x"
