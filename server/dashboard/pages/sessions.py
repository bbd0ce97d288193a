"""Sessions: the browsers that are signed in, and the way out of one or all of them.

Everybody sees their own key's and signs them out; an administrator sees everybody's.
"""

from starlette.responses import RedirectResponse, Response

from omniroute.routing.access import ADMIN
from omniroute.routing.errors import BadRequest, NotFound

from ...api.sign_in import PASSWORD
from ..policy import HEADERS
from ..visits import PageRow, Shown, Visit, onward

PAGE = "/dashboard/sessions"
PASSWORD_PAGE = f"{PAGE}/password"
SIGN_OUT = "/dashboard/sign-out"
SIGN_IN = "/dashboard/sign-in"


def rows() -> tuple[PageRow, ...]:
    """Give the routes."""
    return (
        PageRow("GET", PAGE, (), show),
        PageRow("POST", PAGE, (), end, again=show),
        PageRow("POST", SIGN_OUT, (), sign_out),
        PageRow("POST", PASSWORD_PAGE, (ADMIN,), change_password, again=show),
    )


async def show(visit: Visit) -> Shown:
    """Show who is signed in."""
    values: dict[str, object] = {
        "sessions": await visit.sessions.open(visit.caller),
        "all_keys": visit.may(ADMIN),
        "password": await visit.get(PASSWORD) if visit.may(ADMIN) else None,
    }
    return Shown("sessions.html", values)


async def end(visit: Visit) -> Response:
    """Sign one out, or all of the visitor's own, or everybody."""
    fields, sessions = visit.fields, visit.sessions
    if fields.flag("everybody") and visit.may(ADMIN):
        await sessions.end_all(visit.caller, everybody=True)
        return onward(PAGE, "sessions.all_ended")
    if fields.flag("mine"):
        await sessions.end_all(visit.caller, everybody=False)
        return onward(PAGE, "sessions.mine_ended")
    if not await sessions.end(visit.caller, fields.text("session")):
        raise NotFound("no session of that id is open")
    return onward(PAGE, "sessions.ended")


async def change_password(visit: Visit) -> Response:
    """Set the password, or remove it; whoever came in with the one before is signed out."""
    if visit.fields.flag("remove"):
        await visit.call("DELETE", PASSWORD)
        return onward(PAGE, "sessions.password_removed")
    # As it was typed: blanks at its ends are part of it.
    password, again = (visit.fields.all(name)[:1] for name in ("password", "again"))
    if password != again:
        raise BadRequest("the two were not the same: nothing was changed", field="again")
    await visit.call("PUT", PASSWORD, body={"password": "".join(password)})
    return onward(PAGE, "sessions.password_set")


async def sign_out(visit: Visit) -> Response:
    """Sign the visitor out."""
    if visit.session_id is not None:
        await visit.sessions.end(visit.caller, visit.session_id)
    return RedirectResponse(SIGN_IN, 303, HEADERS)
