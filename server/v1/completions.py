"""POST /v1/completions: OpenAI's older endpoint, answered by any model that chats."""

from dataclasses import dataclass

from omniroute.routing.errors import RoutingError
from omniroute.routing.model import RouteRequest
from omniroute.routing.wire.completions import (
    Completion,
    CompletionStream,
    parse_completion,
    render_completion,
)
from omniroute.routing.wire.table import codec

from ..exchange import Exchange
from .answers import Voice
from .asking import Asked, Asker, Stream, Whole, all_deltas, answered, head_of, once

PATH = "/v1/completions"


@dataclass(frozen=True, slots=True)
class CompletionsDoor:
    """Answers completions, streamed and whole."""

    asker: Asker
    voice: Voice = "openai_chat"

    async def __call__(self, exchange: Exchange) -> None:
        """Answer one POST, whatever happens."""

        async def answer(asked: Asked) -> None:
            wish = parse_completion(asked.body)
            requests = [
                asked.request(chat, wish.model, self.asker, first=number == 0)
                for number, chat in enumerate(wish.chats())
            ]
            if wish.chat.stream:
                stream = CompletionStream(wish, head_of(asked))
                await Stream(self.asker, exchange, self, asked.caller).pour(requests, stream.writer)
                return
            lines, body = await once(
                self.asker, asked, PATH, lambda: self._whole(asked, wish, requests)
            )
            wait = exchange.whole(200, lines, body)
            if wait is not None:
                await wait

        await answered(self.asker, self, exchange, answer)

    def error(self, error: RoutingError, request_id: str) -> bytes:
        """Give the body of an error."""
        return codec("openai_chat").render_error(error, request_id=request_id)

    async def _whole(self, asked: Asked, wish: Completion, requests: list[RouteRequest]) -> Whole:
        told = await all_deltas(self.asker, requests, asked.caller)
        head = head_of(asked, told[0].model)
        return told[-1].lines(), render_completion(wish, [one.deltas for one in told], head)
