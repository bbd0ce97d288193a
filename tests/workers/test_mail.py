"""Workers' mailboxes, with several workers on one loop."""

import asyncio

import pytest

from omniroute.server.workers.mail import ANSWER_S_MAX, PART_BYTES_MAX, Peers

from .group import group

pytestmark = pytest.mark.anyio

LONG = "x" * (5 * PART_BYTES_MAX + 1)
MANY = 3_000
"""More than a socket's buffer holds."""


async def test_what_one_worker_tells_all_others_hear() -> None:
    heard: asyncio.Queue[tuple[int, object]] = asyncio.Queue()
    async with group(3) as (three, _):
        for index, one in enumerate(three):

            async def hear(words: object, index: int = index) -> None:
                await heard.put((index, words))

            one.on("news", hear)

        three[1].tell("news", {"what": [1, 2.5, None]})
        told = sorted([await heard.get(), await heard.get()], key=str)

    assert told == [(0, {"what": [1, 2.5, None]}), (2, {"what": [1, 2.5, None]})]
    assert heard.empty()


@pytest.mark.parametrize("words", ["short", LONG])
async def test_a_question_is_answered_by_all_others(words: str) -> None:
    async with group(3) as (three, _):
        for one in three:
            one.on("echo", echo)

        answers = await asyncio.gather(*(one.ask("echo", words) for one in three))

    assert answers == [[words, words]] * 3


async def echo(words: object) -> object:
    return words


async def test_messages_that_a_worker_does_not_read_yet_wait_for_it() -> None:
    heard: list[int] = []
    whole = asyncio.Event()

    async def hear(number: int) -> None:
        heard.append(number)
        if len(heard) == MANY:
            whole.set()

    async with group(2) as ((one, other), _):
        other.on("news", hear)
        for number in range(MANY):
            one.tell("news", number)
        async with asyncio.timeout(10):
            await whole.wait()

    assert heard == list(range(MANY))


async def test_a_worker_that_fails_to_answer_is_not_waited_for_long() -> None:
    async def fail(words: object) -> object:
        raise ValueError(words)

    async def hang(words: object) -> object:
        return await asyncio.sleep(60, words)

    async with group(3) as ((one, failing, hanging), _):
        failing.on("ask", fail)
        hanging.on("ask", hang)
        began_s = asyncio.get_running_loop().time()
        answers = await one.ask("ask")
        took_s = asyncio.get_running_loop().time() - began_s

    assert answers == [None]
    assert took_s < ANSWER_S_MAX + 1.0


async def test_a_worker_that_has_ended_is_neither_told_nor_asked() -> None:
    async with group(2) as ((one, other), board):
        other.on("echo", echo)
        board.close(1)

        answers = await one.ask("echo", "words")

    assert list(answers) == []


async def test_a_process_without_others_asks_nobody() -> None:
    alone = Peers()
    alone.open()

    alone.tell("news")
    answers = await alone.ask("echo")
    await alone.close()

    assert (alone.count, list(answers)) == (1, [])
