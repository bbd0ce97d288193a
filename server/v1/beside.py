"""The endpoints beside chats, made of a gateway's parts and named with their paths."""

from starlette.routing import Route

from omniroute.routing.wire.ollama import parse_chat, parse_generate

from ..exchange import Door
from ..parts import Parts
from .asking import Asker
from .completions import CompletionsDoor
from .models import ModelsDoor
from .ollama import OllamaDoor, OllamaLists

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


def routes(parts: Parts) -> list[Route]:
    """Give the routes of what is not hot."""
    models = ModelsDoor(parts.gateway, parts.authenticator)
    ollama = OllamaLists(_asker(parts))
    return [
        Route("/api/tags", ollama.tags, methods=["GET"]),
        Route("/api/show", ollama.show, methods=["POST"]),
        Route("/api/version", ollama.version, methods=["GET"]),
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
