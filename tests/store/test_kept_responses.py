"""Kept responses on every database: chains, whose they are, and how long they stay."""

from dataclasses import replace

import pytest

from omniroute.server.store import kept_responses
from omniroute.server.store.database import Database
from omniroute.server.store.kept_responses import KEPT_S, ROW_BYTES_MAX, KeptResponse, KeptResponses

pytestmark = pytest.mark.anyio

NOW = 1_700_000_000.0
FIRST = KeptResponse("resp_1", None, b"[1]", b"{}")
SECOND = KeptResponse("resp_2", "resp_1", b"[2]", b"{}")
THIRD = KeptResponse("resp_3", "resp_2", b"[3]", b"{}")


async def filled(database: Database) -> KeptResponses:
    kept = KeptResponses(database)
    for number, one in enumerate((FIRST, SECOND, THIRD)):
        assert await kept.keep("mine", one, now_unix_s=NOW + number)
    return kept


async def test_a_chain_is_given_oldest_first_to_its_own_key_alone(database: Database) -> None:
    kept = await filled(database)

    assert await kept.chain("mine", "resp_3") == [FIRST, SECOND, THIRD]
    assert await kept.chain("mine", "resp_1") == [FIRST]
    assert await kept.chain("other", "resp_3") is None
    assert await kept.get("other", "resp_3") is None
    assert await kept.get("mine", "resp_3") == THIRD


async def test_a_chain_with_a_row_missing_is_not_found(database: Database) -> None:
    kept = await filled(database)

    assert not await kept.delete("other", "resp_2")
    assert await kept.delete("mine", "resp_2")

    assert await kept.chain("mine", "resp_3") is None
    assert await kept.get("mine", "resp_3") == THIRD


async def test_what_was_kept_first_stays_as_it_is(database: Database) -> None:
    kept = await filled(database)

    await kept.keep("mine", replace(FIRST, response=b"[]"), now_unix_s=NOW)

    assert await kept.get("mine", "resp_1") == FIRST


async def test_rows_and_chains_are_bounded(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await filled(database)
    huge = KeptResponse("resp_9", None, b"x" * ROW_BYTES_MAX, b"{}")

    assert not await kept.keep("mine", huge, now_unix_s=NOW)
    assert await kept.get("mine", "resp_9") is None
    monkeypatch.setattr(kept_responses, "CHAIN_BYTES_MAX", 14)
    assert await kept.chain("mine", "resp_3") is None
    assert await kept.chain("mine", "resp_2") == [FIRST, SECOND]
    monkeypatch.setattr(kept_responses, "CHAIN_MAX", 1)
    assert await kept.chain("mine", "resp_2") is None


async def test_old_rows_are_removed(database: Database) -> None:
    kept = await filled(database)

    assert await kept.prune(now_unix_s=NOW + KEPT_S + 1) == 2

    assert await kept.get("mine", "resp_2") is None
    assert await kept.get("mine", "resp_3") == THIRD
