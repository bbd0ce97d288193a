"""The management API on what is added to chats, and that it is added."""

import pytest

from omniroute.routing.conversation import Chat, Message, Text
from omniroute.routing.engine import new_request_id
from omniroute.routing.model import Caller, RouteRequest
from omniroute.routing.wire.operations import operation_of_chat
from omniroute.server.api.shaping import PROMPT_PATH, THINKING_PATH, rows
from tests.fakes import ADMIN, World, account, world
from tests.management.routes import Api, api

pytestmark = pytest.mark.anyio

WRITER = Caller("writer", frozenset({"write:config"}))


def opened() -> tuple[World, Api]:
    here = world(account("one"))
    return here, api(*rows(here.gateway), callers={"writer": WRITER})


async def chat(here: World) -> None:
    """Ask a small question."""
    asked = Chat((Message("user", (Text("hi"),)),))
    operation = operation_of_chat(asked, target="one/m")
    request = RouteRequest(new_request_id(), "one/m", operation, here.clock.now())
    (await here.gateway.route.open(request, ADMIN)).close()


async def test_a_system_prompt_is_kept_and_reaches_providers_until_it_is_taken_back() -> None:
    here, routes = opened()

    kept = await routes.put(PROMPT_PATH, {"prompt": "Be brief."})
    await chat(here)
    await routes.put(PROMPT_PATH, {"prompt": ""})
    await chat(here)

    assert kept == {"prompt": "Be brief."}
    bodies = [call.operation.body for call in here.upstream.calls]
    assert [b"Be brief." in body for body in bodies] == [True, False]
    assert await routes.get(PROMPT_PATH) == {"prompt": ""}


async def test_a_thinking_budget_is_kept_beside_it() -> None:
    _, routes = opened()

    await routes.put(PROMPT_PATH, {"prompt": "Be brief."})
    kept = await routes.put(THINKING_PATH, {"mode": "custom", "customBudget": 4000})

    assert kept == await routes.get(THINKING_PATH) == {"mode": "custom", "customBudget": 4000}
    assert await routes.get(PROMPT_PATH) == {"prompt": "Be brief."}


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        (PROMPT_PATH, {"prompt": "x" * 50_001}, "50000"),
        (PROMPT_PATH, {}, "prompt"),
        (THINKING_PATH, {"mode": "deep"}, "deep"),
        (THINKING_PATH, {"mode": "custom", "customBudget": 131_073}, "131072"),
    ],
)
async def test_what_cannot_be_put_in_force_is_refused(path: str, body: object, word: str) -> None:
    _, routes = opened()

    refused = await routes.call("PUT", path, body)

    assert refused.status_code == 400
    assert word in refused.text


async def test_only_an_administrator_shapes_what_others_ask() -> None:
    _, routes = opened()

    refused = await routes.call("PUT", PROMPT_PATH, {"prompt": "x"}, key="writer")

    assert refused.status_code == 403
