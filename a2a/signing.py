"""Signatures of cards: a reader can tell that a card is ours and as we wrote it.

A signature is a detached JWS over the card in canonical form, without its signatures. What the
canonical form of a card is depends on who reads it: one reads the JSON as it came, one reads it
into the types of its version and writes those again, and so drops what it does not know and
what has its default value. A verifier is content with one signature that fits, so a card has
one for each of these forms, and the union has those of both versions: whoever reads it as a
card of one version can verify what it read. No form leaves out anything that says how to
authenticate, also where a reader would (the official JavaScript SDK 1.3.0 drops the security
schemes of a card that it has parsed before; given as JSON, it verifies): else a card without
them would verify everywhere.

Sources (read 2026-11): A2A 1.0.1, section 8.4; A2A 0.3.0, section 5.5.6; RFC 7515, appendix F;
RFC 8785; how the official Python SDKs 1.3.0 and 0.3.26 canonicalize.
"""

import base64
from collections.abc import Iterable, Mapping
from typing import Protocol

import orjson

from .task import Json


class Signer(Protocol):
    """Signs with a private key that this room never sees."""

    @property
    def algorithm(self) -> str:
        """Its name in JOSE, such as ES256."""
        ...

    @property
    def key_id(self) -> str: ...

    @property
    def public_key(self) -> Json:
        """The public half as a JWK, with its algorithm and id."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Give the signature as JWS has it; the same one for the same data, where it can be."""
        ...


def signatures(forms: Iterable[Json], signer: Signer, jku: str) -> list[Json]:
    """Give a signature for each of these forms of a card; forms that are equal have one.

    Args:
        forms: of one card, without its signatures.
        signer: the key.
        jku: where its public half can be read.
    """
    head = {"alg": signer.algorithm, "typ": "JOSE", "kid": signer.key_id, "jku": jku}
    protected = _base64(orjson.dumps(head))
    payloads = dict.fromkeys(canonical(form) for form in forms)
    return [
        {
            "protected": protected.decode(),
            "signature": _base64(signer.sign(protected + b"." + _base64(payload))).decode(),
        }
        for payload in payloads
    ]


def forms_of_1_0(card: Json) -> list[Json]:
    """Give the forms in which a pure card of 1.0 is canonicalized."""
    bare = _mapped(card, _without_defaults)
    return [card, bare, without_empty(bare)]


def forms_of_0_3(card: Json) -> list[Json]:
    """Give the forms in which a pure card of 0.3 is canonicalized."""
    defaults = {"protocolVersion": "0.3.0", "preferredTransport": "JSONRPC"}
    rest = {name: value for name, value in card.items() if defaults.get(name) != value}
    return [card, without_empty(_mapped(rest, _without_http))]


def canonical(value: Json) -> bytes:
    """Give the canonical bytes of a card.

    A card has no numbers and only ASCII names, and so none of the cases in which RFC 8785
    differs from sorted keys, no white space and the shortest escapes.

    Raises:
        ValueError: it has a number, or a name that is not ASCII.
    """
    _check(value)
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def without_empty(value: Json) -> Json:
    """Give a card without empty texts, lists and objects, at any depth."""
    return {name: one for name, inner in value.items() if (one := _filled(inner)) is not None}


def _filled(value: object) -> object:
    if isinstance(value, Mapping):
        return without_empty(value) or None
    if isinstance(value, list | tuple):
        return [one for inner in value if (one := _filled(inner)) is not None] or None
    return None if value == "" else value


def _mapped(value: Json, drop: "_Drop") -> Json:
    """Give the value with what `drop` says of each object left out, at any depth."""
    return {
        name: _mapped_one(inner, drop) for name, inner in value.items() if not drop(name, inner)
    }


def _mapped_one(value: object, drop: "_Drop") -> object:
    if isinstance(value, Mapping):
        return _mapped(value, drop)
    if isinstance(value, list | tuple):
        return [_mapped_one(one, drop) for one in value]
    return value


class _Drop(Protocol):
    def __call__(self, name: str, value: object, /) -> bool: ...


def _without_defaults(name: str, value: object) -> bool:
    """Whether a field of 1.0 that is not `optional` has its default, which is never written."""
    return (name == "required" and value is False) or (name == "list" and not value)


def _without_http(name: str, value: object) -> bool:
    """Whether a field of 0.3 is the constant of its type."""
    return name == "type" and value == "http"


def _check(value: object) -> None:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if not name.isascii():
                raise ValueError(f"a card's field {name!r} is not ASCII")
            _check(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _check(inner)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError("a card has a number, whose canonical form is not made here")


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
