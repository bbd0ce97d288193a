"""How many requests begin in one turn of the event loop."""

import asyncio

import pytest

from omniroute.server.turnstile import AT_ONCE, AT_ONCE_BESIDE_STREAMS, Turnstile

pytestmark = pytest.mark.anyio


async def begun_by_turn(turnstile: Turnstile, count: int) -> list[list[int]]:
    """Have so many enter at once; gives who had begun when, turn by turn."""
    loop = asyncio.get_running_loop()
    begun: list[int] = []
    turns: list[list[int]] = []
    for number in range(count):
        turnstile.enter(lambda number=number: begun.append(number), loop)  # type: ignore[misc]
    while sum(map(len, turns)) < count:
        turns.append(begun.copy())
        begun.clear()
        await asyncio.sleep(0)
    return turns


async def test_beside_a_stream_few_begin_in_a_turn_in_the_order_of_their_coming() -> None:
    turnstile = Turnstile()
    turnstile.streams = 1

    turns = await begun_by_turn(turnstile, 7)

    assert turns == [[0, 1], [2, 3], [4, 5], [6]]
    assert AT_ONCE_BESIDE_STREAMS == 2


async def test_where_no_stream_runs_many_begin_in_a_turn() -> None:
    turns = await begun_by_turn(Turnstile(), AT_ONCE + 3)

    assert [len(turn) for turn in turns] == [AT_ONCE, 3]


async def test_every_turn_begins_anew() -> None:
    turnstile = Turnstile()
    turnstile.streams = 1

    turns = [await begun_by_turn(turnstile, 2) for _ in range(3)]

    assert turns == [[[0, 1]]] * 3


async def test_who_comes_later_does_not_overtake_when_the_last_stream_ends() -> None:
    turnstile, begun, loop = Turnstile(), list[int](), asyncio.get_running_loop()
    turnstile.streams = 1
    for number in range(4):
        turnstile.enter(lambda number=number: begun.append(number), loop)  # type: ignore[misc]

    turnstile.streams = 0
    turnstile.enter(lambda: begun.append(4), loop)
    before = begun.copy()
    await asyncio.sleep(0)

    assert before == [0, 1]
    assert begun == [0, 1, 2, 3, 4]
