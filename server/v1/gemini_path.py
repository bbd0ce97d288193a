"""Gemini's addresses: the model and what to do with it stand in the path.

    /v1beta/models/{model}:{method}

A model's name may hold slashes and colons, plain or percent-encoded: the method stands behind
the last colon.

Source: Gemini API reference, "Generating content", read 2026-11.
"""

from dataclasses import dataclass
from urllib.parse import parse_qsl

from omniroute.routing.errors import BadRequest

from ..exchange import Head

NAMES_MAX = 16
"""A query with more fields is refused."""

_BEFORE = "/models/"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a path asks for.

    Attributes:
        sse: a stream is to come as events.
    """

    model: str
    method: str
    sse: bool

    @property
    def stream(self) -> bool:
        """Whether the answer is a stream."""
        return self.method == "streamGenerateContent"


def asked_of(head: Head) -> Asked:
    """Give what the path of a request asks for.

    Raises:
        BadRequest: it names no model, or the query is too long.
    """
    _, _, rest = head.path.partition(_BEFORE)
    name, _, method = rest.removeprefix("models/").rpartition(":")
    if not name:
        raise BadRequest("the path is /v1beta/models/{model}:{method}", field="model")
    return Asked(name, method, sse=bool(head.query) and named_in(head.query).get("alt") == "sse")


def named_in(query: bytes) -> dict[str, str]:
    """Give the fields of a query.

    Raises:
        BadRequest: there are too many.
    """
    try:
        return dict(parse_qsl(query.decode("latin-1"), max_num_fields=NAMES_MAX))
    except ValueError:
        raise BadRequest(f"the query has more than {NAMES_MAX} fields") from None
