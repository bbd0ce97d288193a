"""Health and doctor: what is in the way now, what is wrong, and what to do about it."""

from starlette.responses import Response

from ...backups_json import BackupMadeJson
from ..visits import Menu, PageRow, Shown, Visit, onward

PAGE = "/dashboard/health"
SEES = ("read:health",)
ALERTS = 50


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    return (
        PageRow("GET", PAGE, SEES, show, menu=Menu("health", "heart")),
        PageRow("POST", f"{PAGE}/reset", ("write:config",), reset, again=show),
        PageRow("POST", f"{PAGE}/profile", ("write:config",), choose, again=show),
        PageRow("POST", f"{PAGE}/backup", ("admin",), back_up, again=show),
    )


async def show(visit: Visit) -> Shown:
    """Show how the gateway is."""
    return await _page(visit, None)


async def reset(visit: Visit) -> Response:
    """Close circuits and end rests: all, or those of one account or model."""
    fields = visit.fields
    named = {name: fields.text(name) for name in ("account", "model") if fields.text(name)}
    await visit.call("POST", "/api/resilience/reset", body=named)
    return onward(PAGE, "health.reset_done")


async def choose(visit: Visit) -> Response:
    """Put a resilience profile in force."""
    body = {"profile": visit.fields.text("profile")}
    await visit.call("PUT", "/api/resilience", body=body)
    return onward(PAGE, "health.chosen")


async def back_up(visit: Visit) -> Shown:
    """Make a backup and check it."""
    made: BackupMadeJson = (await visit.call("PUT", "/api/db-backups")).value
    return await _page(visit, made)


async def _page(visit: Visit, made: BackupMadeJson | None) -> Shown:
    admin = visit.may("admin")
    health = await visit.get("/api/resilience")
    return Shown(
        "health.html",
        {
            "status": await visit.get("/api/status"),
            "health": health,
            "alerts": (await visit.get("/api/alerts", limit=ALERTS)).alerts,
            "timings": (await visit.get("/api/timings")).timings,
            "report": await visit.get("/api/doctor/report") if admin else None,
            "storage": await visit.get("/api/storage/health") if admin else None,
            "backups": (await visit.get("/api/db-backups")).backups if admin else None,
            "made": made,
            "changes": visit.may("write:config"),
        },
    )
