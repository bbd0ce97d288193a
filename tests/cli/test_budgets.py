"""What an amount means on the command line."""

import pytest

from omniroute.server.cli.budgets import usd_nanos
from omniroute.server.cli.exits import USAGE, Stop


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("5", 5_000_000_000),
        ("$0.50", 500_000_000),
        ("0.000000001", 1),
        ("0", 0),
        ("1e3", 1_000_000_000_000),
    ],
)
def test_an_amount_is_dollars_to_the_last_nano(text: str, nanos: int) -> None:
    assert usd_nanos(text, option="usd") == nanos


@pytest.mark.parametrize(
    "text", ["", "five", "-1", "nan", "inf", "1e99", "0.0000000001", "1,000", "1e-999999999"]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Stop, match="--budget-usd") as refused:
        usd_nanos(text, option="--budget-usd")

    assert refused.value.status == USAGE
