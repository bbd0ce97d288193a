"""Log lines: an event's name and its fields, one line whatever is in them."""

import logging

import pytest

from omniroute.routing.health.alerts import Alert
from omniroute.server.alerts import log_alert
from omniroute.server.log_lines import LineFormatter


def line(event: str, **extra: object) -> str:
    """Give the line of an event without its time."""
    record = logging.makeLogRecord(
        {"name": "omniroute", "levelname": "WARNING", "msg": event, **extra}
    )
    return LineFormatter().format(record).partition(" WARNING ")[2]


def test_fields_follow_the_event_by_name() -> None:
    assert line("poll_failed", reason="locked", tries=3) == (
        "omniroute poll_failed reason=locked tries=3"
    )


def test_a_value_stays_one_field_on_one_line() -> None:
    wicked = line("circuit_opened", detail='a\nERROR "b" c=1', model_name="", account_id=None)

    assert wicked == 'omniroute circuit_opened detail="a\\nERROR \\"b\\" c=1"'


def test_an_alert_is_logged_under_its_name_and_a_budgets_is_left_to_the_budget(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_alert(Alert("circuit_opened", 0.0, 0.0, "one", "acc-one", "m", "tls"))
    log_alert(Alert("budget_warning", 0.0, 0.0, detail="9 of 10 are spent"))

    (record,) = caplog.records
    assert (record.getMessage(), record.levelno) == ("circuit_opened", logging.WARNING)
    assert vars(record)["account_id"] == "acc-one"
