"""The head of a request, most of it made once for each account.

What never changes for an account (where to, its credential, its own headers) is bytes. With a
path and a call's own headers they are joined, and kept, for these are most often the same: then
a call adds the body's length and nothing else.
"""

import re
from dataclasses import replace
from functools import partial
from urllib.parse import quote

from ..errors import UpstreamFailure
from ..model import Account
from .auth import (
    NEVER_FROM_A_CALL,
    Headers,
    account_headers,
    default_headers,
    header_line,
    secrets_of,
)
from .egress import Base, parse_base_url
from .tunnel import proxy_of

HEADS_MAX = 256
"""Prepared heads of one account. Paths can hold a model's name, and headers come from clients,
so the oldest go."""

HEAD_BYTES_KEPT = 4096
"""A longer head is made anew each time: clients may send long headers that pass."""

CALL_HEADERS_MAX = 64

MODEL_PLACE = "{model}"
"""What stands in a base URL for the model's name."""

_FIXED: Headers = (
    ("accept", "application/json, text/event-stream"),
    # What comes packed is read all the same (unpacked.py), and costs us what it saves nobody.
    ("accept-encoding", "identity"),
    ("content-type", "application/json"),
)
_PATH = re.compile(r"/[!-~]*")
_UP = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)


class Envelope:
    """What every call of one account carries.

    Attributes:
        account: the account it was made from.
        origin: the server to connect to.
        proxy: the way there, None for the direct one.
        secrets: what must never be seen in a message, the longest first.
        names_model: the base URL has a place for the model's name, as Azure's deployments have.

    Raises:
        UpstreamFailure: the account's URL, headers or credential cannot be used.
    """

    def __init__(self, account: Account) -> None:
        base = parse_base_url(account.base_url)
        line = partial(header_line, owner=f"account {account.account_id}")
        own = {**dict(_FIXED), **dict(account_headers(account))}
        own["accept-encoding"] = "identity"
        self.account = account
        self.origin = base.origin
        self.proxy = proxy_of(account)
        self.secrets = secrets_of(account)
        before, place, self._after = base.path.partition(MODEL_PLACE)
        self.names_model = bool(place)
        self._base = replace(base, path=before.rstrip("/"))
        self._taken = NEVER_FROM_A_CALL | own.keys()
        self._lines = line("host", base.origin.authority) + b"".join(
            line(name, value) for name, value in own.items()
        )
        self._defaults = tuple(
            (name, line(name, value)) for name, value in default_headers(account) if name not in own
        )
        self._heads: dict[tuple[str, Headers], bytes] = {}

    def path_of(self, model: str, path: str) -> str:
        """Give the path below the base URL where that has a place for the model's name."""
        return f"/{quote(model, safe='')}{self._after}{path}"

    def head(self, path: str, headers: Headers, *, body_bytes: int) -> bytes:
        """Give the whole head of a request, with the empty line that ends it.

        Args:
            path: below the base URL, with its query; the dialect's.
            headers: the call's own; those that the account sets or that could carry a
                client's credential are left out.
            body_bytes: the body's length.

        Raises:
            UpstreamFailure: kind "bad_request": the path or a header cannot be sent.
        """
        head = self._heads.get((path, headers)) or self._prepare(path, headers)
        return b"%scontent-length: %d\r\n\r\n" % (head, body_bytes)

    def _prepare(self, path: str, headers: Headers) -> bytes:
        given: dict[str, bytes] = {}
        for name, value in headers[:CALL_HEADERS_MAX]:
            lower = name.lower()
            if lower not in self._taken:
                given[lower] = header_line(lower, value, owner="the request", kind="bad_request")
        defaults = [line for name, line in self._defaults if name not in given]
        head = b"".join((self._beginning(path), *defaults, *given.values()))
        if len(head) <= HEAD_BYTES_KEPT:
            if len(self._heads) >= HEADS_MAX:
                del self._heads[next(iter(self._heads))]
            self._heads[path, headers] = head
        return head

    def _beginning(self, path: str) -> bytes:
        return b"POST %s HTTP/1.1\r\n%s" % (target_of(self._base, path).encode(), self._lines)


def target_of(base: Base, path: str) -> str:
    """Give what is asked for, of a path below a base URL with its query.

    Raises:
        UpstreamFailure: kind "bad_request": it cannot be sent.
    """
    asked, _, query = path.partition("?")
    target = base.path + asked
    if not _PATH.fullmatch(path) or not _PATH.fullmatch(target) or _UP.search(target):
        raise UpstreamFailure(
            f"the model's name gives a path that cannot be asked for: {path[:128]!r}",
            kind="bad_request",
        )
    queries = "&".join(part for part in (base.query, query) if part)
    return f"{target}?{queries}" if queries else target
