"""How an account proves itself to its provider, and which headers may leave with a call.

A dialect has its own header for the credential, and a provider's row may name another one; an
account that wants yet another gives it in its `headers`, and then ours is not sent. Headers of
a call come from the door's allow list; the names in NEVER_FROM_A_CALL do not pass even if a
door lets them through, so that a client's credential never reaches a provider.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..catalog.providers import Auth, provider_named
from ..errors import UpstreamFailure
from ..model import Account, Dialect
from .credentials import is_document
from .sigv4 import aws_keys

Headers = tuple[tuple[str, str], ...]

USER_AGENT = "omniroute"


@dataclass(frozen=True, slots=True)
class Scheme:
    """How a credential is sent.

    Attributes:
        header: the credential's header.
        prefix: what stands before the credential.
    """

    header: str
    prefix: str = ""


SCHEMES: Mapping[Auth, Scheme] = {
    "bearer": Scheme("authorization", "Bearer "),
    "x-api-key": Scheme("x-api-key"),
    "x-goog-api-key": Scheme("x-goog-api-key"),
    "api-key": Scheme("api-key"),
    # For API keys; keys of IAM sign each request instead, see sigv4.py.
    "aws": Scheme("authorization", "Bearer "),
}

AUTH_OF_DIALECT: Mapping[Dialect, Auth] = {
    "openai_chat": "bearer",
    "openai_responses": "bearer",
    "anthropic": "x-api-key",
    "gemini": "x-goog-api-key",
}

_DEFAULTS: Mapping[Dialect, Headers] = {
    # The version header is required; the value is the newest one there is (read 2026-11).
    "anthropic": (("anthropic-version", "2023-06-01"),),
}

CREDENTIAL_HEADERS = frozenset(
    {"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie", "proxy-authorization"}
)
"""Headers that carry a credential: one of them in `Account.headers` replaces the dialect's."""

_FRAMING = frozenset(
    {
        "host",
        "connection",
        "content-length",
        "transfer-encoding",
        "te",
        "trailer",
        "upgrade",
        "keep-alive",
        "expect",
        "accept-encoding",
        "proxy-connection",
    }
)
"""Headers that say where a message ends or who answers: only we write them."""

NEVER_FROM_A_CALL = (
    CREDENTIAL_HEADERS
    | _FRAMING
    | {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"}
)

SECRET_CHARS_MIN = 8
"""Shorter values, such as `ollama` or `true`, are conventions and no secrets."""

_SECRET_NAME = re.compile("auth|key|token|secret|cookie|password|credential", re.IGNORECASE)
_TOKEN = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
"""A signed JSON web token. Source: RFC 7519, section 3.1."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


def account_headers(account: Account, scheme: Scheme | None = None) -> Headers:
    """Give the headers every call of this account carries: its own ones and its credential.

    Args:
        account: whose.
        scheme: where the credential stands; the one of the account's dialect where it is left out.

    Raises:
        UpstreamFailure: kind "auth": a header or the credential cannot be sent as it is.
    """
    own = {name.lower(): value for name, value in account.headers}
    framing = sorted(own.keys() & _FRAMING)
    if framing:
        raise UpstreamFailure(
            f"account {account.account_id} sets the header {framing[0]!r}, which the gateway "
            "writes itself; remove it from the account",
            kind="auth",
        )
    scheme = scheme or scheme_of(account)
    found = {"user-agent": USER_AGENT}
    as_it_is = account.credential and not is_document(account) and aws_keys(account) is None
    if as_it_is and not own.keys() & CREDENTIAL_HEADERS:
        found[scheme.header] = f"{scheme.prefix}{account.credential}"
    found.update(own)
    return tuple(found.items())


def scheme_of(account: Account) -> Scheme:
    """Give how the account's credential is sent: its provider's way, or its dialect's.

    A provider's own way is that of the dialect in its row; spoken to in another one it is
    asked as that dialect's vendor would be.
    """
    row = provider_named(account.provider)
    auth = AUTH_OF_DIALECT[account.dialect]
    if row is not None and row.auth is not None and row.dialect == account.dialect:
        auth = row.auth
    if auth == "x-goog-api-key" and (account.credential or "").startswith("ya29."):
        auth = "bearer"  # An access token of Google's own, which begins so and ends in an hour.
    if auth == "api-key" and _TOKEN.fullmatch(account.credential or ""):
        # Azure takes its keys there, and Microsoft Entra's tokens as everybody does.
        auth = "bearer"
    return SCHEMES[auth]


def default_headers(account: Account) -> Headers:
    """Give what is sent unless the account or the call gives it."""
    row = provider_named(account.provider)
    return (*_DEFAULTS.get(account.dialect, ()), *(() if row is None else row.headers))


def header_line(
    name: str, value: str, *, owner: str, kind: Literal["auth", "bad_request"] = "auth"
) -> bytes:
    """Give one header as it goes over the wire.

    Args:
        name: a token.
        value: visible characters, of Latin-1 at most; never repeated in an error.
        owner: whose header it is, for the error's message.
        kind: the error's kind.

    Raises:
        UpstreamFailure: one of the two would break the message's framing.

    Source: RFC 9110, section 5.5.
    """
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value) or value != value.strip():
        raise UpstreamFailure(
            f"{owner} has a header {name[:64]!r} whose name or value holds characters that no "
            "header may carry, such as a line break or a space at its end; enter it again",
            kind=kind,
        )
    return f"{name}: {value}\r\n".encode("latin-1")


def password_in(url: str) -> str:
    """Give the password in a URL as it is written there, "" when there is none."""
    before, at, _ = url.rpartition("@")
    return before.rpartition("//")[2].partition(":")[2] if at else ""


def secrets_of(account: Account) -> tuple[str, ...]:
    """Give every string of the account that must not be seen in a message or a record.

    The longest first: one that holds a shorter one would else leave its rest readable.
    """
    keys = aws_keys(account)
    values = [account.credential or ""]
    values += [] if keys is None else [keys.secret, keys.session_token or ""]
    values += [value for name, value in account.headers if _SECRET_NAME.search(name)]
    values += [password_in(url) for url in (account.proxy, account.shared_proxy) if url]
    words = {word for value in values for word in (value, value.rpartition(" ")[2])}
    kept = (word for word in words if len(word) >= SECRET_CHARS_MIN)
    return tuple(sorted(kept, key=lambda word: (-len(word), word)))
