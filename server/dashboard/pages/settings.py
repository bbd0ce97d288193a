"""Settings: what is in force, and from where; and what changes while the gateway serves."""

from starlette.responses import Response

from ...api.settings import MODES, PATH
from ...settings_json import SettingsJson
from ..visits import Menu, PageRow, Shown, Visit, onward

PAGE = "/dashboard/settings"
PROFILES_PATH = "/api/resilience"


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    return (
        PageRow("GET", PAGE, ("admin",), show, menu=Menu("settings", "cog-6-tooth")),
        PageRow("POST", PAGE, ("admin",), change, again=show),
    )


async def show(visit: Visit) -> Shown:
    """Show all settings in force."""
    called = await visit.call("GET", PATH)
    found: SettingsJson = called.value
    return Shown("settings.html", {"found": found, "tag": called.tag, "modes": MODES})


async def change(visit: Visit) -> Response:
    """Change what changes while the gateway serves."""
    fields = visit.fields
    body: dict[str, object] = {"mode": fields.text("mode")}
    if fields.flag("keepForEver"):
        body["logRetentionDays"] = "never"
    elif fields.text("logRetentionDays"):
        body["logRetentionDays"] = fields.number("logRetentionDays")
    await visit.call("PATCH", PATH, body=body, tag=fields.text("tag"))
    return onward(PAGE, "settings.changed")
