"""Windows put together from pieces: the figures of a query over the store, and read once."""

import asyncio
import random
from array import array
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from omniroute.routing.conversation import Usage as Tokens
from omniroute.routing.model import ModelFacts, Outcome, Price
from omniroute.routing.usage import PERCENTS, Grouping, Selection, Spread, Usage, UsageRow, place_of
from omniroute.server.store.database import Database, Many, Statement, Steps, T, Unit
from omniroute.server.store.ledger_rows import KEEP_OUTCOME, Told, outcome_values
from omniroute.server.store.pieces import PARTED, Pieces, stretches
from omniroute.server.store.ranks import Runs, spread_of
from omniroute.server.store.repricing import reprice
from omniroute.server.store.usage import usage
from tests import adding_up
from tests.store.outcomes import FIRST, SNAPSHOT, answered, refused
from tests.store.test_usage import NOON, at_once, failing

pytestmark = pytest.mark.anyio

NUMBER = 10_000
DAYS_S = 3 * 86_400
WINDOWS: tuple[tuple[Selection, Grouping], ...] = (
    (Selection(NOON - 43_200, NOON + DAYS_S), "hour"),
    (Selection(NOON - 1, NOON + DAYS_S / 2 + 0.25), "day"),
    (Selection(NOON + 3_600, NOON + 7_200), "minute"),
    (Selection(NOON, NOON + DAYS_S, key_id="key-2"), "hour"),
    (Selection(NOON, NOON + DAYS_S, provider="two", combo="fast"), "hour"),
    (Selection(NOON, NOON + DAYS_S, model="one/m"), "day"),
    (Selection(NOON - 86_400, NOON - 1), "hour"),
)


