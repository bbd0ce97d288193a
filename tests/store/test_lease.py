"""One lease: what it has free, how long it lasts, how large its chunks are to be."""

from dataclasses import replace

import pytest

from omniroute.server.store import lease as of_lease
from omniroute.server.store import lease_rows
from omniroute.server.store.budget_rows import Standing
from omniroute.server.store.lease import Lease
from omniroute.server.store.lease_rows import Granted, Wish
from omniroute.server.store.windows import Line

LINE = Line("team", 86_400)
STANDING = Standing("team", 86_400, 10_000, 0, 0, 640, 7.5)


def new_lease(target_usd_nanos: int = 1_600) -> Lease:
    return Lease(LINE, "boot-0", target_usd_nanos)


def wish_of(exposed_usd_nanos: int) -> Wish:
    return replace(new_lease().wish(100), exposed_usd_nanos=exposed_usd_nanos)


def test_a_new_lease_has_nothing_and_has_done_nothing() -> None:
    lease = new_lease()

    amounts = (lease.stored_usd_nanos, lease.unrecorded_usd_nanos, lease.exposed_usd_nanos)
    moments = (lease.recalled_unix_s, lease.used_s, lease.asked_s, lease.asked_unix_s)
    assert (*amounts, lease.free_usd_nanos, lease.pending) == (0, 0, 0, 0, 0)
    assert (*moments, lease.filled_s) == (0, 0, 0, 0, 0)
    assert (lease.granted, lease.filling, lease.returning) == (False, False, None)
    assert not lease.ran_out(1e12, 1e12)


def test_a_lease_names_its_window_as_a_reservation_does() -> None:
    assert new_lease().text == '["team", 86400]'


def test_the_text_of_a_window_is_never_given_from_outside() -> None:
    with pytest.raises(TypeError):
        Lease(LINE, "boot-0", 1, text="[]")  # type: ignore[call-arg]


def test_the_figures_are_those_that_the_policy_names() -> None:
    told = (lease_rows.CHUNK_S, lease_rows.CHUNK_SLACK_S, lease_rows.HOLDS_MIN)
    assert told == (60.0, 15.0, 4)
    assert (lease_rows.SHARE, lease_rows.QUIET_S) == (8, 5.0)
    assert (of_lease.AHEAD_S, of_lease.FIRST_HOLDS, of_lease.GROWTH) == (1.0, 16, 2)
    assert (of_lease.EXPOSED, of_lease.LASTS_S) == (8, 45.0)


def test_what_is_not_recorded_yet_is_not_free() -> None:
    lease = new_lease()
    lease.stored_usd_nanos, lease.unrecorded_usd_nanos = 900, 400

    assert lease.free_usd_nanos == 500


@pytest.mark.parametrize(
    ("now", "now_unix_s", "ran_out"),
    [
        (144.9, 1_044.9, False),
        (145.0, 1_044.9, True),
        (144.9, 1_045.0, True),
        (145.1, 1_045.1, True),
    ],
)
def test_a_chunk_lasts_from_when_it_was_asked_for_by_both_clocks(
    now: float, now_unix_s: float, *, ran_out: bool
) -> None:
    lease = new_lease()
    lease.asked(100.0, 1_000.0)
    lease.filled(wish_of(200), Granted(1_600, 2_000, STANDING))

    assert lease.ran_out(now, now_unix_s) is ran_out


def test_asking_for_a_chunk_counts_as_use() -> None:
    lease = new_lease()

    lease.asked(100.0, 1_000.0)

    assert (lease.asked_s, lease.asked_unix_s, lease.used_s) == (100.0, 1_000.0, 100.0)


@pytest.mark.parametrize(
    ("lasted_s", "target_usd_nanos"),
    [(0.5, 20_000), (0.99, 20_000), (1.0, 10_000), (4.0, 10_000), (4.01, 5_000), (4.5, 5_000)],
)
def test_a_chunk_is_doubled_when_it_was_soon_gone_and_halved_when_it_lasted(
    lasted_s: float, target_usd_nanos: int
) -> None:
    lease = new_lease(10_000)
    lease.filled_s = 100.0

    lease.aim(100.0 + lasted_s, 100)

    assert lease.target_usd_nanos == target_usd_nanos


def test_a_chunk_never_gets_smaller_than_a_first_one() -> None:
    lease = new_lease(2_000)

    lease.aim(1_000.0, 100)

    assert lease.target_usd_nanos == 1_600


def test_a_wish_fills_up_to_the_target() -> None:
    lease = new_lease(16_000)
    first = lease.wish(100)
    lease.granted, lease.stored_usd_nanos, lease.unrecorded_usd_nanos = True, 9_000, 2_000

    more = lease.wish(100)

    assert first == Wish(LINE, "boot-0", True, 16_000, 400, 2_000)
    assert more == Wish(LINE, "boot-0", False, 9_000, 400, 2_000)


def test_a_wish_is_never_for_fewer_holds_than_a_lease_is_worth() -> None:
    lease = new_lease(1_600)
    lease.stored_usd_nanos = 1_500

    wish = lease.wish(100)

    assert (wish.usd_nanos, wish.usd_nanos_min, wish.exposed_usd_nanos) == (400, 400, 400)


def test_a_grant_is_had_from_when_it_was_asked_for() -> None:
    lease = new_lease()
    lease.asked(100.0, 1_000.0)

    lease.filled(wish_of(200), Granted(1_600, 2_000, STANDING))

    assert (lease.granted, lease.stored_usd_nanos, lease.exposed_usd_nanos) == (True, 1_600, 200)
    assert (lease.target_usd_nanos, lease.filled_s, lease.recalled_unix_s) == (1_600, 100.0, 7.5)


def test_a_second_grant_adds_to_the_first_and_exposes_no_less() -> None:
    lease = new_lease()
    lease.filled(wish_of(200), Granted(600, 2_000, STANDING))

    lease.filled(wish_of(100), Granted(300, 900, replace(STANDING, recalled_unix_s=8.0)))

    assert (lease.stored_usd_nanos, lease.exposed_usd_nanos) == (900, 200)
    assert lease.target_usd_nanos == 900
    assert lease.recalled_unix_s == 7.5


def test_a_grant_in_a_window_that_is_gone_tells_no_recall() -> None:
    lease = new_lease()

    lease.filled(wish_of(200), Granted(600, 2_000, None))

    assert (lease.granted, lease.recalled_unix_s) == (True, 0.0)
