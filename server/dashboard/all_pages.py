"""All pages of the dashboard, in the order of its menu, on one screen."""

from collections.abc import Callable

from starlette.types import ASGIApp

from ..api.calls import Calls
from ..parts import Parts
from .asking import Doors
from .door import Dashboard
from .pages import (
    a2a,
    audit,
    combos,
    health,
    keys,
    live,
    mcp,
    overview,
    playground,
    providers,
    requests,
    sessions,
    settings,
    setup,
    translate,
)


def dashboard(parts: Parts, calls: Calls, front: Callable[[], ASGIApp]) -> Dashboard:
    """Give the dashboard over a gateway's parts, its management API and all of its doors."""
    doors = Doors(front, parts.authenticator)
    rows = (
        *overview.rows(),
        *live.rows(),
        *requests.rows(),
        *combos.rows(),
        *providers.rows(),
        *keys.rows(),
        *playground.Playground(doors, parts.settings.public_url).rows(),
        *translate.rows(),
        *setup.SetUp(doors, parts.settings.public_url).rows(),
        *mcp.rows(),
        *mcp.Trying(doors).rows(),
        *a2a.rows(),
        *a2a.Talking(doors).rows(),
        *health.rows(),
        *audit.rows(),
        *settings.rows(),
        *sessions.rows(),
    )
    return Dashboard(rows, calls, parts)
