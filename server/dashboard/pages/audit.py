"""Audit: who changed what and when, and whether the records are what they were."""

from ...audits import LogJson, VerifiedJson
from ..visits import Menu, PageRow, Shown, Visit

PAGE = "/dashboard/audit"
ENTRIES = 50


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    return (
        PageRow("GET", PAGE, ("admin",), show, menu=Menu("audit", "clipboard-document-list")),
        PageRow("POST", f"{PAGE}/verify", ("admin",), verify, again=show),
    )


async def show(visit: Visit) -> Shown:
    """Show the newest changes."""
    return await _page(visit, None)


async def verify(visit: Visit) -> Shown:
    """Verify every chain of records."""
    return await _page(visit, await visit.get("/api/audit/verify"))


async def _page(visit: Visit, verified: VerifiedJson | None) -> Shown:
    target = visit.query.text("target") or None
    query = {"limit": ENTRIES, "target": target, "cursor": visit.query.text("cursor") or None}
    called = await visit.call("GET", "/api/audit/log", query=query)
    log: LogJson = called.value
    shown = {"log": log, "cursor": called.cursor, "target": target or "", "verified": verified}
    return Shown("audit.html", shown)
