"""Alerts on their way out of a process: into the log, and from the budgets into the list."""

import logging

from omniroute.routing.health.alerts import Alert, AlertName, Alerts
from omniroute.routing.ports import Clock

GOOD_NEWS: frozenset[AlertName] = frozenset({"circuit_closed", "limit_learned"})
"""What is logged as information; everything else is a warning."""

log = logging.getLogger("omniroute")


def log_alert(alert: Alert) -> None:
    """Write one line, whose event is the alert's name; budgets write their own."""
    if alert.name == "budget_warning":
        return
    level = logging.INFO if alert.name in GOOD_NEWS else logging.WARNING
    log.log(
        level,
        alert.name,
        extra={
            "provider": alert.provider,
            "account_id": alert.account_id,
            "model_name": alert.model,
            "detail": alert.detail,
        },
    )


class BudgetAlerts:
    """Takes the warnings of budgets, which their store logs itself, into the list."""

    def __init__(self, alerts: Alerts, clock: Clock) -> None:
        self._alerts = alerts
        self._clock = clock

    def __call__(self, words: str) -> None:
        """Note that a budget is past its threshold."""
        self._alerts.note("budget_warning", self._clock.now(), detail=words)
