"""The outbox: nothing waits for it, nothing is lost that need not be."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest

from omniroute.routing.errors import StorageUnavailable
from omniroute.server.store import outbox as outbox_module
from omniroute.server.store.database import RowRefused
from omniroute.server.store.outbox import Limits, Outbox

WAIT_S = 10
LIMITS = Limits(batch_max=3, spare_max=5, items_max=8, gather_s=0.0)


class Shelf:
    """Where items end up. Refuses some, and is away when told to."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.again: list[bool] = []
        self.is_away = False
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def write(self, items: Sequence[str], *, again: bool) -> None:
        self.begun.set()
        await self.may_end.wait()
        if self.is_away:
            raise StorageUnavailable("away")
        if "refused" in items:
            raise RowRefused("no")
        self.batches.append(list(items))
        self.again.append(again)

    @property
    def items(self) -> list[str]:
        return [item for batch in self.batches for item in batch]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def outbox(shelf: Shelf) -> Outbox[str]:
    return Outbox("test", shelf.write, limits=LIMITS)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():
            await asyncio.sleep(0)


async def running(outbox: Outbox[str], during: Awaitable[None]) -> None:
    """Let the writer run during something."""
    writer = asyncio.ensure_future(outbox.run())
    await during
    writer.cancel()


@pytest.mark.anyio
async def test_items_are_stored_in_order_and_in_batches(outbox: Outbox[str], shelf: Shelf) -> None:
    for item in "abcde":
        outbox.put(item, item)
    await running(outbox, until(lambda: len(outbox) == 0))

    assert shelf.batches == [["a", "b", "c"], ["d", "e"]]
    assert shelf.again == [False, False]


@pytest.mark.anyio
async def test_an_item_is_found_until_it_is_stored(outbox: Outbox[str], shelf: Shelf) -> None:
    outbox.put("a", "a")
    shelf.may_end.clear()
    flushing = asyncio.ensure_future(outbox.flush())
    await shelf.begun.wait()

    assert outbox.find("a") == "a"
    assert outbox.waiting("a") is None
    shelf.may_end.set()
    await flushing
    assert outbox.find("a") is None


@pytest.mark.anyio
async def test_an_item_that_still_waits_is_replaced_in_its_place(
    outbox: Outbox[str], shelf: Shelf
) -> None:
    outbox.put("a", "first")
    outbox.put("b", "b")
    outbox.put("a", "second")
    await outbox.flush()

    assert shelf.items == ["second", "b"]


@pytest.mark.anyio
async def test_while_storage_is_away_items_wait_and_are_then_stored_once(
    outbox: Outbox[str], shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox_module, "RETRY_S", 0.001)
    shelf.is_away = True
    outbox.put("a", "a")

    async def come_back() -> None:
        await shelf.begun.wait()
        outbox.put("b", "b")
        shelf.is_away = False
        await until(lambda: len(outbox) == 0)

    await running(outbox, come_back())

    assert shelf.items == ["a", "b"]
    assert shelf.again == [True, False]
    assert outbox.given_up == 0


@pytest.mark.anyio
async def test_a_flush_says_that_storage_is_away_and_keeps_everything(
    outbox: Outbox[str], shelf: Shelf
) -> None:
    shelf.is_away = True
    outbox.put("a", "a")

    with pytest.raises(StorageUnavailable):
        await outbox.flush()

    shelf.is_away = False
    await outbox.flush()
    assert shelf.items == ["a"]


@pytest.mark.anyio
async def test_a_flush_that_is_cancelled_loses_nothing(outbox: Outbox[str], shelf: Shelf) -> None:
    outbox.put("a", "a")
    shelf.may_end.clear()
    flushing = asyncio.ensure_future(outbox.flush())
    await shelf.begun.wait()
    flushing.cancel()
    await asyncio.wait([flushing], timeout=WAIT_S)

    shelf.may_end.set()
    await outbox.flush()

    assert shelf.items == ["a"]
    assert shelf.again == [True]


@pytest.mark.anyio
async def test_an_item_that_is_refused_goes_alone(outbox: Outbox[str], shelf: Shelf) -> None:
    for item in ("a", "refused", "b"):
        outbox.put(item, item)
    await outbox.flush()
    outbox.put("refused", "refused")
    await outbox.flush()

    assert shelf.items == ["a", "b"]
    assert outbox.given_up == 2
    assert len(outbox) == 0


@pytest.mark.anyio
async def test_when_too_many_wait_spare_ones_go_first_and_then_the_oldest(
    outbox: Outbox[str], shelf: Shelf
) -> None:
    for item in ("s1", "a", "s2", "b", "c", "d", "e", "f", "g", "h", "i", "j"):
        outbox.put(item, item, is_spare=item.startswith("s"))
    await outbox.flush()

    assert shelf.items == ["c", "d", "e", "f", "g", "h", "i", "j"]
    assert outbox.given_up == 4


@pytest.mark.anyio
@pytest.mark.parametrize("steps", range(8))
async def test_the_writer_ends_when_cancelled_at_whatever_moment(shelf: Shelf, steps: int) -> None:
    limits = replace(LIMITS, gather_s=WAIT_S * 10.0)
    outbox: Outbox[str] = Outbox("test", shelf.write, limits=limits)
    writer = asyncio.ensure_future(outbox.run())
    for item in "abc":
        outbox.put(item, item)
    await asyncio.sleep(0.01)

    outbox.put("one more than a batch", "d")
    for _ in range(steps):
        await asyncio.sleep(0)
    writer.cancel()
    ended, _ = await asyncio.wait([writer], timeout=1.0)

    assert ended == {writer}
