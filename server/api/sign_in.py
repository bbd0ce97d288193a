"""Signing in to the dashboard: its password, and who is signed in."""

from collections.abc import Callable

from starlette.requests import Request

from omniroute.routing.errors import BadRequest, NotFound
from omniroute.routing.model import Caller

from ..management_sign_in import (
    PasswordJson,
    SignedOutJson,
    SignInJson,
    SignInsJson,
    WishedPassword,
)
from ..passwords import Checker, WeakPassword, checked_password
from ..store.passwords import Passwords
from ..store.sign_ins import SignIn, SignIns
from .rows import Row, body_as

PASSWORD = "/api/dashboard/password"  # noqa: S105 - where it is set
SESSIONS = "/api/dashboard/sessions"


def password_rows(passwords: Passwords, checker: Checker) -> tuple[Row, ...]:
    """Give the routes of the password."""

    async def show(request: Request, caller: Caller) -> PasswordJson:
        return _password(passwords)

    async def put(request: Request, caller: Caller) -> PasswordJson:
        wish = await body_as(request, WishedPassword)
        try:
            password = checked_password(wish.password)
        except WeakPassword as weak:
            raise BadRequest(str(weak), field="password") from None
        await passwords.put(await checker.hashed(password), actor=caller.key_id)
        return _password(passwords)

    async def remove(request: Request, caller: Caller) -> None:
        if not await passwords.remove(actor=caller.key_id):
            raise NotFound("the dashboard has no password")

    return (
        Row("GET", PASSWORD, "admin", "Whether the dashboard has a password", show),
        Row(
            *("PUT", PASSWORD, "admin", "Set the dashboard's password", put),
            body=WishedPassword,
        ),
        Row("DELETE", PASSWORD, "admin", "Remove the dashboard's password", remove, 204),
    )


def session_rows(
    sign_ins: SignIns, caller_named: Callable[[str], Caller | None]
) -> tuple[Row, ...]:
    """Give the routes of sessions.

    Args:
        sign_ins: where they are.
        caller_named: gives who has a key's id, None when the key is no more.
    """

    async def show(request: Request, caller: Caller) -> SignInsJson:
        found = await sign_ins.open()
        # Those whose key is gone are over, although nobody has signed them out.
        open_ = [one for one in found if caller_named(one.key_id) is not None]
        return SignInsJson(tuple(map(sign_in_json, open_)))

    async def end(request: Request, caller: Caller) -> None:
        session_id = request.path_params["session_id"]
        if not await sign_ins.end(session_id, actor=caller.key_id):
            raise NotFound("no session of that id is open")

    async def end_all(request: Request, caller: Caller) -> SignedOutJson:
        return SignedOutJson(await sign_ins.end_all(actor=caller.key_id))

    return (
        Row("GET", SESSIONS, "admin", "List who is signed in to the dashboard", show),
        Row("DELETE", SESSIONS, "admin", "Sign everybody out of the dashboard", end_all),
        Row("DELETE", f"{SESSIONS}/{{session_id}}", "admin", "Sign one session out", end, 204),
    )


def sign_in_json(one: SignIn) -> SignInJson:
    """Give a session as it is shown."""
    return SignInJson(
        session_id=one.session_id,
        key_id=one.key_id,
        made_unix_s=one.made_unix_s,
        seen_unix_s=one.seen_unix_s,
        ends_unix_s=one.ends_unix_s,
        address=one.address,
        agent=one.agent,
    )


def _password(passwords: Passwords) -> PasswordJson:
    stored = passwords.stored
    if stored is None:
        return PasswordJson(is_set=False)
    return PasswordJson(True, stored.changed_unix_s, stored.changed_by)
