"""From an HTTP request to what is played for it: the simulator's addresses.

Any API key is good, and none as well, except `sk-fake-bad`.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from urllib.parse import parse_qs

import orjson

from omniroute.routing.conversation import Json
from omniroute.routing.errors import BadRequest
from omniroute.routing.model import Dialect
from omniroute.routing.simulator.director import refused, script_for, tokens
from omniroute.routing.simulator.models import MODELS, PROVIDER, find_model
from omniroute.routing.simulator.performance import Performance
from omniroute.routing.simulator.script import Asked, Refusal
from omniroute.routing.simulator.services import perform_service
from omniroute.routing.simulator.stage import perform, refuse, say
from omniroute.routing.simulator.voices import anthropic, gemini
from omniroute.routing.simulator.voices.table import VOICES
from omniroute.routing.simulator.voices.voice import JSON_TYPE, Occasion, Reply
from omniroute.routing.wire.services.reading import ENDPOINTS, asked_of, operation_of

from .control import Control, read_rule
from .request import HttpRequest
from .wearing import PREFIX, worn

BAD_KEY = "sk-fake-bad"
SEED_BYTES = 12
MODELS_CREATED_UNIX_S = 1_767_225_600
MODELS_CREATED = "2026-01-01T00:00:00Z"
BASES: Mapping[Dialect, str] = {
    "openai_chat": "/v1",
    "openai_responses": "/v1",
    "anthropic": "/v1",
    "gemini": "/v1beta",
}
_SERVICES = {f"/v1/{one.path}": one for one in ENDPOINTS}
_GEMINI = re.compile(r"/v1beta/models/(?P<model>.+):(?P<verb>[A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Played:
    """What is played for a request, and for which model, if it names one."""

    performance: Performance
    model: str = ""


class Routes:
    """Answers requests; holds nothing but the control."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._table: dict[tuple[str, str], Callable[[HttpRequest], Played]] = {
            ("GET", "/"): self._start,
            ("GET", "/control"): self._show_control,
            ("POST", "/control"): self._set_control,
            ("DELETE", "/control"): self._clear_control,
            ("GET", "/v1/models"): self._models,
            ("GET", "/v1beta/models"): self._gemini_models,
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/responses"): self._responses,
            **{("POST", path): self._service for path in _SERVICES},
            ("POST", "/v1/messages"): self._messages,
            ("POST", "/v1/messages/count_tokens"): self._count_tokens,
        }
        self._paths = {path for _, path in self._table}

    def answer(self, request: HttpRequest) -> Played:
        """Give what is played for a request; whatever is wrong with it is a performance too."""
        if request.path.startswith(PREFIX):
            try:
                request = worn(request)
            except BadRequest as error:
                return self._refused(request, "openai_chat", refused(error))
        method = "GET" if request.method == "HEAD" else request.method
        route = self._table.get((method, request.path)) or self._by_pattern(method, request.path)
        dialect = _dialect(request)
        try:
            if route is None:
                return self._unknown(request, dialect)
            if _key(request) == BAD_KEY:
                return self._refused(request, dialect, Refusal("bad_key", 401, "unknown API key"))
            return route(request)
        except BadRequest as error:
            return self._refused(request, dialect, refused(error))

    def _by_pattern(self, method: str, path: str) -> Callable[[HttpRequest], Played] | None:
        if method == "POST" and _GEMINI.fullmatch(path):
            return self._gemini
        if method == "GET" and path.startswith("/v1/models/"):
            return self._model
        return None

    def _chat(self, request: HttpRequest) -> Played:
        return self._play(request, "openai_chat", VOICES["openai_chat"].read(request.body))

    def _responses(self, request: HttpRequest) -> Played:
        voice = VOICES["openai_responses"]
        return self._play(request, "openai_responses", voice.read(request.body))

    def _messages(self, request: HttpRequest) -> Played:
        _require_version(request)
        return self._play(request, "anthropic", anthropic.read(request.body))

    def _count_tokens(self, request: HttpRequest) -> Played:
        _require_version(request)
        asked = anthropic.read_count(request.body)
        return _json({"input_tokens": tokens(asked.input_bytes)})

    def _gemini(self, request: HttpRequest) -> Played:
        found = _GEMINI.fullmatch(request.path)
        model, verb = found.group("model", "verb") if found else ("", "")
        if verb not in ("generateContent", "streamGenerateContent", "countTokens"):
            raise BadRequest(f"models have no method {verb!r}")
        asked = gemini.read(request.body)
        if verb == "countTokens":
            return _json({"totalTokens": tokens(asked.input_bytes)})
        stream = verb == "streamGenerateContent"
        sse = parse_qs(request.query).get("alt") == ["sse"]
        return self._play(request, "gemini", replace(asked, model=model, stream=stream, sse=sse))

    def _play(self, request: HttpRequest, dialect: Dialect, asked: Asked) -> Played:
        control = self._control.directives_for(asked.model, _key(request))
        occasion = _occasion(request, sse=asked.sse)
        script = script_for(asked, control)
        played = perform(script, VOICES[dialect], occasion, stream=asked.stream)
        return Played(played, asked.model)

    def _service(self, request: HttpRequest) -> Played:
        endpoint = _SERVICES[request.path]
        content_type = request.header("content-type").encode("latin-1")
        model, operation = operation_of(endpoint, request.body, content_type)
        control = self._control.directives_for(model, _key(request))
        played = perform_service(asked_of(operation, model), _occasion(request), control)
        return Played(played, model)

    def _models(self, request: HttpRequest) -> Played:
        if request.header("anthropic-version"):
            rows = [_anthropic_model(model.name) for model in MODELS]
            ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]}
            return _json({"data": rows, "has_more": False, **ends})
        return _json({"object": "list", "data": [_openai_model(one.name) for one in MODELS]})

    def _model(self, request: HttpRequest) -> Played:
        name = request.path.removeprefix("/v1/models/")
        if find_model(name) is None:
            gone = Refusal("not_found", 404, f"the simulator has no model {name!r}")
            return self._refused(request, _dialect(request), gone)
        if request.header("anthropic-version"):
            return _json(_anthropic_model(name))
        return _json(_openai_model(name))

    def _gemini_models(self, request: HttpRequest) -> Played:
        return _json({"models": [_gemini_model(model.name) for model in MODELS]})

    def _start(self, request: HttpRequest) -> Played:
        paths = sorted(f"{method} {path}" for method, path in self._table)
        return _json({"simulated": True, "models": [one.name for one in MODELS], "paths": paths})

    def _show_control(self, request: HttpRequest) -> Played:
        return _json(self._control.shown())

    def _set_control(self, request: HttpRequest) -> Played:
        rule = read_rule(request.body)
        self._control.set(rule.directives, requests=rule.requests, model=rule.model, key=rule.key)
        return _json(self._control.shown())

    def _clear_control(self, request: HttpRequest) -> Played:
        self._control.clear()
        return _json(self._control.shown())

    def _unknown(self, request: HttpRequest, dialect: Dialect) -> Played:
        if request.path in self._paths:
            wrong = f"{request.path} does not take {request.method}"
            return self._refused(request, dialect, Refusal("bad_request", 405, wrong))
        gone = f"the simulator serves nothing at {request.path}; GET / lists what it does"
        return self._refused(request, dialect, Refusal("not_found", 404, gone))

    def _refused(self, request: HttpRequest, dialect: Dialect, refusal: Refusal) -> Played:
        return Played(refuse(refusal, VOICES[dialect], _occasion(request)))


