"""Secrets that can be found again, and the finding of them.

Every canary is unique and has MARK in it, so one look at some bytes finds any of them, however
many there are, also where they were written otherwise: in other cases, backwards, in base64 at
each of its three places, in hex, percent-encoded, as escapes of JSON, in UTF-16. Keys that a
gateway has made are found by their shape.
"""

import base64
import re
import secrets
from collections import Counter
from collections.abc import Iterator

from omniroute.server.store.key_secrets import KEY_SHAPE

MARK = "Cnry7q9ZxKw3"
SHOWN_BYTES = 60
"""So much is shown of where a canary was found, on each side."""

issued: Counter[str] = Counter()
"""How many canaries were made in this process, by what they pose as."""

_MARK = MARK.encode()
_KEY = re.compile(KEY_SHAPE.pattern.encode())


def canary(kind: str) -> str:
    """Give a new secret that poses as something."""
    issued[kind] += 1
    return f"{MARK}{secrets.token_hex(10)}"


def _base64_forms() -> Iterator[tuple[str, bytes]]:
    for place in range(3):
        encoded = base64.b64encode(b"\0" * place + _MARK)
        # What a neighbour has a part in is left out.
        begin = (0, 2, 3)[place]
        end = len(encoded) - (0 if (place + len(_MARK)) % 3 == 0 else 4)
        yield f"base64 at {place}", encoded[begin:end]


def _lower_forms() -> Iterator[tuple[str, bytes]]:
    mark = _MARK.lower()
    yield "as it is", mark
    yield "backwards", mark[::-1]
    for name, form in (("%", "%{:02x}"), ("\\u", "\\u{:04x}"), ("\\x", "\\x{:02x}")):
        yield f"escaped by {name}", "".join(form.format(one) for one in mark).encode()
        other = "".join(form.format(one) for one in _MARK).encode()
        yield f"escaped by {name}, as it is", other
    yield "hex", _MARK.hex().encode()
    yield "UTF-16", _MARK.decode().lower().encode("utf-16-le")


EXACT = tuple(_base64_forms())
LOWER = tuple(_lower_forms())
FORMS = tuple(name for name, _ in (*LOWER, *EXACT))


def found_in(data: bytes) -> list[str]:
    """Give where secrets are in some bytes, in words; nothing where there is none."""
    lower = data.lower()
    found = [_words(name, data, at) for name, form in LOWER if (at := lower.find(form)) >= 0]
    found += [_words(name, data, at) for name, form in EXACT if (at := data.find(form)) >= 0]
    if b"sk-omni-" in data:
        match = _KEY.search(data)
        found += [] if match is None else [_words("a key of the gateway's", data, match.start())]
    return found


def _words(name: str, data: bytes, at: int) -> str:
    around = data[max(at - SHOWN_BYTES, 0) : at + SHOWN_BYTES]
    return f"{name}: ...{around.decode('latin-1')!r}..."
