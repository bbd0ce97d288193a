"""Ollama's vectors: POST /api/embed, and the older /api/embeddings.

What is asked takes the way of /v1/embeddings; its answer is told in Ollama's words.
"""

from dataclasses import dataclass

import msgspec

from omniroute.routing.engine import new_request_id
from omniroute.routing.errors import BadRequest, RoutingError
from omniroute.routing.ports import Clock
from omniroute.routing.wire.fields import body_fields, encode, present
from omniroute.routing.wire.ollama import MODEL_SUFFIX, render_error

from ..auth import Authenticator
from ..exchange import ClientGone, Door, Exchange
from .answers import error_lines
from .bodies import read_unpacked
from .compact import Caught


class _Vector(msgspec.Struct):
    embedding: list[float]


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0


class _Answer(msgspec.Struct):
    data: list[_Vector]
    usage: _Usage | None = None


class _Failure(msgspec.Struct):
    message: str = ""


class _Refusal(msgspec.Struct):
    error: _Failure


@dataclass(frozen=True, slots=True)
class OllamaVectorsDoor:
    """Answers one of the two endpoints.

    Attributes:
        embeddings: answers /v1/embeddings.
        field: what holds the texts: `input`, or `prompt` of the older one, which is one text.
    """

    embeddings: Door
    authenticator: Authenticator
    clock: Clock
    body_bytes_max: int
    field: str = "input"

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one POST, whatever happens."""
        began_s, request_id = self.clock.now(), new_request_id()
        try:
            self.authenticator.caller_of(exchange.head)
            body = await read_unpacked(exchange, self.body_bytes_max)
            model, asked = self._asked(body)
            caught = Caught(exchange, asked)
            await self.embeddings(caught)
        except ClientGone:
            return
        except RoutingError as error:
            lines = error_lines(error, "openai_chat", request_id=request_id)
            wait = exchange.whole(error.status, lines, render_error(error))
        else:
            if caught.is_good:
                told = self._told(model, caught.answer, self.clock.now() - began_s)
            else:
                refused = msgspec.json.decode(caught.answer, type=_Refusal)
                told = encode({"error": refused.error.message})
            wait = exchange.whole(caught.status, caught.lines, told)
        if wait is not None:
            await wait

    def _asked(self, body: bytes) -> tuple[str, bytes]:
        """Give the model as it is asked for, and the body for /v1/embeddings."""
        fields = body_fields(body)
        model = fields.text("model")
        texts = list(fields.texts(self.field))
        if not texts:
            raise BadRequest(f"`{self.field}` is missing: it must be text", field=self.field)
        asked: dict[str, object] = {
            "model": model.removesuffix(MODEL_SUFFIX),
            "input": texts,
            "encoding_format": "float",
        }
        return model, encode(asked | present(dimensions=fields.tokens_or_none("dimensions")))

    def _told(self, model: str, body: bytes, total_s: float) -> bytes:
        answer = msgspec.json.decode(body, type=_Answer)
        vectors = [one.embedding for one in answer.data]
        if self.field == "prompt":
            return encode({"embedding": vectors[0] if vectors else []})
        usage = answer.usage or _Usage()
        return encode(
            {
                "model": model,
                "embeddings": vectors,
                "total_duration": round(total_s * 1e9),
                "load_duration": 0,
                "prompt_eval_count": usage.prompt_tokens,
            }
        )
