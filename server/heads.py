"""Which heads of requests are refused because two servers could read them in two ways.

The parser has refused what is no HTTP/1.1 at all (bare line feeds, folded lines, a blank before
a colon, a length that is no number). What it lets pass and others read otherwise is refused here.

Sources: RFC 9112, sections 3.2 (Host), 6.1 and 6.3 (length of a body); RFC 9110, section 5.3
(which headers may stand more than once). An absolute target is refused although a server is to
take it (RFC 9112, section 3.2.2): it names a host beside Host, and this gateway is no proxy.
"""

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

import httptools

from .edge_answers import AMBIGUOUS, HEAD_TOO_LARGE, Refusal
from .exchange import Header

HEAD_BYTES_MAX = 64 * 1024
HEADERS_MAX = 200
VERSIONS = frozenset({"1.0", "1.1"})
SINGLE = frozenset(
    {
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"transfer-encoding",
    }
)
"""Headers that may stand once: what decides where a request goes, and what its body is.

Credentials that contradict each other are the Authenticator's to refuse.
"""

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(?::[0-9]{0,5})?")


def refusal_of(headers: Sequence[Header], target: bytes, version: str) -> Refusal | None:
    """Give why a head is refused, None when it is not.

    Args:
        headers: names in lower case.
        target: as it came.
        version: of HTTP, such as "1.1".
    """
    size = sum([len(name) + len(value) for name, value in headers])
    if size > HEAD_BYTES_MAX or len(headers) > HEADERS_MAX:
        return HEAD_TOO_LARGE
    if version not in VERSIONS or not target.startswith(b"/"):
        return AMBIGUOUS
    names = [name for name, _ in headers]
    seen = set(names)
    if len(seen) != len(names) and _has_twice(names):
        return AMBIGUOUS
    named = dict(headers)
    host, coding = named.get(b"host"), named.get(b"transfer-encoding")
    if host is None or _HOST.fullmatch(host) is None:
        return AMBIGUOUS
    if coding is not None and (
        b"content-length" in seen or version != "1.1" or coding.lower() != b"chunked"
    ):
        return AMBIGUOUS
    return None


def path_of(target: bytes) -> tuple[Any, str | None]:
    """Give a request's target in its parts, and its path decoded; None where it has none."""
    try:
        url = httptools.parse_url(target)
        path = url.path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, AttributeError, UnicodeDecodeError):
        return None, None
    return url, unquote(path) if "%" in path else path


def address_of(found: Any) -> tuple[str, int] | None:
    """Give address and port of a socket's name, None for one that has none."""
    return (str(found[0]), int(found[1])) if isinstance(found, tuple) else None


def _has_twice(names: Sequence[bytes]) -> bool:
    return any(names.count(name) > 1 for name in SINGLE.intersection(names))
