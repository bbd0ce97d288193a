"""Queries of requests to the management API, read strictly.

A filter whose name is misspelled would be passed over and the answer would be of everything, so
a parameter that a route does not name is refused, and so is one that stands twice.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta
from starlette.requests import Request

from omniroute.routing.errors import BadRequest

SHOWN_MAX = 100
NUMBER_MAX = 2**53
_FLAGS = frozenset({"true", "1", "false", "0"})
_NO_BOUNDS = Meta()


@dataclass(frozen=True, slots=True)
class Query:
    """One parameter of a route's query; `kind` is a type that msgspec makes a schema of."""

    name: str
    kind: Any
    summary: str


WINDOW = (
    Query("since", str, "the beginning, in seconds since 1970"),
    Query("until", str, "the end, in seconds since 1970, which is not in it; now unless said"),
)
"""A window of time: what a figure of an overview counts is found in the call log by the same."""


def count(least: int, most: int) -> Any:
    """Give the kind of a parameter that is a number within these bounds."""
    return Annotated[int, Meta(ge=least, le=most)]


def moment_in(request: Request, name: str) -> float | None:
    """Give a moment of the query, in seconds since 1970; None where it is not said.

    Raises:
        BadRequest: it is none.
    """
    text = request.query_params.get(name, "")
    if not text:
        return None
    plain = text.replace(".", "", 1)
    if not (plain.isascii() and plain.isdecimal()) or not float(text[:40]) <= NUMBER_MAX:
        raise BadRequest(f"{name} is a moment in seconds since 1970", field=name)
    return float(text[:40])


def flag_in(request: Request, name: str) -> bool | None:
    """Give whether the query says true or false, as it was checked; None where it says nothing."""
    text = request.query_params.get(name)
    return None if text is None else text in {"true", "1"}


def check_query(request: Request, known: tuple[Query, ...]) -> None:
    """Look at a request's query.

    Raises:
        BadRequest: it has a parameter that is not known, stands twice, or is of a wrong type.
    """
    kinds, seen = {one.name: one.kind for one in known}, set[str]()
    for name, text in request.query_params.multi_items():
        if name not in kinds:
            raise BadRequest(
                f"{_shown(name)} is no parameter of this route; "
                + (f"known are {', '.join(kinds)}" if kinds else "it has none"),
                field=name[:SHOWN_MAX],
            )
        if name in seen:
            raise BadRequest(f"{name} stands twice", field=name)
        seen.add(name)
        _check(name, text, kinds[name])


def _check(name: str, text: str, kind: Any) -> None:
    if "\0" in text:
        raise BadRequest(f"{name} has the character U+0000, which is no text", field=name)
    plain = getattr(kind, "__origin__", kind)
    if plain is bool and text not in _FLAGS:
        raise BadRequest(f"{name} is true or false", field=name)
    if plain is Literal and text not in get_args(kind):
        raise BadRequest(f"{name} is one of {', '.join(get_args(kind))}", field=name)
    if plain is int:
        _check_number(name, text, kind)


def _check_number(name: str, text: str, kind: Any) -> None:
    bounds: Meta = next(iter(getattr(kind, "__metadata__", ())), _NO_BOUNDS)
    least, most = bounds.ge or 0, bounds.le or NUMBER_MAX
    if not (text.isascii() and text.isdecimal()) or not least <= int(text[:20]) <= most:
        raise BadRequest(f"{name} is a number from {least} to {most}", field=name)


def _shown(text: str) -> str:
    return ascii(text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}...")
