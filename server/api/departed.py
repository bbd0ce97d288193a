"""Documented management routes that are not here: each answers with what to do instead.

OmniRoute documents them, and scripts of its users may call them. Some do what this gateway does
not do (docs/api-compatibility.md says why), some have a better one in their place. Whoever calls
one is told so in words, with status 410; what only has another name is led there.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from omniroute.routing.errors import Gone
from omniroute.routing.model import Caller

from .rows import Row

SCOPE = "read:health"
"""What a key needs to be told: the least that one can carry."""


@dataclass(frozen=True, slots=True)
class Departed:
    """Routes of one path that are not here; `words` end the sentence "is not answered: "."""

    methods: str
    path: str
    words: str


@dataclass(frozen=True, slots=True)
class Moved:
    """A route that has another name here."""

    methods: str
    path: str
    target: str


_LOGIN = "there are no passwords: send one of this gateway's keys as `authorization: Bearer`"
_PROCESS = "whoever runs the process stops and starts it; SIGTERM lets what is in flight end"
_KEYS_BACK = "credentials are never given back: `GET /api/providers` shows their last characters"
_NODES = "an endpoint of your own is an account: `POST /api/providers` with base_url and dialect"
_MODELS = "an account names its models itself: `models` of `POST /api/providers`"
_OAUTH = "accounts are made with a key that their provider documents, by `POST /api/providers`"
_CHAIN = "an order of fallbacks is a combo: `POST /api/combos` with strategy priority"
_PACED = "an account that refused for its rate is always paced: `PUT /api/resilience` sets how"
_NO_EVALS = "scores of answers are made by an evaluation tool that asks /v1"
_PLAYGROUND = "`omniroute explain` tells what was translated, `POST /api/simulate` who would answer"
_SETUP = "clients are set up by `omniroute setup <client>`, where their files are"
_SPAWN = "the gateway runs no command: `omniroute doctor --system-info` names clients on PATH"
_CLOUD = "there is no cloud to synchronise with: `omniroute workers` and PostgreSQL join replicas"
_PROFILES = "one of three profiles is in force: `PUT /api/resilience` with its name"
_RESTORE = "`omniroute backup` and `omniroute restore` do this at the machine"
_QUOTA = "`GET /api/usage/quota` tells what is left at providers, budgets bound what keys spend"
_CONTEXT = "what is sent to a model is not changed in silence: clients keep their own context"
_INTERCEPTION = "the gateway intercepts nobody's traffic: clients name it as their base URL"
_ACCOUNTS_USAGE = "a provider's own figures are asked of the provider; `GET /api/usage/analytics`"

DEPARTED: tuple[Departed, ...] = (
    Departed("POST", "/api/auth/login", _LOGIN),
    Departed("POST", "/api/auth/logout", _LOGIN),
    Departed("GET", "/api/auth/status", _LOGIN),
    Departed(
        *("GET POST", "/api/settings/require-login"),
        "who needs a key is decided at the start: OMNIROUTE_REQUIRE_KEY",
    ),
    Departed("POST", "/api/restart", _PROCESS),
    Departed("POST", "/api/shutdown", _PROCESS),
    Departed("GET", "/api/providers/client", _KEYS_BACK),
    Departed("GET POST", "/api/provider-nodes", _NODES),
    Departed("POST", "/api/provider-nodes/validate", _NODES),
    Departed("PUT DELETE", "/api/provider-nodes/{id}", _NODES),
    Departed("GET POST PUT DELETE", "/api/provider-models", _MODELS),
    Departed(
        *("GET", "/api/models/openrouter-catalog"),
        "no list is fetched from others: `GET /api/models/catalog` has what is known",
    ),
    Departed("GET POST", "/api/oauth/{path}", _OAUTH),
    Departed(
        *("DELETE", "/api/combos/metrics"),
        "figures are added up from requests on record: `POST /api/prune` removes old ones",
    ),
    Departed("GET POST DELETE", "/api/fallback/chains", _CHAIN),
    Departed("POST", "/api/rate-limits", _PACED),
    Departed(
        *("GET DELETE", "/api/usage/proxy-logs"),
        "calls through a proxy are on record with the others: `GET /api/usage/calls`",
    ),
    Departed("GET", "/api/usage/{account}", _ACCOUNTS_USAGE),
    Departed(
        *("GET", "/api/logs/console"),
        "the log goes to standard error: whoever runs the process keeps it, such as journald",
    ),
    Departed("GET POST", "/api/evals", _NO_EVALS),
    Departed("GET", "/api/evals/{suite}", _NO_EVALS),
    Departed(
        *("GET PATCH", "/api/settings/combo-defaults"),
        "each combo says what holds for it, and what it does not say is a default of OmniRoute",
    ),
    Departed(
        *("POST", "/api/settings/proxy/test"),
        "a call through it tells: `POST /api/providers/{account}/test`",
    ),
    Departed(
        *("GET PUT", "/api/settings/ip-filter"),
        "addresses are kept out by a firewall or the proxy in front; keys say who may do what",
    ),
    Departed(
        *("GET PUT POST", "/api/settings/background-degradation"),
        "no model is put in another's place in silence: an alias or a combo does so in the open",
    ),
    Departed("PATCH", "/api/resilience", _PROFILES),
    Departed("GET", "/api/db-backups/exportAll", _RESTORE),
    Departed("POST", "/api/db-backups/import", _RESTORE),
    Departed("GET POST", "/api/translator/{path}", _PLAYGROUND),
    Departed("GET POST PUT DELETE", "/api/cli-tools/{path}", _SETUP),
    Departed("GET POST DELETE", "/api/acp/agents", _SPAWN),
    Departed("GET POST", "/api/sync/{path}", _CLOUD),
    Departed("GET POST", "/api/cloud/{path}", _CLOUD),
    # Of later versions.
    Departed(
        *("GET DELETE", "/api/resilience/model-cooldowns"),
        "`GET /api/models/availability` lists what rests, a POST there ends it",
    ),
    Departed("GET POST", "/api/quota/{path}", _QUOTA),
    Departed("GET POST DELETE", "/api/memory/{path}", _CONTEXT),
    Departed("GET POST PUT", "/api/compression/{path}", _CONTEXT),
    Departed("GET POST PUT", "/api/context/{path}", _CONTEXT),
    Departed(
        *("GET POST", "/api/agent-skills/{path}"),
        "what the agent can do is on its card, /.well-known/agent-card.json",
    ),
    Departed(
        *("GET POST DELETE", "/api/webhooks"),
        "A2A tasks tell their clients by push notifications, `GET /api/alerts` has the rest",
    ),
    Departed("GET POST", "/api/services/{path}", _SPAWN),
    Departed("GET POST", "/api/tools/{path}", _INTERCEPTION),
    Departed("GET POST", "/api/playground/presets", _PLAYGROUND),
    Departed(
        *("GET PUT", "/api/settings/payload-rules"),
        "bodies go to providers as they came; an alias, a combo or a system prompt changes them",
    ),
    Departed(
        *("POST", "/api/settings/purge-request-history"),
        "`POST /api/prune` removes requests that are older than so many days",
    ),
    Departed("GET POST", "/api/cli/{path}", _SETUP),
    Departed(
        *("GET", "/api/keys/{key_id}/devices"),
        "clients' addresses are not kept: `GET /api/usage/call-logs?apiKey=` has a key's requests",
    ),
    Departed(
        *("GET", "/api/routing/decisions"),
        "`GET /api/usage/call-logs` lists requests, `GET /api/explain/<id>` tells a decision",
    ),
    Departed(
        *("POST", "/api/pricing/sync"),
        "prices come with each release; `PATCH /api/pricing` puts your own over them",
    ),
    Departed("GET POST", "/api/plugins", _SPAWN),
)
"""Those that OmniRoute's documents describe; some came after version 2.3."""

