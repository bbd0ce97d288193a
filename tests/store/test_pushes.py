"""The outbox of push notifications: owed with the change, told once, sealed, and bounded."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute.a2a.push import LEASE_S, SUBSCRIPTIONS_MAX, Subscription, SubscriptionRow
from omniroute.a2a.tasks import TaskRow
from omniroute.server.store.database import Statement
from omniroute.server.store.pushes import StoredPushes
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

pytestmark = pytest.mark.anyio

TASK = TaskRow("task-1", "key-1", "c-1", "smart-routing", "working", 10.0, 10.0, 99.0, "{}")
ENDED = replace(TASK, state="completed", updated_unix_s=20.0)
TOLD = Subscription("one", "https://client.example/", "1.0", "CANARY-t", "Bearer", "CANARY-c")


async def subscribed(store: Opened, told: Subscription = TOLD) -> None:
    await store.tasks.create(TASK, "zero", push=store.pushes.row("task-1", told))


async def test_a_change_is_owed_to_who_subscribed_with_the_task(store: Opened) -> None:
    await subscribed(store)
    before = await store.pushes.due(now_unix_s=1000.0, most=10)
    await store.tasks.move(ENDED, "one")
    early = await store.pushes.due(now_unix_s=19.0, most=10)

    [owed] = await store.pushes.due(now_unix_s=20.0, most=10)
    assert (before, early) == ([], [])
    assert (owed.subscription, owed.task, owed.seq, owed.tries) == (TOLD, ENDED, 1, 1)


async def test_a_change_that_did_not_happen_owes_nothing(store: Opened) -> None:
    await subscribed(store)
    await store.tasks.move(replace(ENDED, owner="key-2"), "x")
    await store.tasks.move(ENDED, "x", attempt=7)

    assert await store.pushes.due(now_unix_s=1000.0, most=10) == []


async def test_what_was_taken_is_nobody_else_s_until_its_lease_ends(store: Opened) -> None:
    await subscribed(store)
    await store.tasks.move(ENDED, "one")

    taken = await asyncio.gather(*(store.pushes.due(now_unix_s=20.0, most=5) for _ in range(8)))
    again = await store.pushes.due(now_unix_s=20.0 + LEASE_S, most=5)

    assert sorted(map(len, taken)) == [0] * 7 + [1]
    assert [one.tries for one in again] == [2]


async def test_two_processes_never_take_the_same(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        open_store(database_url, tmp_path, clock) as one,
        open_store(database_url, tmp_path, clock) as two,
    ):
        for number in range(40):
            task = replace(TASK, task_id=f"task-{number}")
            await one.tasks.create(task, "zero", push=one.pushes.row(task.task_id, TOLD))
            await one.tasks.move(replace(ENDED, task_id=task.task_id), "one")

        taken: list[str] = []
        while len(taken) < 40:
            found = await asyncio.gather(
                *(store.pushes.due(now_unix_s=20.0, most=3) for store in (one, two) * 4)
            )
            taken += [owed.task.task_id for some in found for owed in some]
        left = await one.pushes.due(now_unix_s=20.0, most=3)

    assert len(taken) == len(set(taken)) == 40
    assert left == []


async def test_what_arrived_is_owed_no_more(store: Opened) -> None:
    await subscribed(store)
    await store.tasks.move(ENDED, "one")
    [owed] = await store.pushes.due(now_unix_s=20.0, most=10)
    await store.pushes.settle(owed)

    assert await store.pushes.due(now_unix_s=10_000.0, most=10) == []


async def test_what_is_postponed_counts_as_a_try_or_not(store: Opened) -> None:
    await subscribed(store)
    await store.tasks.move(ENDED, "one")
    [first] = await store.pushes.due(now_unix_s=20.0, most=10)
    await store.pushes.postpone(first, due_unix_s=30.0, counts=False)
    early = await store.pushes.due(now_unix_s=29.0, most=10)
    [second] = await store.pushes.due(now_unix_s=30.0, most=10)
    await store.pushes.postpone(second, due_unix_s=40.0, counts=True)
    [third] = await store.pushes.due(now_unix_s=40.0, most=10)

    assert early == []
    assert [one.tries for one in (first, second, third)] == [1, 1, 2]


@pytest.mark.parametrize("answer", ["settle", "postpone"])
async def test_a_change_that_came_while_an_older_one_was_sent_is_still_owed(
    answer: str, store: Opened
) -> None:
    waiting = replace(TASK, state="input-required", updated_unix_s=15.0)
    await subscribed(store)
    await store.tasks.move(waiting, "one")
    [older] = await store.pushes.due(now_unix_s=15.0, most=10)
    await store.tasks.move(ENDED, "two")
    if answer == "settle":
        await store.pushes.settle(older)
    else:
        await store.pushes.postpone(older, due_unix_s=1000.0, counts=True)

    [newer] = await store.pushes.due(now_unix_s=20.0, most=10)
    assert (newer.seq, newer.tries, newer.task.state) == (2, 1, "completed")
    assert newer.event_id != older.event_id


async def test_of_many_who_subscribe_at_once_no_more_than_allowed_do(store: Opened) -> None:
    await store.tasks.create(TASK, "zero")
    rows = [
        store.pushes.row("task-1", replace(TOLD, subscription_id=f"s-{number}"))
        for number in range(SUBSCRIPTIONS_MAX + 10)
    ]

    async def put(row: SubscriptionRow) -> str:
        return await store.pushes.put(row, owner="key-1", now_unix_s=11.0)

    answers = await asyncio.gather(*map(put, rows))

    kept = await store.pushes.subscriptions("task-1", owner="key-1")
    assert answers.count("stored") == len(kept) == SUBSCRIPTIONS_MAX
    assert answers.count("full") == 10


async def test_no_end_falls_between_subscribing_and_ending(store: Opened) -> None:
    """Whichever of the two comes first, the end is owed."""
    for number in range(20):
        task = replace(TASK, task_id=f"t-{number}")
        await store.tasks.create(task, "zero")
        row = store.pushes.row(task.task_id, TOLD)
        await asyncio.gather(
            store.pushes.put(row, owner="key-1", now_unix_s=20.0),
            store.tasks.move(replace(ENDED, task_id=task.task_id), "one"),
        )

    owed = await store.pushes.due(now_unix_s=20.0, most=100)
    assert len({one.task.task_id for one in owed}) == 20


async def test_another_owner_s_subscriptions_are_like_none(store: Opened) -> None:
    await subscribed(store)
    row = store.pushes.row("task-1", replace(TOLD, url="https://other.example/"))

    assert await store.pushes.put(row, owner="key-2", now_unix_s=11.0) == "missing"
    assert await store.pushes.subscriptions("task-1", owner="key-2") == []
    await store.pushes.remove("task-1", "one", owner="key-2")
    [kept] = await store.pushes.subscriptions("task-1", owner="key-1")
    assert kept.url == TOLD.url


async def test_removing_makes_room_and_takes_what_was_owed_with_it(store: Opened) -> None:
    await subscribed(store)
    await store.tasks.move(ENDED, "one")
    await store.pushes.remove("task-1", "one", owner="key-1")
    await store.pushes.remove("task-1", "one", owner="key-1")
    counted = await store.database.read(Statement("SELECT subscriptions FROM tasks"))

    assert await store.pushes.due(now_unix_s=1000.0, most=10) == []
    assert counted[0]["subscriptions"] == 0


async def test_a_task_that_is_forgotten_leaves_nothing_behind(store: Opened) -> None:
    await subscribed(store)
    await store.tasks.move(ENDED, "one")
    await store.tasks.prune(now_unix_s=100.0)
    left = await store.database.read(
        Statement(
            "SELECT (SELECT count(*) FROM task_subscriptions) AS subscriptions, "
            "(SELECT count(*) FROM push_outbox) AS owed"
        )
    )

    assert (left[0]["subscriptions"], left[0]["owed"]) == (0, 0)


async def test_secrets_are_sealed_and_told_to_nobody(store: Opened) -> None:
    await subscribed(store)
    [told] = await store.pushes.subscriptions("task-1", owner="key-1")
    [row] = await store.database.read(Statement("SELECT * FROM task_subscriptions"))

    assert (told.token, told.credentials, told.scheme) == ("", "", "Bearer")
    assert b"CANARY" not in bytes(row["secret"])
    assert "CANARY" not in repr((TOLD, store.pushes.row("task-1", TOLD)))


async def test_a_secret_opens_in_its_own_row_alone(store: Opened) -> None:
    """Whoever can write into the database cannot have one receiver told with another's secret."""
    await subscribed(store)
    other = Subscription("two", "https://other.example/", "1.0")
    row = store.pushes.row("task-1", other)
    await store.pushes.put(row, owner="key-1", now_unix_s=11.0)
    await store.database.write(
        Statement(
            "UPDATE task_subscriptions SET secret = (SELECT secret FROM task_subscriptions "
            "WHERE subscription_id = 'one') WHERE subscription_id = 'two'"
        )
    )
    await store.tasks.move(ENDED, "one")

    owed = await store.pushes.due(now_unix_s=20.0, most=10)
    kept = await store.pushes.subscriptions("task-1", owner="key-1")
    assert [one.subscription.subscription_id for one in owed] == ["one"]
    assert [one.subscription_id for one in kept] == ["one"]


async def test_a_subscription_without_secrets_has_nothing_sealed(store: Opened) -> None:
    plain = StoredPushes(store.database, store.vault).row(
        "task-1", Subscription("one", "https://client.example/", "0.3")
    )

    assert plain.secret is None
