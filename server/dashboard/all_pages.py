"""All pages of the dashboard, in the order of its menu, on one screen."""

from ..api.calls import Calls
from ..parts import Parts
from .door import Dashboard
from .pages import audit, combos, health, keys, overview, providers, requests, settings


def dashboard(parts: Parts, calls: Calls) -> Dashboard:
    """Give the dashboard over a gateway's parts and its management API."""
    rows = (
        *overview.rows(),
        *requests.rows(),
        *combos.rows(),
        *providers.rows(),
        *keys.rows(),
        *health.rows(),
        *audit.rows(),
        *settings.rows(),
    )
    return Dashboard(rows, calls, parts.authenticator, parts.version)
