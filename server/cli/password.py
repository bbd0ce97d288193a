"""`omniroute password`: the dashboard's password."""

import sys
from argparse import Namespace

from ..api.sign_in import PASSWORD
from ..management_sign_in import PasswordJson, WishedPassword
from ..passwords import CHARACTERS_MAX, WeakPassword, checked_password
from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import moment, show, show_json


def put(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Set it."""
    password = _asked()
    with with_gateway(settings, sources) as gateway:
        call(gateway, "PUT", PASSWORD, WishedPassword(password))
    show("The dashboard has this password now, and whoever had signed in with another is out.")
    return OK


def remove(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Remove it."""
    with with_gateway(settings, sources) as gateway:
        call(gateway, "DELETE", PASSWORD)
    show("The dashboard has no password now: keys alone sign in.")
    return OK


def show_one(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Say whether there is one."""
    with with_gateway(settings, sources) as gateway:
        found = decoded(call(gateway, "GET", PASSWORD), PasswordJson)
    if arguments.json:
        show_json(found)
    elif found.is_set:
        show(f"The dashboard has a password, set {moment(found.changed_unix_s)}.")
    else:
        show("The dashboard has no password. `omniroute password set` sets one.")
    return OK


def _asked() -> str:
    """Give the password from a prompt or standard input: never from the command line."""
    if sys.stdin.isatty():
        from getpass import getpass

        try:
            password = getpass("New password (not shown): ")
            again = getpass("The same again: ")
        except EOFError:
            raise Stop("no password was given", USAGE) from None
        if password != again:
            raise Stop("the two were not the same: nothing was changed", USAGE)
    else:
        password = sys.stdin.readline(CHARACTERS_MAX + 2).rstrip("\r\n")
    try:
        return checked_password(password)
    except WeakPassword as weak:
        raise Stop(str(weak), USAGE) from None