class Reads:
    """A database that counts what is read."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.kind = database.kind
        self.number = 0

    async def read(self, unit: Unit[T]) -> T:
        self.number += 1
        return await self.database.read(unit)

    async def write(self, unit: Unit[T]) -> T:
        return await self.database.write(unit)

    def submit(self, unit: Unit[T]) -> "asyncio.Future[T]":
        return self.database.submit(unit)


def mixed(number: int, *, seed: int = 1, first: int = 0) -> list[Outcome]:
    """Give requests of every kind, spread over DAYS_S."""
    draw = random.Random(seed)
    kinds = (
        *(at_once("r"), at_once("r"), answered("r"), refused("r")),
        at_once("r", usage=Tokens(900, 80), winner=FIRST, cost_usd_nanos=None),
        at_once("r", winner=FIRST, first_content_s=None),
        structs.replace(failing("r", "overloaded", "auth"), error="provider_error"),
        structs.replace(failing("r", "client_gone", status="client_gone"), error=None),
    )
    made: list[Outcome] = []
    for one in range(number):
        kind = draw.choice(kinds)
        request = structs.replace(kind.request, request_id=f"r{first + one:06}")
        first_s = None if kind.first_content_s is None else draw.lognormvariate(-1, 1)
        made.append(
            structs.replace(
                kind,
                request=request,
                key_id=f"key-{draw.randrange(4)}",
                at_unix_s=NOON + draw.random() * DAYS_S,
                total_s=draw.choice((0.25, 1.0, draw.lognormvariate(0.3, 0.8))),
                first_content_s=first_s,
            )
        )
    return made


async def keep(database: Database, outcomes: Sequence[Outcome]) -> None:
    """Store requests as another process would."""
    rows = [
        outcome_values(Told(one, None if one.decision is None else SNAPSHOT)) for one in outcomes
    ]

    def steps() -> Steps[None]:
        yield Many(KEEP_OUTCOME, rows)

    await database.write(steps)


def untimed(found: Usage) -> Usage:
    """Give what was found without the times of errors."""
    errors = tuple(replace(row, times=None, first_content=None) for row in found.by["error"])
    return replace(found, by={**found.by, "error": errors})


async def queried(database: Database, selection: Selection, step: Grouping) -> Usage:
    """Give what a query over the store gives."""
    return untimed(
        await database.read(usage(database.kind, selection, (*PARTED, step), timed=True))
    )


async def test_every_figure_is_that_of_a_query_over_ten_thousand_requests(
    database: Database,
) -> None:
    outcomes = mixed(NUMBER)
    await keep(database, outcomes)
    pieces = Pieces(database)

    for selection, step in WINDOWS:
        found = await pieces.usage(selection, step)

        assert found == await queried(database, selection, step)
        assert found == await pieces.usage(selection, step)
        assert found == untimed(adding_up.usage(outcomes, selection, (*PARTED, step), timed=True))


async def test_late_repriced_and_removed_requests_are_in_the_next_answer(
    database: Database,
) -> None:
    await keep(database, mixed(400))
    pieces = Pieces(database)
    window, step = WINDOWS[0]
    dear = ModelFacts(price=Price(input=5 * 10**9, output=9 * 10**9))
    before = await pieces.usage(window, step)

    await keep(database, mixed(20, seed=2, first=NUMBER))
    later = await pieces.usage(window, step)
    await reprice(database, window, lambda provider, model: dear, store=True)
    repriced = await pieces.usage(window, step)
    old = Statement("DELETE FROM outcomes WHERE at_unix_s < $1", (NOON + 40_000,))
    await database.write(old)
    removed = await pieces.usage(window, step)

    assert later.whole.total.requests == before.whole.total.requests + 20
    assert (later.whole.total.repriced, repriced.whole.total.repriced > 0) == (0, True)
    assert repriced.whole.total.cost_usd_nanos == later.whole.total.cost_usd_nanos
    assert removed.whole.total.requests < later.whole.total.requests
    assert removed == await queried(database, window, step)


async def test_a_request_in_place_of_another_is_noticed(database: Database) -> None:
    await keep(database, [at_once("r1", at_unix_s=NOON + 5), at_once("r2", at_unix_s=NOON + 9)])
    pieces = Pieces(database)
    window = Selection(NOON, NOON + 3_600)
    await pieces.usage(window, "minute")

    await database.write(Statement("DELETE FROM outcomes WHERE request_id = 'r1'"))
    await keep(database, [at_once("r3", "key-9", at_unix_s=NOON + 6)])
    found = await pieces.usage(window, "minute")

    assert [(row.name, row.total.requests) for row in found.by["key"]] == [
        ("key-1", 1),
        ("key-9", 1),
    ]


async def test_what_was_read_once_is_not_read_again(database: Database) -> None:
    await keep(database, mixed(300))
    counted = Reads(database)
    pieces = Pieces(counted)
    window, step = WINDOWS[3]
    await pieces.usage(window, step)
    first, counted.number = counted.number, 0

    await pieces.usage(window, step)
    again, counted.number = counted.number, 0
    await keep(database, [at_once("new", at_unix_s=NOON + 5)])
    await pieces.usage(window, step)

    assert first > 20
    assert again == 1
    assert counted.number == 2


async def test_what_is_kept_is_bounded_and_what_is_forgotten_is_read_again(
    database: Database,
) -> None:
    await keep(database, mixed(300))
    pieces = Pieces(database, times_max=100)
    window, step = WINDOWS[0]

    found = await pieces.usage(window, step)

    assert pieces.times_kept <= 100
    assert found == await queried(database, window, step)
    assert found == await pieces.usage(window, step)


async def test_a_window_without_requests_has_a_whole_of_nothing(database: Database) -> None:
    found = await Pieces(database).usage(Selection(NOON, NOON + 90), "minute")

    assert found.whole == UsageRow()
    assert set(found.by.values()) == {()}


@given(
    since=st.floats(0, 3_000_000, allow_nan=False),
    length=st.floats(0, 400_000, allow_nan=False),
    whole=st.booleans(),
)
def test_stretches_follow_each_other_from_end_to_end(
    since: float, length: float, *, whole: bool
) -> None:
    since = since // 3_600 * 3_600 if whole else since
    until = since + length

    found = list(stretches(since, until))

    ends = [end for _, end in found]
    assert [begin for begin, _ in found] == [since, *ends[:-1]][: len(found)]
    assert ends[-1:] == ([until] if since < until else [])
    assert len(found) <= length / 86_400 + 2 * (24 + 60) + 2


@given(
    st.lists(
        st.lists(st.floats(0, 600, allow_nan=False) | st.sampled_from((0.25, 1.0)), max_size=300),
        max_size=6,
    )
)
def test_percentiles_of_runs_are_those_of_all_values_in_order(values: list[list[float]]) -> None:
    runs: Runs = [array("d", sorted(one)) for one in values]
    ordered = sorted(chain.from_iterable(values))

    found = spread_of(runs)

    expected = [ordered[place_of(one, len(ordered)) - 1] for one in PERCENTS] if ordered else None
    assert found == (None if expected is None else Spread(*expected))


def test_percentiles_of_many_equal_values_are_that_value() -> None:
    runs = [array("d", [0.5] * 1_000), array("d", [0.5] * 900 + [2.0] * 300)]

    assert spread_of(runs) == Spread(0.5, 2.0, 2.0)
