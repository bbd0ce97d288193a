"""Ollama's API: chats and completions in lines of JSON, and the list of models.

Clients that know nothing but an Ollama server point it at this gateway: OLLAMA_HOST is its
address.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from omniroute.routing.catalog.listing import ModelRow
from omniroute.routing.conversation import Delta
from omniroute.routing.errors import RoutingError
from omniroute.routing.model import RouteRequest
from omniroute.routing.wire.codec import Head
from omniroute.routing.wire.fields import body_fields
from omniroute.routing.wire.ollama import (
    MODEL_SUFFIX,
    Durations,
    LineWriter,
    Wish,
    render_answer,
    render_error,
    render_loaded,
)

from ..exchange import Exchange, line
from .answers import JSON, Voice
from .asking import Asked, Asker, Stream, Whole, answered, deltas_of, head_of, once
from .bodies import read_body
from .model_shapes import CREATED_AT, Shape
from .models import named_row

API_VERSION = "0.12.0"
"""The version of Ollama whose API is spoken here: some clients refuse an older one."""


@dataclass(frozen=True, slots=True)
class OllamaDoor:
    """Answers one of the two endpoints, streamed unless the client says otherwise.

    Attributes:
        path: of the endpoint.
        parse: reads its body.
    """

    asker: Asker
    path: str
    parse: Callable[[bytes], Wish]
    voice: Voice = "ollama"

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one POST, whatever happens."""

        async def answer(asked: Asked) -> None:
            wish = self.parse(asked.body)
            if wish.loads:
                body = render_loaded(wish, head_of(asked, wish.model))
                lines = JSON + line(b"x-request-id", asked.request_id)
            else:
                request = asked.request(wish.chat, wish.model, self.asker)
                if wish.chat.stream:
                    await self._stream(asked, wish, request, exchange)
                    return
                lines, body = await once(
                    self.asker, asked, self.path, lambda: self._whole(asked, wish, request)
                )
            wait = exchange.whole(200, lines, body)
            if wait is not None:
                await wait

        await answered(self.asker, self, exchange, answer)

    def error(self, error: RoutingError, request_id: str) -> bytes:
        """Give the body of an error."""
        return render_error(error)

    async def _whole(self, asked: Asked, wish: Wish, request: RouteRequest) -> Whole:
        told = await deltas_of(self.asker, request, asked.caller)
        outcome = told.reply.outcome
        first_s = None if outcome is None else outcome.first_content_s
        total_s = 0.0 if outcome is None else outcome.total_s
        durations = Durations(total_s if first_s is None else first_s, total_s)
        body = render_answer(wish, told.deltas, head_of(asked, wish.model), durations)
        return told.lines() + _dropped(wish), body

    async def _stream(
        self, asked: Asked, wish: Wish, request: RouteRequest, exchange: Exchange
    ) -> None:
        def writer_of(number: int, model: str) -> _Timed:
            now = self.asker.gateway.route.clock.now
            return _Timed(wish, head_of(asked, wish.model), now, began_s=request.at_s)

        stream = Stream(self.asker, exchange, self, asked.caller, _dropped(wish))
        await stream.pour([request], writer_of)


class _Timed(LineWriter):
    """A writer that takes the time of what it writes."""

    def __init__(self, wish: Wish, head: Head, now: Callable[[], float], *, began_s: float) -> None:
        super().__init__(wish, head)
        self._now = now
        self._began_s = began_s
        self._first_s: float | None = None

    def write(self, delta: Delta) -> bytes:
        """Give the lines of one step."""
        if self._first_s is None and delta.has_content:
            self._first_s = self._now() - self._began_s
        return super().write(delta)

    def end(self) -> bytes:
        """Give the line that ends the stream, with the times until now."""
        total_s = self._now() - self._began_s
        first_s = total_s if self._first_s is None else self._first_s
        self.durations = Durations(first_s, total_s)
        return super().end()


@dataclass(frozen=True, slots=True)
class OllamaLists:
    """What can be asked for, as Ollama's clients read it."""

    asker: Asker

    async def tags(self, request: Request) -> Response:
        """GET /api/tags."""
        try:
            rows = [row for row in self._rows(request) if "chat" in row.facts.capabilities]
            return JSONResponse({"models": [_tag(row) for row in rows]})
        except RoutingError as error:
            return _refusal(error)

    async def show(self, request: Request) -> Response:
        """POST /api/show."""
        try:
            bytes_max = self.asker.body_bytes_max
            body = await read_body(request.scope, request.receive, bytes_max=bytes_max)
            fields = body_fields(body)
            asked = fields.text_or_none("model") or fields.text("name")
            rows = self._rows(request)
            return JSONResponse(_shown(named_row(rows, asked.removesuffix(MODEL_SUFFIX))))
        except RoutingError as error:
            return _refusal(error)

    async def version(self, request: Request) -> Response:
        """GET /api/version."""
        return JSONResponse({"version": API_VERSION})

    def _rows(self, request: Request) -> tuple[ModelRow, ...]:
        asker = self.asker
        return asker.gateway.view.listing(asker.authenticator.caller(request.scope))


def _tag(row: ModelRow) -> Shape:
    return {
        "name": row.model_id,
        "model": row.model_id,
        "modified_at": CREATED_AT,
        # It takes no room on this machine.
        "size": 0,
        "digest": hashlib.sha256(row.model_id.encode()).hexdigest(),
        "details": _details(row),
    }


def _shown(row: ModelRow) -> Shape:
    capabilities = ["completion"] if "chat" in row.facts.capabilities else ["embedding"]
    capabilities += ["tools"] if row.facts.tools is not False else []
    capabilities += ["vision"] if row.facts.images else []
    info: Shape = {"general.architecture": row.owned_by, "general.basename": row.model_id}
    if row.facts.context_tokens_max is not None:
        info[f"{row.owned_by}.context_length"] = row.facts.context_tokens_max
    return {
        "modelfile": f"FROM {row.model_id}",
        "parameters": "",
        "template": "",
        "details": _details(row),
        "model_info": info,
        "capabilities": capabilities,
        "modified_at": CREATED_AT,
    }


def _details(row: ModelRow) -> Shape:
    return {
        "parent_model": "",
        "format": "",
        "family": row.owned_by,
        "families": [row.owned_by],
        "parameter_size": "",
        "quantization_level": "",
    }


def _dropped(wish: Wish) -> bytes:
    return line(b"x-omniroute-dropped", ", ".join(wish.dropped)) if wish.dropped else b""


def _refusal(error: RoutingError) -> Response:
    return Response(render_error(error), error.status, media_type="application/json")
