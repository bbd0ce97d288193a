"""The smallest request of each kind, to find out whether a provider answers at all.

Only kinds whose smallest request costs next to nothing: nobody wants to pay for a film to see that
a key is good.
"""

from collections.abc import Mapping

import orjson

from ...model import Capability, Operation
from .reading import ENDPOINTS, operation_of

_BODIES: Mapping[str, Mapping[str, object]] = {
    "embeddings": {"input": "ping"},
    "moderations": {"input": "ping"},
    "rerank": {"query": "ping", "documents": ["pong"]},
    "audio/speech": {"input": "ping"},
}


def probe_of(kind: Capability, model: str) -> Operation | None:
    """Give the smallest request of a kind, None where even that costs too much."""
    for endpoint in ENDPOINTS:
        body = _BODIES.get(endpoint.path)
        if endpoint.kind == kind and body is not None:
            return operation_of(endpoint, orjson.dumps({"model": model, **body}), b"")[1]
    return None
