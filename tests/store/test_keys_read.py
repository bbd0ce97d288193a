"""Keys as one process has read them: what it remembers, until when, and what it reads anew."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from omniroute.routing.errors import BadRequest, Conflict, NotAllowed
from omniroute.routing.rates import Rates
from omniroute.server.store.budget import Budget
from omniroute.server.store.database import Database, Statement, Steps
from omniroute.server.store.key_terms import KeyTerms
from omniroute.server.store.keyring import add_ring_key
from omniroute.server.store.keys import Keys
from tests.fakes import FakeClock
from tests.store.failing import Held
from tests.store.opened import Opened, open_store

pytestmark = pytest.mark.anyio

AGENT = KeyTerms("an agent", ("agent",))
NOBODYS = f"sk-omni-aaaaaaaaaaaa-{'x' * 43}"
DAY_S = 86_400.0
WAIT_S = 30.0


def keys_on(store: Opened, database: Database, clock: FakeClock) -> Keys:
    return Keys(database, store.vault, store.changes, clock)


async def test_before_they_are_read_there_are_none(sqlite_store: Opened, clock: FakeClock) -> None:
    await sqlite_store.keys.create(replace(AGENT, rates=Rates(5)), actor="test")
    keys = keys_on(sqlite_store, sqlite_store.database, clock)

    before = (len(keys), keys.version, keys.generation, keys.are_limited, keys.all())
    told = (keys.find("abc"), keys.caller_of("abc"), keys.check(NOBODYS), keys.budgets_of("abc"))
    await keys.load()
    after = (len(keys), keys.version, keys.generation, keys.are_limited)

    assert before == (0, -1, 0, False, ())
    assert told == (None, None, None, ())
    assert after == (1, sqlite_store.keys.version, 1, True)


async def test_each_reading_is_another_generation(sqlite_store: Opened) -> None:
    keys = sqlite_store.keys
    at_first = keys.generation

    await keys.load()
    again = keys.generation
    await keys.create(AGENT, actor="test")

    assert (again, keys.generation) == (at_first + 1, at_first + 2)


async def test_keys_that_were_read_since_a_change_are_not_read_again(sqlite_store: Opened) -> None:
    keys = sqlite_store.keys
    # As when other processes answer that they know, and this one has looked meanwhile.
    sqlite_store.changes.tell = keys.load
    at_first = keys.generation

    made = await keys.create(AGENT, actor="test")

    assert keys.generation == at_first + 1
    assert keys.check(made.text) is not None


async def test_a_reading_that_was_overtaken_changes_nothing(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    made = await sqlite_store.keys.create(AGENT, actor="test")
    held = Held(sqlite_store.database)
    keys = keys_on(sqlite_store, held, clock)

    async with asyncio.timeout(WAIT_S):
        slow = asyncio.create_task(keys.load())
        await held.read_once.wait()
        await sqlite_store.keys.revoke(made.stored.key_id, actor="test")
        await keys.load()
        newest = (keys.version, keys.generation, len(keys))
        held.go_on.set()
        await slow

    assert newest == (sqlite_store.keys.version, 1, 0)
    assert (keys.version, keys.generation, len(keys)) == newest
    assert keys.check(made.text) is None


async def test_a_key_under_a_pepper_of_another_process_is_known_when_it_is_read(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    add_ring_key(tmp_path)
    async with open_store(sqlite_url, tmp_path, clock) as other:
        made = await other.keys.create(AGENT, actor="test")

    # This process has the ring of before.
    await sqlite_store.keys.load()

    caller = sqlite_store.keys.check(made.text)
    assert caller is not None
    assert caller.key_id == made.stored.key_id


async def test_the_ring_is_read_again_only_for_a_pepper_that_is_not_known(
    sqlite_store: Opened, tmp_path: Path
) -> None:
    await sqlite_store.keys.create(AGENT, actor="test")
    newest = sqlite_store.vault.ring.newest
    add_ring_key(tmp_path)

    await sqlite_store.keys.load()

    assert sqlite_store.vault.ring.newest == newest


async def test_a_caller_has_the_rates_of_its_key_and_none_where_there_are_none(
    sqlite_store: Opened,
) -> None:
    keys = sqlite_store.keys
    free = await keys.create(AGENT, actor="test")
    none_limited = keys.are_limited
    bound = await keys.create(replace(AGENT, rates=Rates(60, None, 5)), actor="test")

    callers = [keys.check(one.text) for one in (free, bound)]

    assert [one and one.rates for one in callers] == [None, Rates(60, None, 5)]
    assert (none_limited, keys.are_limited) == (False, True)


async def test_a_caller_has_its_prompts_kept_as_its_key_says(sqlite_store: Opened) -> None:
    keys = sqlite_store.keys
    made = [
        await keys.create(replace(AGENT, keep_content=keep, log_content=log), actor="test")
        for keep, log in ((True, False), (True, True), (False, False))
    ]

    callers = [keys.check(one.text) for one in made]

    told = [one and (one.keep_content, one.log_content) for one in callers]
    assert told == [(True, False), (True, True), (False, False)]


async def test_what_was_kept_of_prompts_goes_with_the_wish_to_have_it_or_the_key(
    sqlite_store: Opened, sqlite_url: str
) -> None:
    keys = sqlite_store.keys
    wanting, leaving = [
        (await keys.create(replace(AGENT, log_content=True), actor="test")).stored.key_id
        for _ in range(2)
    ]

    def of(key_id: str) -> int:
        with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as file:
            asked = "SELECT count(*) FROM request_contents WHERE key_id = ?"
            return int(file.execute(asked, (key_id,)).fetchone()[0])

    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as file, file:
        names = [row[1] for row in file.execute("PRAGMA table_info(request_contents)")]
        values = ", ".join("?" for _ in names)
        for key_id in (wanting, leaving):
            row = [key_id if one == "key_id" else f"{key_id}{one}" for one in names]
            file.execute(f"INSERT INTO request_contents VALUES ({values})", row)
    await keys.change(wanting, lambda now: replace(now, name="renamed"), actor="test")
    renamed = of(wanting)
    await keys.change(wanting, lambda now: replace(now, log_content=False), actor="test")
    await keys.revoke(leaving, actor="test")

    assert renamed == 1
    assert (of(wanting), of(leaving)) == (0, 0)


async def test_a_caller_is_found_by_the_id_of_its_key_while_that_is_valid(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    keys = sqlite_store.keys
    lasting = await keys.create(AGENT, actor="test")
    ending = await keys.create(replace(AGENT, expires_unix_s=clock.unix() + 60), actor="test")
    off = await keys.create(replace(AGENT, enabled=False), actor="test")
    ids = [one.stored.key_id for one in (lasting, ending, off)]

    now = [keys.caller_of(key_id) is not None for key_id in (*ids, "nobody")]
    clock.advance(60)
    later = [keys.caller_of(key_id) is not None for key_id in (*ids, "nobody")]

    assert now == [True, True, False, False]
    assert later == [True, False, False, False]
    assert keys.caller_of(ids[0]) == keys.check(lasting.text)


async def test_a_key_lasts_unless_it_or_its_secret_before_has_an_end_to_come(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    keys = sqlite_store.keys
    lasting = await keys.create(AGENT, actor="test")
    ending = await keys.create(replace(AGENT, expires_unix_s=clock.unix() + 60), actor="test")
    rolled = await keys.create(AGENT, actor="test")
    await keys.roll(rolled.stored.key_id, overlap_s=60, actor="test")
    ids = [one.stored.key_id for one in (lasting, ending, rolled)]

    before = [keys.lasts(key_id) for key_id in (*ids, "nobody")]
    clock.advance(60)
    after = [keys.lasts(key_id) for key_id in (*ids, "nobody")]

    assert before == [True, False, False, True]
    assert after == [True, False, True, True]


async def test_a_key_of_another_process_is_found_to_be_changed(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(sqlite_url, tmp_path, clock) as other:
        made = await other.keys.create(AGENT, actor="test")
    key_id = made.stored.key_id

    unread = sqlite_store.keys.find(key_id)
    stored = await sqlite_store.keys.change(
        key_id, lambda now: replace(now, name="renamed"), actor="test"
    )

    assert unread is None
    assert stored is not None
    assert stored == sqlite_store.keys.find(key_id)
    assert stored.terms == replace(made.stored.terms, name="renamed")


async def test_what_is_not_there_cannot_be_changed_rolled_or_revoked(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    keys = sqlite_store.keys
    made = await keys.create(AGENT, actor="test")
    key_id = made.stored.key_id
    async with open_store(sqlite_url, tmp_path, clock) as other:
        await other.keys.revoke(key_id, actor="test")

    version = keys.version
    changed = [await keys.change(one, lambda now: now, actor="test") for one in (key_id, "nobody")]
    rolled = [await keys.roll(one, overlap_s=0, actor="test") for one in (key_id, "nobody")]
    revoked = [await keys.revoke(one, actor="test") for one in (key_id, "nobody")]

    assert (changed, rolled, revoked) == ([None, None], [None, None], [False, False])
    assert keys.version >= version
    told = await sqlite_store.audit.recent(limit=9, target=key_id)
    assert sorted(one.action for one in told) == ["key.create", "key.revoke"]


async def test_who_may_touch_a_key_is_known_before_it_is_tried(sqlite_store: Opened) -> None:
    keys = sqlite_store.keys
    strong = await keys.create(replace(AGENT, scopes=("full", "admin")), actor="test")
    weak = await keys.create(AGENT, actor="test")
    ids = strong.stored.key_id, weak.stored.key_id

    with pytest.raises(NotAllowed, match=f"key {ids[1]} cannot change key {ids[0]}"):
        keys.check_touch(ids[0], ids[1])
    keys.check_touch(ids[1], ids[0])
    keys.check_touch(ids[0], None)

    assert len(keys) == 2


async def test_a_key_is_charged_to_what_its_maker_is_charged_to_by_then(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    maker = await sqlite_store.keys.create(replace(AGENT, scopes=("admin",)), actor="test")
    by = maker.stored.key_id
    async with open_store(sqlite_url, tmp_path, clock) as other:
        await other.keys.change(by, lambda now: replace(now, budget_ids=("team",)), actor="test")

    # This process has not looked since: the transaction has.
    with pytest.raises(NotAllowed, match="not charged to team"):
        await sqlite_store.keys.create(AGENT, actor=by, maker=by)

    await sqlite_store.keys.load()
    made = await sqlite_store.keys.create(AGENT, actor=by, maker=by)
    assert made.stored.terms.budget_ids == ("team",)


@dataclass
class Overtaking:
    """Renames a key that others rename at the same moment, so many times."""

    url: str
    key_id: str
    others: int
    seen: list[str] = field(default_factory=list[str])

    def __call__(self, now: KeyTerms) -> KeyTerms:
        self.seen.append(now.name)
        if len(self.seen) <= self.others:
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as file, file:
                names = (f"other {len(self.seen)}", self.key_id)
                file.execute("UPDATE keys SET name = ? WHERE key_id = ?", names)
        return replace(now, models=("fast",))


SEEN = ["an agent", *(f"other {number}" for number in range(1, 8))]


async def test_a_change_that_was_overtaken_is_made_of_what_the_key_is_then(
    sqlite_store: Opened, sqlite_url: str
) -> None:
    made = await sqlite_store.keys.create(AGENT, actor="test")
    edit = Overtaking(sqlite_url, made.stored.key_id, others=7)

    stored = await sqlite_store.keys.change(made.stored.key_id, edit, actor="test")

    assert edit.seen == SEEN
    assert stored is not None
    assert (stored.terms.name, stored.terms.models) == ("other 7", ("fast",))


async def test_a_change_that_is_always_overtaken_is_given_up(
    sqlite_store: Opened, sqlite_url: str
) -> None:
    made = await sqlite_store.keys.create(AGENT, actor="test")
    edit = Overtaking(sqlite_url, made.stored.key_id, others=100)

    with pytest.raises(Conflict, match=f"key {made.stored.key_id} is changed by others"):
        await sqlite_store.keys.change(made.stored.key_id, edit, actor="test")

    assert edit.seen == SEEN
    found = sqlite_store.keys.find(made.stored.key_id)
    assert found is not None
    assert found.terms.models == ()


async def test_a_secret_stays_good_for_thirty_days_at_most(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    keys = sqlite_store.keys
    made = await keys.create(AGENT, actor="test")
    key_id = made.stored.key_id

    with pytest.raises(BadRequest, match="from 0 to 2592000") as refused:
        await keys.roll(key_id, overlap_s=30 * DAY_S + 0.001, actor="test")
    await keys.roll(key_id, overlap_s=30 * DAY_S, actor="test")
    clock.advance(30 * DAY_S - 1)
    late = keys.check(made.text)
    clock.advance(1)

    assert refused.value.field == "overlap_s"
    assert late is not None
    assert keys.check(made.text) is None


async def test_a_roll_says_what_the_key_is_from_then_on(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    keys = sqlite_store.keys
    made = await keys.create(AGENT, actor="otto")
    clock.advance(10)

    at_once = await keys.roll(made.stored.key_id, overlap_s=0, actor="test")
    first = keys.find(made.stored.key_id)
    over = await keys.roll(made.stored.key_id, overlap_s=60, actor="test")
    second = keys.find(made.stored.key_id)

    assert at_once is not None
    assert over is not None
    assert at_once.stored == first == replace(made.stored, rolled_unix_s=clock.unix())
    assert over.stored == second == replace(at_once.stored, old_until_unix_s=clock.unix() + 60)


async def test_a_key_whose_pepper_is_lost_is_good_by_its_other_secret_alone(
    sqlite_store: Opened, sqlite_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    old = await sqlite_store.keys.create(AGENT, actor="test")
    sqlite_store.vault.use(add_ring_key(tmp_path))
    new = await sqlite_store.keys.roll(old.stored.key_id, overlap_s=60, actor="test")
    assert new is not None

    async def lose(column: str) -> list[bool]:
        def steps() -> Steps[None]:
            yield Statement(f"UPDATE keys SET {column} = 'lost'")

        await sqlite_store.database.write(steps)
        async with open_store(sqlite_url, tmp_path, clock) as other:
            return [other.keys.check(one.text) is not None for one in (old, new)]

    assert await lose("old_pepper_id") == [False, True]
    assert await lose("pepper_id") == [False, False]
    await sqlite_store.keys.roll(old.stored.key_id, overlap_s=60, actor="test")


async def test_a_revoked_key_takes_its_budgets_and_those_of_its_sessions_along(
    sqlite_store: Opened,
) -> None:
    keys, budgets = sqlite_store.keys, sqlite_store.budgets
    kept = await keys.create(AGENT, actor="test", budget=lambda key: Budget("k", key, "k", 5))
    made = await keys.create(AGENT, actor="test", budget=lambda key: Budget("own", key, "own", 5))
    key_id = made.stored.key_id
    owned = keys.budgets_of(key_id)

    revoked = await keys.revoke(key_id, actor="test")
    await budgets.load()

    assert owned == ("own",)
    assert revoked is True
    assert keys.budgets_of(key_id) == ()
    assert [one.budget_id for one in budgets.all()] == ["k"]
    assert keys.budgets_of(kept.stored.key_id) == ("k",)