def refuse_unread(status: int, message: str) -> Performance:
    """Give the answer to something that never became a request; OpenAI's words serve for all."""
    reason = Refusal("bad_request", status, message)
    return refuse(reason, VOICES["openai_chat"], Occasion("unread", int(time.time())))


def _occasion(request: HttpRequest, *, sse: bool = True) -> Occasion:
    """Give ids of their own to every request: the same run gives the same ones again."""
    digest = blake2b(request.body, digest_size=SEED_BYTES, salt=request.number.to_bytes(8, "big"))
    return Occasion(digest.hexdigest(), int(time.time()), sse)


def _dialect(request: HttpRequest) -> Dialect:
    """Give the dialect that errors are said in: the path decides it."""
    if request.path.startswith("/v1beta/"):
        return "gemini"
    if request.path.startswith("/v1/messages") or request.header("anthropic-version"):
        return "anthropic"
    return "openai_responses" if request.path == "/v1/responses" else "openai_chat"


def _key(request: HttpRequest) -> str:
    """Give the API key, wherever the dialects put it; empty when there is none."""
    scheme, _, token = request.header("authorization").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    own = request.header("x-api-key") or request.header("x-goog-api-key")
    return own or parse_qs(request.query).get("key", [""])[0]


def _require_version(request: HttpRequest) -> None:
    if not request.header("anthropic-version"):
        raise BadRequest("anthropic-version: header is required")


def _json(value: Json) -> Played:
    return Played(say(Reply(200, (("content-type", JSON_TYPE),), orjson.dumps(value))))


def _openai_model(name: str) -> Json:
    return {
        "id": name,
        "object": "model",
        "created": MODELS_CREATED_UNIX_S,
        "owned_by": PROVIDER,
    }


def _anthropic_model(name: str) -> Json:
    return {
        "type": "model",
        "id": name,
        "display_name": f"Simulated {name}",
        "created_at": MODELS_CREATED,
    }


def _gemini_model(name: str) -> Json:
    model = find_model(name)
    facts = model.facts if model is not None else None
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": f"Simulated {name}",
        "description": model.does if model is not None else "",
        "inputTokenLimit": facts.context_tokens_max if facts is not None else None,
        "outputTokenLimit": facts.output_tokens_max if facts is not None else None,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