MOVED: tuple[Moved, ...] = (
    Moved("GET POST", "/api/rate-limit", "/api/rate-limits"),
    Moved("GET", "/api/openapi/spec", "/openapi.json"),
)


def departed_rows(taken: Collection[tuple[str, str]]) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """Give the routes with one path each, and those that end in what is not known beforehand.

    The first ones are looked at before all others, the second ones after them.

    Args:
        taken: methods and paths that are served after all.
    """
    made = [
        *(_row(method, one.path, _refused(method, one)) for one in DEPARTED for method in _of(one)),
        *(_row(method, one.path, _led(one.target)) for one in MOVED for method in _of(one)),
    ]
    free = [one for one in made if (one.method, one.path) not in taken]
    plain = tuple(one for one in free if "{" not in one.path)
    return plain, tuple(one for one in free if "{" in one.path)


def _of(one: Departed | Moved) -> list[str]:
    return one.methods.split()


def _row(method: str, path: str, handle: Callable[[Request, Caller], Any]) -> Row:
    path = path.replace("{path}", "{path:path}")
    return Row(method, path, SCOPE, "Not here any more", handle, query=None)


def _refused(method: str, one: Departed) -> Callable[[Request, Caller], Any]:
    async def refuse(request: Request, caller: Caller) -> Response:
        raise Gone(f"{method} {one.path} is not answered: {one.words}")

    return refuse


def _led(target: str) -> Callable[[Request, Caller], Any]:
    async def lead(request: Request, caller: Caller) -> Response:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(target + query, status_code=308)

    return lead
