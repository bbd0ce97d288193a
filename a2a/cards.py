"""The HTTP routes of the cards, and of the key that they are signed with."""

from collections.abc import Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from omniroute.routing.model import Caller

from .card import (
    CACHE_S,
    ENDPOINT,
    KEYS_PATH,
    CardKind,
    Facts,
    card,
    extended_card,
    headers,
    is_known,
    kind_for,
)
from .dialects.codec import Codec
from .dialects.detect import V10_CODEC
from .faults import Fault, FaultKind
from .task import Json

_JSON = "application/json"


class Cards:
    """Gives cards.

    Args:
        facts: what they tell, as it is now.
        version: gives the A2A-Version of a request, empty when it says none.
    """

    def __init__(self, facts: Callable[[], Facts], version: Callable[[Request], str]) -> None:
        self._facts = facts
        self._version = version

    def routes(self) -> list[BaseRoute]:
        return [
            *(
                Route(f"/.well-known/{name}", self._asked, methods=["GET"])
                for name in ("agent-card.json", "agent.json")
            ),
            Route(f"{ENDPOINT}/.well-known/agent-card.json", self._pure, methods=["GET"]),
            Route(KEYS_PATH, self._keys, methods=["GET"]),
        ]

    def extended(self, codec: Codec, caller: Caller) -> Json:
        """Give the caller's own card.

        Raises:
            Fault: no keys are needed here.
        """
        is_newer, facts = codec is V10_CODEC, self._facts()
        if not facts.keys_required:
            # A2A 1.0, section 3.3.4: what the card does not declare is unsupported.
            kind: FaultKind = "unsupported" if is_newer else "no_extended_card"
            raise Fault(kind, "nobody needs a key here, so there is no card for one")
        return extended_card("1.0" if is_newer else "0.3", facts, caller)

    async def _asked(self, request: Request) -> Response:
        return self._give(request, kind_for(self._version(request)))

    async def _pure(self, request: Request) -> Response:
        return self._give(request, "1.0")

    async def _keys(self, request: Request) -> Response:
        signer = self._facts().signer
        keys = [] if signer is None else [signer.public_key]
        cached = {"cache-control": f"public, max-age={CACHE_S}"}
        return Response(orjson.dumps({"keys": keys}), headers=cached, media_type=_JSON)

    def _give(self, request: Request, kind: CardKind) -> Response:
        found = card(kind, self._facts())
        if is_known(found, request.headers.get("if-none-match")):
            return Response(status_code=304, headers=headers(found))
        return Response(found.body, headers=headers(found), media_type=_JSON)
