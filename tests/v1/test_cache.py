"""Answers given again to the same question, where that is asked for."""

from dataclasses import replace

import pytest

from omniroute.routing.conversation import Delta, Usage
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller, Piece
from omniroute.server.v1.cache import ANSWER_BYTES_MAX
from tests.fakes import account, failing
from tests.v1.door import Response, Setting, setting

pytestmark = pytest.mark.anyio

HELLO = [{"role": "user", "content": "hello there"}]
BODY = {"model": "one/m", "messages": HELLO}
ROUTE = frozenset({"write:route"})
KEYS = {
    "mine": Caller("mine", ROUTE),
    "yours": Caller("yours", ROUTE),
    "secret": Caller("secret", ROUTE, keep_content=False),
    "reader": Caller("reader", frozenset({"read:usage"})),
}


def opened() -> Setting:
    made = setting(account("one"), check=KEYS.get)
    engine = replace(made.door.gateway.route, upstream=made.here.upstream)
    made.door = replace(made.door, gateway=replace(made.door.gateway, route=engine))
    return made


async def ask(made: Setting, key: str = "mine", cache: str = "60", **more: object) -> Response:
    """Ask the same question again."""
    named = {"authorization": f"Bearer {key}"} | ({"x_omniroute_cache": cache} if cache else {})
    return await made.post(BODY | more, **named)


@pytest.mark.parametrize("stream", [False, True])
async def test_the_same_question_is_answered_by_the_model_once(stream: bool) -> None:
    made = opened()

    first = await ask(made, stream=stream)
    made.here.clock.advance(7)
    second = await ask(made, stream=stream)

    assert (first.status, second.status) == (200, 200)
    assert first.body == second.body
    assert len(made.here.upstream.calls) == 1
    assert first.headers["x-omniroute-cache"] == "miss"
    assert (second.headers["x-omniroute-cache"], second.headers["age"]) == ("hit", "7")
    assert second.headers["content-type"] == first.headers["content-type"]
    assert "x-omniroute-cost-usd" not in second.headers


async def test_an_answer_runs_out() -> None:
    made = opened()

    await ask(made)
    made.here.clock.advance(61)
    later = await ask(made)

    assert later.headers["x-omniroute-cache"] == "miss"
    assert len(made.here.upstream.calls) == 2


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("yours", {}),
        ("mine", {"temperature": 0}),
        ("mine", {"tools": [{"type": "function", "function": {"name": "t"}}]}),
        ("mine", {"max_tokens": 5}),
        ("mine", {"response_format": {"type": "json_object"}}),
        ("mine", {"stream": True}),
        ("mine", {"messages": [*HELLO, *HELLO]}),
    ],
)
async def test_whatever_differs_is_another_question(key: str, more: dict[str, object]) -> None:
    made = opened()

    await ask(made)
    other = await ask(made, key, "60", **more)

    assert other.headers["x-omniroute-cache"] == "miss"


async def test_a_change_of_the_configuration_begins_anew() -> None:
    made = opened()

    await ask(made)
    await made.here.configs.put_account(account("two"), actor="test")
    after = await ask(made)

    assert after.headers["x-omniroute-cache"] == "miss"


async def test_nothing_is_kept_unless_it_is_asked_for() -> None:
    made = opened()

    plain = [await ask(made, cache="") for _ in range(2)]
    off = [await ask(made, cache="off") for _ in range(2)]
    private = [await ask(made, "secret") for _ in range(2)]

    assert len(made.here.upstream.calls) == 6
    assert all("x-omniroute-cache" not in one.headers for one in (*plain, *off, *private))


async def test_the_gateways_own_setting_keeps_all_but_what_says_no() -> None:
    made = opened()
    made.door = replace(made.door, cache_s=60)

    answers = [await ask(made, cache=wish) for wish in ("", "", "off")]

    told = [one.headers.get("x-omniroute-cache") for one in answers]
    assert told == ["miss", "hit", None]


async def test_a_failure_is_not_kept() -> None:
    made = opened()
    begun = Piece(b"data: {}\n\n", Delta(text="begun"))
    cut = UpstreamFailure("a fake cut", kind="truncated")
    made.here.upstream.scripts["one/m"] = failing(UpstreamFailure("gone", kind="bad_request"))
    refused = [await ask(made, stream=stream) for stream in (False, True)]
    made.here.upstream.scripts["one/m"] = lambda call: (begun, cut)
    broken = [await ask(made, stream=True) for _ in range(2)]

    assert [one.status for one in refused] == [400, 400]
    assert [one.status for one in broken] == [200, 200]
    assert {one.headers["x-omniroute-cache"] for one in broken} == {"miss"}


async def test_a_key_that_may_not_route_gets_nothing_that_was_kept() -> None:
    made = opened()
    await ask(made)

    refused = await ask(made, "reader")

    assert refused.status == 403


@pytest.mark.parametrize("wish", ["soon", "-1", "1.5", "86401"])
async def test_a_wish_that_is_no_number_of_seconds_is_refused(wish: str) -> None:
    refused = await ask(opened(), cache=wish)

    assert refused.status == 400
    assert b"x-omniroute-cache" in refused.body


async def test_old_answers_make_room_for_new_ones() -> None:
    made = opened()
    long = Piece(b"", Delta(text="x" * (ANSWER_BYTES_MAX - 2000)))
    end = Piece(b"", Delta(finish="stop", usage=Usage(1, 1), ended=True))
    made.here.upstream.scripts["one/m"] = lambda call: (long, end)
    made.door = replace(made.door, dialect="anthropic")

    async def told(number: int) -> str:
        return (await ask(made, max_tokens=number)).headers["x-omniroute-cache"]

    answers = [await told(number) for number in range(1, 18)]

    assert set(answers) == {"miss"}
    assert (await told(17), await told(1)) == ("hit", "miss")


async def test_an_answer_that_is_too_long_is_not_kept() -> None:
    made = opened()
    long = Piece(b"", Delta(text="x" * (ANSWER_BYTES_MAX + 1)))
    end = Piece(b"", Delta(finish="stop", usage=Usage(1, 1), ended=True))
    made.here.upstream.scripts["one/m"] = lambda call: (long, end)
    made.door = replace(made.door, dialect="anthropic")

    told = [await ask(made, max_tokens=9, stream=stream) for stream in (False, False, True, True)]

    assert {one.headers["x-omniroute-cache"] for one in told} == {"miss"}
