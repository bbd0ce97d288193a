"""The endpoints beside chats, made of a gateway's parts and named with their paths."""

from collections.abc import Mapping

from starlette.routing import Route

from omniroute.routing.wire.ollama import parse_chat, parse_generate

from ..exchange import Door, SocketDoor, Upgradable
from ..parts import Parts
from .asking import Asker
from .compact import CompactDoor, Limits
from .completions import CompletionsDoor
from .kept_responses import KeptResponsesDoor
from .models import ModelsDoor
from .ollama import OllamaDoor, OllamaLists
from .ollama_vectors import OllamaVectorsDoor
from .responses import ResponsesDoor
from .scoped import ScopedDoor

RESPONSES = "/v1/responses"
OLLAMA_CHAT = ("/api/chat", "/v1/api/chat")
OLLAMA_GENERATE = ("/api/generate", "/v1/api/generate")


def hot(parts: Parts) -> dict[str, Door]:
    """Give the doors that answer a POST to exactly their path."""
    asker = _asker(parts)
    chat, generate = OLLAMA_CHAT[0], OLLAMA_GENERATE[0]
    return {
        "/v1/completions": CompletionsDoor(asker),
        **dict.fromkeys(OLLAMA_CHAT, OllamaDoor(asker, chat, parse_chat)),
        **dict.fromkeys(OLLAMA_GENERATE, OllamaDoor(asker, generate, parse_generate)),
    }


def responses(parts: Parts, chat: Door) -> dict[str, Door]:
    """Give the doors of Responses, over the one that answers them without kept state."""
    storage, settings = parts.storage, parts.settings
    limits = Limits(settings.body_bytes_max, settings.first_byte_hold_s)
    compact = CompactDoor(chat, parts.gateway, parts.authenticator, storage.responses, limits)
    limit = settings.body_bytes_max
    door = ResponsesDoor(chat, compact, storage.responses, parts.clock, limit)
    return {RESPONSES: door, f"{RESPONSES}/compact": compact}


def vectors(parts: Parts, hot: Mapping[str, Door]) -> dict[str, Door]:
    """Give the doors of Ollama's vectors, over the one of /v1/embeddings."""
    embeddings, limit = hot["/v1/embeddings"], parts.settings.body_bytes_max
    new = OllamaVectorsDoor(embeddings, parts.authenticator, parts.clock, limit)
    old = OllamaVectorsDoor(embeddings, parts.authenticator, parts.clock, limit, "prompt")
    return {"/api/embed": new, "/api/embeddings": old}


def scoped(parts: Parts, hot: Mapping[str, Door]) -> ScopedDoor:
    """Give the door that has one provider answer what the other doors take."""
    limit = parts.settings.body_bytes_max
    return ScopedDoor(parts.gateway, parts.authenticator, hot, limit)


def sockets(parts: Parts, hot: Mapping[str, Door]) -> dict[str, SocketDoor]:
    """Give the doors of WebSockets, each over the door that answers a POST to its path."""
    responses = hot[RESPONSES]
    limit = parts.settings.body_bytes_max

    async def answer(exchange: Upgradable) -> None:
        from .responses_socket import ResponsesSocketDoor  # noqa: PLC0415 - the first client pays

        kept = parts.storage.responses
        await ResponsesSocketDoor(responses, parts.authenticator, kept, limit)(exchange)

    return {RESPONSES: answer}


def routes(parts: Parts) -> list[Route]:
    """Give the routes of what is not hot."""
    models = ModelsDoor(parts.gateway, parts.authenticator)
    ollama = OllamaLists(_asker(parts))
    by_provider = scoped(parts, {})
    return [
        Route("/v1/providers/{provider}/models", by_provider.models, methods=["GET"]),
        Route("/api/tags", ollama.tags, methods=["GET"]),
        Route("/api/show", ollama.show, methods=["POST"]),
        Route("/api/version", ollama.version, methods=["GET"]),
        *KeptResponsesDoor(parts.authenticator, parts.storage.responses).routes(),
        Route("/v1/models", models.list_all, methods=["GET"]),
        Route("/v1/models/{model:path}", models.get_one, methods=["GET"]),
        Route("/v1beta/models", models.list_gemini, methods=["GET"]),
        Route("/v1beta/models/{model:path}", models.get_gemini, methods=["GET"]),
    ]


def _asker(parts: Parts) -> Asker:
    settings = parts.settings
    return Asker(
        parts.gateway,
        parts.authenticator,
        settings.first_byte_hold_s,
        settings.body_bytes_max,
        parts.storage.answers,
    )
