"""When a key expires, and what a combo's entry means."""

from datetime import UTC, datetime

import pytest

from omniroute.server.cli.combos import combo_model
from omniroute.server.cli.exits import USAGE, Stop
from omniroute.server.cli.keys import expiry

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12h", datetime(2026, 11, 23, tzinfo=UTC)),
        ("90d", datetime(2027, 2, 20, 12, tzinfo=UTC)),
        ("2 w", datetime(2026, 12, 6, 12, tzinfo=UTC)),
        ("2027-01-31", datetime(2027, 1, 31, tzinfo=UTC)),
        ("2027-01-31T08:30:00+02:00", datetime(2027, 1, 31, 6, 30, tzinfo=UTC)),
    ],
)
def test_expires_takes_a_length_or_a_day(text: str, moment: datetime) -> None:
    assert expiry(text, NOW) == moment.timestamp()


def test_a_key_without_expires_never_does() -> None:
    assert expiry(None, NOW) is None


@pytest.mark.parametrize("text", ["soon", "0d", "2026-11-21", "99999999999d", "2027-13-01", ""])
def test_a_wrong_or_past_time_is_refused(text: str) -> None:
    with pytest.raises(Stop, match="--expires") as refused:
        expiry(text, NOW)

    assert refused.value.status == USAGE


@pytest.mark.parametrize(
    ("text", "target", "weight"),
    [
        ("groq/llama", "groq/llama", 0),
        ("groq/llama=3", "groq/llama", 3),
        ("box/a=b", "box/a=b", 0),
        ("box/a=b=2", "box/a=b", 2),
        ("=3", "=3", 0),
    ],
)
def test_only_digits_behind_the_last_equals_are_a_weight(
    text: str, target: str, weight: int
) -> None:
    entry = combo_model(text)

    assert (entry.target, entry.weight) == (target, weight)
