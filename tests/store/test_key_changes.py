"""Keys that are changed and rolled, and how much a key may give away."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute.routing.errors import BadRequest, Conflict, NotAllowed, NotAuthenticated
from omniroute.routing.rates import Rates
from omniroute.server.store.budget import Budget
from omniroute.server.store.key_terms import KeyTerms, NewKey
from tests.fakes import FakeClock
from tests.store.opened import Opened, open_store

pytestmark = pytest.mark.anyio

AGENT = KeyTerms("an agent", ("agent",))
ADMIN = KeyTerms("an admin", ("full", "admin"))
Edit = Callable[[KeyTerms], KeyTerms]


async def made(store: Opened, terms: KeyTerms, maker: NewKey | None = None) -> NewKey:
    by = None if maker is None else maker.stored.key_id
    return await store.keys.create(terms, actor=by or "test", maker=by)


async def changed(store: Opened, key: NewKey, edit: Edit, maker: NewKey | None = None) -> KeyTerms:
    by = None if maker is None else maker.stored.key_id
    stored = await store.keys.change(key.stored.key_id, edit, actor=by or "test", maker=by)
    assert stored is not None
    return stored.terms


async def test_a_rolled_key_has_a_new_secret_and_all_else_it_had(store: Opened) -> None:
    old = await store.keys.create(
        replace(AGENT, models=("groq/*",)),
        actor="test",
        budget=lambda key: Budget("b1", key, "b1", 5),
    )
    before = store.keys.check(old.text)

    new = await store.keys.roll(old.stored.key_id, overlap_s=0, actor="test")

    assert new is not None
    assert new.text != old.text
    assert store.keys.check(old.text) is None
    assert store.keys.check(new.text) == before
    assert new.text not in repr(new)
    assert await store.keys.roll("nobodys-key", overlap_s=0, actor="test") is None


async def test_the_secret_before_stays_good_for_the_overlap_and_no_longer(
    store: Opened, clock: FakeClock
) -> None:
    first = await made(store, AGENT)
    key_id = first.stored.key_id

    second = await store.keys.roll(key_id, overlap_s=60, actor="test")
    assert second is not None
    both = [store.keys.check(one.text) is not None for one in (first, second)]
    lasting_while = store.keys.lasts(key_id)
    clock.advance(60)
    after = [store.keys.check(one.text) is not None for one in (first, second)]

    assert both == [True, True]
    assert not lasting_while
    assert after == [False, True]
    assert store.keys.lasts(key_id)
    assert second.stored.old_until_unix_s == clock.unix()


async def test_rolling_again_ends_the_secret_before_the_last(store: Opened) -> None:
    first = await made(store, AGENT)
    key_id = first.stored.key_id

    second = await store.keys.roll(key_id, overlap_s=600, actor="test")
    third = await store.keys.roll(key_id, overlap_s=600, actor="test")
    assert second is not None
    assert third is not None
    overlapping = [store.keys.check(one.text) is not None for one in (first, second, third)]
    last = await store.keys.roll(key_id, overlap_s=0, actor="test")

    assert overlapping == [False, True, True]
    assert last is not None
    assert [store.keys.check(one.text) is None for one in (second, third, last)] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("overlap_s", [-1.0, float("nan"), float("inf"), 31 * 86_400.0])
async def test_an_overlap_is_bounded(sqlite_store: Opened, overlap_s: float) -> None:
    key = await made(sqlite_store, AGENT)

    with pytest.raises(BadRequest, match="overlap_s"):
        await sqlite_store.keys.roll(key.stored.key_id, overlap_s=overlap_s, actor="test")

    assert sqlite_store.keys.check(key.text) is not None


async def test_rolls_and_revocations_hold_in_other_processes_after_a_poll(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    rolled, revoked = await made(store, AGENT), await made(store, AGENT)
    async with open_store(database_url, tmp_path, clock) as other:
        new = await store.keys.roll(rolled.stored.key_id, overlap_s=0, actor="test")
        await store.keys.revoke(revoked.stored.key_id, actor="test")

        assert await other.configs.poll()
        await other.keys.load()

        assert new is not None
        assert other.keys.check(new.text) is not None
        assert other.keys.check(rolled.text) is None
        assert other.keys.check(revoked.text) is None


async def test_a_change_keeps_what_another_process_changed_meanwhile(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    key = await made(store, AGENT)
    async with open_store(database_url, tmp_path, clock) as other:
        await changed(other, key, lambda now: replace(now, models=("groq/*",)))

        # This store has not looked since.
        terms = await changed(store, key, lambda now: replace(now, name="renamed"))

    assert (terms.name, terms.models) == ("renamed", ("groq/*",))
    found = store.keys.find(key.stored.key_id)
    assert found is not None
    assert found.terms == terms


BOUND = KeyTerms(
    "a bound admin",
    ("full", "admin"),
    models=("groq/*", "fast"),
    expires_unix_s=1_700_001_000.0,
    rates=Rates(60, 1000, 5),
)
WITHIN = KeyTerms(
    "within",
    ("read:health",),
    models=("groq/llama*", "fast"),
    expires_unix_s=1_700_000_500.0,
    rates=Rates(60, 10, 1),
)
STRONGER: dict[str, Edit] = {
    "models": lambda now: replace(now, models=()),
    "other models": lambda now: replace(now, models=("groq/llama", "openai/*")),
    "a wider pattern": lambda now: replace(now, models=("gro*",)),
    "a wider pattern in the middle": lambda now: replace(now, models=("g*/x",)),
    "no end": lambda now: replace(now, expires_unix_s=None),
    "a later end": lambda now: replace(now, expires_unix_s=1_700_001_001.0),
    "no rates": lambda now: replace(now, rates=Rates()),
    "more requests": lambda now: replace(now, rates=Rates(61, 10, 1)),
    "more tokens": lambda now: replace(now, rates=Rates(60, 1001, 1)),
    "more at once": lambda now: replace(now, rates=Rates(60, 10, 6)),
}


@pytest.mark.parametrize("edit", STRONGER.values(), ids=STRONGER)
async def test_a_key_makes_and_changes_no_key_to_be_stronger_than_itself(
    store: Opened, edit: Edit
) -> None:
    await made(store, ADMIN)
    maker = await made(store, BOUND)
    weak = await made(store, WITHIN, maker)
    before = store.keys.all()

    for refused in (
        made(store, edit(WITHIN), maker),
        changed(store, weak, edit, maker),
        changed(store, maker, edit, maker),
    ):
        with pytest.raises(NotAllowed):
            await refused

    assert store.keys.all() == before


async def test_a_key_without_a_scope_cannot_give_it(store: Opened) -> None:
    reader = await made(store, KeyTerms("a reader", ("readonly",)))

    with pytest.raises(NotAllowed, match="admin"):
        await made(store, KeyTerms("more", ("admin",)), reader)
    with pytest.raises(NotAllowed, match="write:route"):
        await made(store, AGENT, reader)
    weaker = await made(store, KeyTerms("less", ("read:health",)), reader)

    assert weaker.stored.terms.scopes == ("read:health",)


async def test_a_key_neither_changes_nor_rolls_nor_revokes_a_stronger_one(store: Opened) -> None:
    strong, bound = await made(store, ADMIN), await made(store, BOUND)
    key_id, by = strong.stored.key_id, bound.stored.key_id

    for refused in (
        store.keys.change(key_id, lambda _: WITHIN, actor=by, maker=by),
        store.keys.roll(key_id, overlap_s=0, actor=by, maker=by),
        store.keys.revoke(key_id, actor=by, maker=by),
    ):
        with pytest.raises(NotAllowed, match=key_id):
            await refused

    assert store.keys.check(strong.text) is not None


async def test_a_key_may_weaken_roll_and_revoke_itself(store: Opened) -> None:
    await made(store, ADMIN)
    bound = await made(store, BOUND)
    key_id = bound.stored.key_id

    terms = await changed(store, bound, lambda now: replace(now, models=("fast",)), bound)
    rolled = await store.keys.roll(key_id, overlap_s=0, actor=key_id, maker=key_id)

    assert terms.models == ("fast",)
    assert rolled is not None
    assert await store.keys.revoke(key_id, actor=key_id, maker=key_id)


async def test_what_a_key_makes_is_charged_to_its_budgets_too(store: Opened) -> None:
    await made(store, ADMIN)
    maker = await store.keys.create(
        ADMIN, actor="test", budget=lambda key: Budget("b1", key, "b1", 5)
    )
    by = maker.stored.key_id

    child = await store.keys.create(
        AGENT, actor=by, maker=by, budget=lambda key: Budget("b2", key, "b2", 5)
    )
    free = await made(store, AGENT)
    with pytest.raises(NotAllowed, match="b1"):
        await changed(store, free, lambda now: now, maker)
    with pytest.raises(NotAllowed, match="b1"):
        await changed(store, child, lambda now: replace(now, budget_ids=()), maker)

    caller = store.keys.check(child.text)
    assert caller is not None
    assert caller.budget_ids == ("b1", "b2")


async def test_a_budget_outlives_its_key_while_others_are_charged_to_it(store: Opened) -> None:
    await made(store, ADMIN)
    maker = await store.keys.create(
        ADMIN, actor="test", budget=lambda key: Budget("b1", key, "b1", 5)
    )
    by = maker.stored.key_id
    child = await store.keys.create(
        AGENT, actor=by, maker=by, budget=lambda key: Budget("b2", key, "b2", 5)
    )

    await store.keys.revoke(by, actor="test")
    await store.budgets.load()
    kept = [one.budget_id for one in store.budgets.all()]
    caller = store.keys.check(child.text)
    await store.keys.revoke(child.stored.key_id, actor="test")
    await store.budgets.load()

    assert kept == ["b1", "b2"]
    assert caller is not None
    assert caller.budget_ids == ("b1", "b2")
    assert [one.budget_id for one in store.budgets.all()] == ["b1"]


async def test_who_was_revoked_meanwhile_makes_nothing(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await made(store, ADMIN)
    maker = await made(store, ADMIN)
    async with open_store(database_url, tmp_path, clock) as other:
        await other.keys.revoke(maker.stored.key_id, actor="test")

        # This store has not looked since: the transaction has.
        with pytest.raises(NotAuthenticated):
            await made(store, AGENT, maker)

    await store.keys.load()
    assert len(store.keys) == 1


TAKES: dict[str, Edit] = {
    "its scope": lambda now: replace(now, scopes=("agent",)),
    "itself": lambda now: replace(now, enabled=False),
}


@pytest.mark.parametrize("edit", TAKES.values(), ids=TAKES)
async def test_the_last_key_that_may_manage_the_gateway_stays_while_keys_are_required(
    store: Opened, edit: Edit
) -> None:
    last = await made(store, ADMIN)
    await made(store, AGENT)
    await made(store, replace(ADMIN, enabled=False))

    with pytest.raises(Conflict, match="last one"):
        await changed(store, last, edit)
    with pytest.raises(Conflict, match="last one"):
        await store.keys.revoke(last.stored.key_id, actor="test")
    another = await made(store, ADMIN)
    await changed(store, last, edit)

    assert store.keys.check(another.text) is not None


async def test_an_ended_admin_is_none(store: Opened, clock: FakeClock) -> None:
    last = await made(store, ADMIN)
    await made(store, replace(ADMIN, expires_unix_s=clock.unix() + 60))

    clock.advance(61)

    with pytest.raises(Conflict):
        await store.keys.revoke(last.stored.key_id, actor="test")
    assert store.keys.check(last.text) is not None


async def test_the_very_last_key_goes_where_none_is_needed_then(store: Opened) -> None:
    last = await made(store, ADMIN)
    store.keys.required = lambda left: True
    with pytest.raises(Conflict):
        await store.keys.revoke(last.stored.key_id, actor="test")

    store.keys.required = lambda left: left > 0

    assert await store.keys.revoke(last.stored.key_id, actor="test")


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        (replace(AGENT, models=("",)), "models"),
        (replace(AGENT, models=("two\nlines",)), "models"),
        (replace(AGENT, models=(" groq/*",)), "models"),
        (replace(AGENT, models=("x" * 257,)), "models"),
        (replace(AGENT, models=tuple(f"m{number}" for number in range(1001))), "models"),
        (replace(AGENT, rates=Rates(0)), "requests_per_minute"),
        (replace(AGENT, rates=Rates(None, -1)), "tokens_per_minute"),
        (replace(AGENT, rates=Rates(None, None, 10**10)), "concurrency_max"),
        (replace(AGENT, expires_unix_s=1_700_000_000.0), "expires_unix_s"),
        (replace(AGENT, expires_unix_s=float("nan")), "expires_unix_s"),
    ],
)
async def test_terms_that_are_not_valid_are_refused_with_their_field(
    sqlite_store: Opened, terms: KeyTerms, field: str
) -> None:
    key = await made(sqlite_store, AGENT)

    with pytest.raises(BadRequest) as making:
        await made(sqlite_store, terms)
    with pytest.raises(BadRequest) as changing:
        await changed(sqlite_store, key, lambda _: terms)

    assert making.value.field == changing.value.field == field


async def test_a_key_that_has_ended_can_still_be_changed(store: Opened, clock: FakeClock) -> None:
    key = await made(store, replace(AGENT, expires_unix_s=clock.unix() + 5))
    clock.advance(10)

    ended = await changed(store, key, lambda now: replace(now, name="late"))
    revived = await changed(store, key, lambda now: replace(now, expires_unix_s=None))

    assert (ended.name, revived.expires_unix_s) == ("late", None)
    assert store.keys.check(key.text) is not None


async def test_changes_and_rolls_are_audited_without_a_secret(store: Opened) -> None:
    key = await made(store, AGENT)
    await changed(store, key, lambda now: replace(now, rates=Rates(20)))
    new = await store.keys.roll(key.stored.key_id, overlap_s=60, actor="otto")

    entries = await store.audit.recent(limit=10, target=key.stored.key_id)

    assert new is not None
    assert [one.action for one in entries] == ["key.roll", "key.change", "key.create"]
    assert "20" in entries[1].detail
    told = "".join(one.detail for one in entries)
    assert key.text[-43:] not in told
    assert new.text[-43:] not in told
