"""The configuration: changed in one step, audited, and seen by every process."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute.routing.errors import BadRequest, Conflict
from omniroute.routing.model import Account, Combo, ComboModel, Config
from omniroute.routing.preference import Factors, FitnessRule, Preference
from omniroute.server.store.changes import Changes
from omniroute.server.store.configs import ConfigStore
from omniroute.server.store.database import Statement, Steps
from tests.fakes import FakeClock, account, combo
from tests.store.opened import Opened, open_store

GROQ = Account(
    account_id="acc-groq",
    provider="groq",
    dialect="openai_chat",
    base_url="https://groq.example/v1",
    credential="sk-fake-credential",
    headers=(("x-extra", "fake"),),
    models=("m", "org/m"),
    name="Groq of the team",
    proxy="http://someone:sk-fake-password@10.0.0.9:3128",
    http2=True,
)


def of(config: Config, account_id: str) -> Account:
    return next(one for one in config.accounts if one.account_id == account_id)


@pytest.mark.anyio
async def test_what_is_put_is_in_force_as_it_was(store: Opened) -> None:
    team = Combo(
        combo_id="cmb-team",
        name="team",
        models=(ComboModel("groq/m", 70), ComboModel("groq/org/m", 30)),
        strategy="weighted",
        attempts_max=2,
        first_byte_s=5.5,
        description="For the team.",
        retries=1,
        retry_delay_s=0.5,
        concurrency_per_model=4,
        queue_s=2.5,
        session_s=90.0,
        hedge_percentile=97,
    )

    own = Preference("classic-6f", None, Factors(0.1, 0.2, 0.3, 0.4, 0, 0), 0.25, 2_000_000)
    mine = combo("mine", "groq", strategy="auto", preference=own)
    free = combo("free", strategy="auto", preference=Preference())

    await store.configs.put_account(GROQ, actor="maria")
    await store.configs.put_combo(team, actor="maria")
    await store.configs.put_combo(mine, actor="maria")
    await store.configs.put_combo(free, actor="maria")
    await store.configs.put_alias("default", "team", actor="maria")
    await store.configs.put_setting("mode", "cheap", actor="maria")

    config = store.configs.current()
    assert config.accounts == (GROQ,)
    assert set(config.combos) == {team, mine, free}
    assert config.aliases == (("default", "team"),)
    assert config.mode == "cheap"
    assert store.configs.setting("mode") == "cheap"
    assert store.configs.setting("never set") is None
    assert config.version == 7
    assert config.seed == store.ring.seed


@pytest.mark.anyio
async def test_a_change_replaces_the_value_and_never_edits_it(store: Opened) -> None:
    await store.configs.put_account(GROQ, actor="test")
    before = store.configs.current()

    await store.configs.put_account(replace(GROQ, enabled=False), actor="test")

    assert of(before, "acc-groq").enabled
    assert not of(store.configs.current(), "acc-groq").enabled
    assert len(store.configs.current().accounts) == 1


@pytest.mark.anyio
async def test_removing_says_whether_there_was_anything(store: Opened) -> None:
    await store.configs.put_account(GROQ, actor="test")
    await store.configs.put_combo(combo("team", "groq/m"), actor="test")
    await store.configs.put_alias("default", "team", actor="test")
    version = store.configs.current().version

    removed = (
        await store.configs.remove_account("acc-groq", actor="test"),
        await store.configs.remove_combo("cmb-team", actor="test"),
        await store.configs.remove_alias("default", actor="test"),
    )
    again = (
        await store.configs.remove_account("acc-groq", actor="test"),
        await store.configs.remove_combo("cmb-team", actor="test"),
        await store.configs.remove_alias("default", actor="test"),
    )

    assert (removed, again) == ((True, True, True), (False, False, False))
    config = store.configs.current()
    assert (config.accounts, config.combos, config.aliases) == ((), (), ())
    assert config.version == version + 3
    assert len(await store.audit.recent(limit=100)) == 6


@pytest.mark.anyio
async def test_another_process_sees_a_change_after_its_poll(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as other:
        await store.configs.put_account(GROQ, actor="test")

        assert other.configs.current().accounts == ()
        assert await other.configs.poll()
        assert other.configs.current() == store.configs.current()
        assert not await other.configs.poll()


@pytest.mark.anyio
async def test_changes_of_several_processes_at_once_are_all_kept_and_audited(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_store(database_url, tmp_path, clock) as other:
        await asyncio.gather(
            *(
                one.configs.put_account(account(f"{name}-{number}"), actor="test")
                for number in range(6)
                for name, one in (("here", store), ("there", other))
            )
        )
    await store.configs.poll()

    assert len(store.configs.current().accounts) == 12
    assert store.configs.current().version == 13
    verified = await store.audit.verify()
    assert (verified.chains, verified.rows, verified.faults) == (2, 12, ())


@pytest.mark.anyio
async def test_two_combos_of_one_name_are_a_conflict(store: Opened) -> None:
    await store.configs.put_combo(combo("team", "groq/m"), actor="test")

    with pytest.raises(Conflict, match="a combo named 'team' already"):
        await store.configs.put_combo(
            replace(combo("team", "groq/m"), combo_id="cmb-other"), actor="test"
        )

    assert [one.combo_id for one in store.configs.current().combos] == ["cmb-team"]


@pytest.mark.anyio
async def test_combos_that_cannot_be_are_refused_and_change_nothing(store: Opened) -> None:
    await store.configs.put_combo(combo("one", "groq/m"), actor="test")
    await store.configs.put_combo(combo("two", "one"), actor="test")
    version = store.configs.current().version

    with pytest.raises(BadRequest):
        await store.configs.put_combo(combo("a name with spaces", "groq/m"), actor="test")
    with pytest.raises(BadRequest, match="contain itself"):
        await store.configs.put_combo(combo("one", "two"), actor="test")
    with pytest.raises(Conflict, match="'two' contains this one"):
        await store.configs.remove_combo("cmb-one", actor="test")

    rows = await store.database.read(Statement("SELECT version FROM config_version"))
    assert rows[0]["version"] == version == store.configs.current().version
    assert len(await store.audit.recent(limit=100)) == 2


@pytest.mark.anyio
async def test_combos_of_two_processes_cannot_close_a_circle(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    for name in ("one", "two"):
        await store.configs.put_combo(combo(name, "groq/m"), actor="test")
    async with open_store(database_url, tmp_path, clock) as other:
        results = await asyncio.gather(
            store.configs.put_combo(combo("one", "two"), actor="test"),
            other.configs.put_combo(combo("two", "one"), actor="test"),
            return_exceptions=True,
        )

    assert sorted(type(result).__name__ for result in results) == ["BadRequest", "NoneType"]


@pytest.mark.anyio
@pytest.mark.parametrize("field", ["account_id", "provider", "base_url"])
async def test_an_account_needs_its_id_provider_and_url(sqlite_store: Opened, field: str) -> None:
    incomplete = account("groq", **{field: ""})

    with pytest.raises(BadRequest) as refusal:
        await sqlite_store.configs.put_account(incomplete, actor="test")

    assert refusal.value.field == field


@pytest.mark.anyio
async def test_an_account_whose_secret_is_lost_is_kept_but_not_used(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    await store.configs.put_account(GROQ, actor="test")
    (tmp_path / "keyring.json").unlink()

    async with open_store(database_url, tmp_path, clock) as other:
        await other.configs.put_account(account("two"), actor="test")
        lost, kept = of(other.configs.current(), "acc-groq"), of(other.configs.current(), "acc-two")

        assert (lost.enabled, lost.credential) == (False, None)
        assert (kept.enabled, kept.credential) == (True, "sk-fake-credential")
        assert "enter the secret again" in other.configs.problems[0]
        await other.configs.put_account(GROQ, actor="test")
        assert of(other.configs.current(), "acc-groq") == GROQ
        assert other.configs.problems == ()


@pytest.mark.anyio
async def test_secrets_that_swapped_rows_do_not_open(store: Opened) -> None:
    await store.configs.put_account(GROQ, actor="test")
    await store.configs.put_account(account("two"), actor="test")

    def swap() -> Steps[None]:
        rows = yield Statement("SELECT account_id, secret FROM accounts")
        for row, other in zip(rows, reversed(rows), strict=True):
            values = (row["account_id"], other["secret"])
            yield Statement("UPDATE accounts SET secret = $2 WHERE account_id = $1", values)

    await store.database.write(swap)

    await store.configs.load()

    assert [one.enabled for one in store.configs.current().accounts] == [False, False]
    assert len(store.configs.problems) == 2


@pytest.mark.anyio
async def test_a_row_that_this_version_cannot_read_is_named_and_passed_over(store: Opened) -> None:
    await store.configs.put_account(GROQ, actor="test")
    await store.configs.put_combo(combo("team", "groq/m"), actor="test")
    await store.database.write(Statement("UPDATE accounts SET dialect = 'of the future'"))
    await store.database.write(Statement("UPDATE combos SET models = 'no JSON'"))

    await store.configs.load()

    assert store.configs.current().accounts == ()
    assert store.configs.current().combos == ()
    assert len(store.configs.problems) == 2


@pytest.mark.anyio
async def test_a_combo_is_switched_and_the_rest_of_it_stays(store: Opened) -> None:
    team = combo("team", "groq/m", strategy="weighted", description="For the team.")
    await store.configs.put_combo(team, actor="test")
    stale = replace(team, description="What another process has seen before.")

    switched = await store.configs.switch_combo(stale, active=False, actor="maria")
    off = store.configs.current().combos
    again = await store.configs.switch_combo(stale, active=True, actor="maria")
    on = store.configs.current().combos
    await store.configs.remove_combo("cmb-team", actor="test")
    gone = await store.configs.switch_combo(team, active=True, actor="maria")

    entries = await store.audit.recent(limit=3)
    assert (switched, again, gone) == (True, True, False)
    assert (off, on) == ((replace(team, active=False),), (team,))
    assert store.configs.current().combos == ()
    assert [one.action for one in entries] == ["combo.remove", "combo.switch", "combo.switch"]


@pytest.mark.anyio
async def test_a_starter_combo_is_stored_only_while_it_is_off(store: Opened) -> None:
    starter = Combo("starter-quick", "quick", (ComboModel("groq/m"),))
    own = combo("quick", "groq/other")

    for active in (False, False, True, True, False):
        assert await store.configs.switch_combo(starter, active=active, actor="test")
        kept = store.configs.current().combos
        assert kept == (() if active else (replace(starter, active=False),))
    await store.configs.put_combo(own, actor="test")

    assert store.configs.current().combos == (own,)


@pytest.mark.anyio
async def test_what_is_laid_over_is_in_force_and_counts_for_combos(
    sqlite_store: Opened, clock: FakeClock
) -> None:
    store = sqlite_store
    starters = (combo("starter", "groq/m"), combo("nested", "starter"))
    configs = ConfigStore(
        store.database,
        store.vault,
        Changes(store.database, store.audit, clock),
        overlay=lambda config: replace(config, combos=(*starters, *config.combos)),
    )
    await configs.load()

    await configs.put_combo(combo("deep", "nested"), actor="test")
    with pytest.raises(BadRequest, match="deep"):
        await configs.put_combo(combo("deeper", "deep"), actor="test")

    assert [one.name for one in configs.current().combos] == ["starter", "nested", "deep"]


@pytest.mark.anyio
async def test_a_resilience_profile_outlives_its_process_and_reaches_others(
    store: Opened, database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    before = store.configs.current().resilience
    await store.configs.put_resilience("aggressive", actor="maria")

    async with open_store(database_url, tmp_path, clock) as other:
        later = other.configs.current().resilience
        await other.configs.put_resilience("conservative", actor="maria")
    await store.configs.poll()

    assert (before, later, store.configs.current().resilience) == (
        *("balanced", "aggressive"),
        "conservative",
    )


@pytest.mark.anyio
async def test_a_profile_that_does_not_exist_is_a_problem_and_balanced_holds(
    store: Opened,
) -> None:
    await store.configs.put_setting("resilience", "reckless", actor="maria")

    assert store.configs.current().resilience == "balanced"
    assert "no resilience profile is named 'reckless'" in store.configs.problems[0]


@pytest.mark.anyio
async def test_fitness_rules_of_two_processes_are_all_kept(
    database_url: str, tmp_path: Path, clock: FakeClock
) -> None:
    math, code = FitnessRule("m", "math", 0.1), FitnessRule("m", "code", 0.2)
    async with (
        open_store(database_url, tmp_path, clock) as one,
        open_store(database_url, tmp_path, clock) as two,
    ):
        await one.configs.put_fitness(math, actor="test")
        await two.configs.put_fitness(code, actor="test")
        await one.configs.poll()
        both = one.configs.current().fitness
        removed = await one.configs.remove_fitness("m", "math", actor="test")
        again = await one.configs.remove_fitness("m", "math", actor="test")
        await two.configs.poll()

        assert both == (code, math)
        assert (removed, again) == (True, False)
        assert two.configs.current().fitness == (code,)


@pytest.mark.anyio
async def test_fitness_rules_that_cannot_be_read_are_a_problem_and_the_tables_speak(
    store: Opened,
) -> None:
    await store.configs.put_setting("fitness", [{"pattern": 1}], actor="test")

    assert store.configs.current().fitness == ()
    assert "setting 'fitness' cannot be used" in store.configs.problems[0]
