"""What each vendor's clients are told of every kind of error: status, headers and body, pinned.

`UPDATE_SNAPSHOTS=1 pytest tests/v1/test_error_bodies.py` writes errors.json anew.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from omniroute.routing.errors import (
    AllFailed,
    BadRequest,
    BudgetExceeded,
    FailureKind,
    LoopDetected,
    ModelNotFound,
    NoCandidate,
    NotAllowed,
    NotAuthenticated,
    RateLimited,
    RequestInFlight,
    RoutingError,
    StorageUnavailable,
    TooLarge,
    Tried,
    UpstreamFailure,
)
from omniroute.routing.model import Attempt, Candidate, Dialect
from omniroute.routing.refusals import all_failed
from omniroute.routing.wire.failures import is_hopeless, status_of
from omniroute.routing.wire.table import codec
from omniroute.server.exchange import headers_of
from omniroute.server.v1.answers import error_lines
from tests.upstream.servers import Exchange, whole

from .mounted import mounted

pytestmark = pytest.mark.anyio

PINNED = Path(__file__).with_name("errors.json")
DIALECTS: tuple[Dialect, ...] = ("openai_chat", "openai_responses", "anthropic", "gemini")
REQUEST_ID = "req_0123"


def failed(*kinds: FailureKind) -> UpstreamFailure:
    """Give the end of a request whose attempts ended so."""
    failures, attempts = [], []
    for number, kind in enumerate(kinds, 1):
        failure = UpstreamFailure(
            "it said no",
            kind=kind,
            provider_status=429 if kind == "rate_limited" else 500,
            retry_after_s=7.0 if kind == "rate_limited" else None,
        )
        candidate = Candidate(f"acc{number}", "one", f"m{number}", "openai_chat")
        failures.append(failure)
        attempts.append(
            Attempt(number, candidate, 1.0, 1.25, None, kind, str(failure), failure.provider_status)
        )
    return all_failed(REQUEST_ID, attempts, failures)


ERRORS: dict[str, RoutingError] = {
    "no_key": NotAuthenticated("this gateway needs a key"),
    "no_scope": NotAllowed("the key lacks write:route", scope="write:route"),
    "bad_request": BadRequest("`messages` must be a list", field="messages"),
    "too_large": TooLarge("the request's body is larger than 10 bytes"),
    "model_not_found": ModelNotFound("no model is named 'x'"),
    "in_flight": RequestInFlight("the same request is being answered"),
    "budget": BudgetExceeded("the budget cannot pay for it"),
    "key_limit": RateLimited("the key may have 60 requests a minute", retry_after_s=12.0),
    "loop": LoopDetected("it came from here"),
    "nothing_configured": NoCandidate("'auto' has no model that could answer"),
    "nothing_ready": NoCandidate("all circuits are open", retry_after_s=12.0),
    "storage": StorageUnavailable("the database does not answer"),
    "rate_limited": failed("rate_limited"),
    "overloaded": failed("overloaded"),
    "out_of_credit": failed("quota_exhausted"),
    "refused_credential": failed("auth"),
    "context_too_long": failed("context_too_long"),
    "content_policy": failed("content_policy"),
    "timed_out": failed("timeout_first_byte"),
    "several": failed("server_error", "rate_limited", "connect"),
    "fault": RoutingError("the gateway failed to handle this request"),
}


def told(error: RoutingError, dialect: Dialect) -> dict[str, Any]:
    lines = headers_of(error_lines(error, dialect, request_id=REQUEST_ID))
    return {
        "status": status_of(error, dialect),
        "headers": {name.decode(): value.decode() for name, value in lines},
        "body": json.loads(codec(dialect).render_error(error, request_id=REQUEST_ID)),
    }


def test_what_clients_are_told_of_errors_is_as_pinned() -> None:
    now = {
        name: {dialect: told(error, dialect) for dialect in DIALECTS}
        for name, error in ERRORS.items()
    }
    if os.environ.get("UPDATE_SNAPSHOTS"):
        PINNED.write_text(json.dumps(now, indent=1) + "\n")

    assert now == json.loads(PINNED.read_text())


@pytest.mark.parametrize(
    ("name", "again"),
    [
        *((name, False) for name in ("no_key", "no_scope", "bad_request", "too_large", "budget")),
        *((name, False) for name in ("model_not_found", "loop", "nothing_configured")),
        *((name, False) for name in ("out_of_credit", "refused_credential", "context_too_long")),
        *((name, True) for name in ("in_flight", "nothing_ready", "storage", "rate_limited")),
        *((name, True) for name in ("overloaded", "timed_out", "several", "fault")),
    ],
)
def test_a_client_is_told_not_to_ask_again_where_somebody_has_to_mend_something(
    name: str, *, again: bool
) -> None:
    assert is_hopeless(ERRORS[name]) is not again


@pytest.mark.parametrize(
    ("dialect", "where"),
    [
        ("openai_chat", ("error", "attempts")),
        ("openai_responses", ("error", "attempts")),
        ("anthropic", ("error", "attempts")),
    ],
)
async def test_a_final_error_lists_every_attempt_with_what_to_do(
    dialect: Dialect, where: tuple[str, str], tmp_path: Path
) -> None:
    async with mounted(tmp_path) as here:
        await here.client.post(
            "/api/combos",
            json={
                "name": "pair",
                "models": [
                    {"target": "sim/fast@fault=rate_limited,latency=0"},
                    {"target": "sim/smart@fault=server_error,latency=0"},
                ],
            },
        )
        answer = await here.ask(dialect, "pair")

    attempts = answer.json()[where[0]][where[1]]
    assert answer.headers["x-omniroute-attempts"] == "2"
    assert [one["class"] for one in attempts] == ["rate_limited", "server_error"]
    assert [one["status"] for one in attempts] == [429, 500]
    assert all(one["ms"] >= 0 and one["target"].startswith("sim/") for one in attempts)
    assert "another account or model" in attempts[0]["advice"]


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai_chat", b'{"error":{"message":"too long","type":"invalid_request_error","x":1}}'),
        ("anthropic", b'{"type":"error","error":{"type":"request_too_large","message":"too"}}'),
        ("gemini", b'{"error":{"code":400,"message":"bad","status":"INVALID_ARGUMENT","x":[]}}'),
    ],
)
async def test_a_providers_refusal_of_the_request_reaches_its_dialects_client_as_it_is(
    dialect: Dialect, body: bytes, tmp_path: Path
) -> None:
    """Claude Code recovers by the wording, and by the status, of Anthropic's own refusals."""

    async def script(exchange: Exchange) -> None:
        headers = b"request-id: theirs\r\nx-should-retry: true\r\nset-cookie: a=b\r\n"
        await exchange.send(whole(body, status="413 Too Large", headers=headers))

    async with mounted(tmp_path, (dialect, script)) as here:
        answer = await here.ask(dialect)

    assert (answer.status_code, answer.content) == (413, body)
    assert "set-cookie" not in answer.headers
    assert len(answer.headers.get_list("x-should-retry")) == 1


async def test_an_overload_is_a_529_for_clients_of_anthropic_alone(tmp_path: Path) -> None:
    async with mounted(tmp_path) as here:
        model = "sim/fast@fault=overloaded,latency=0"
        anthropic, chat = await here.ask("anthropic", model), await here.ask("openai_chat", model)

    assert (anthropic.status_code, chat.status_code) == (529, 503)
    assert anthropic.json()["error"]["type"] == "overloaded_error"


def test_every_attempt_is_a_value_that_says_what_to_do() -> None:
    error = failed("rate_limited", "auth")

    assert isinstance(error, AllFailed)
    assert [type(one) for one in error.tried] == [Tried, Tried]
    assert all(one.advice for one in error.tried)
