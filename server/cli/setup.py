"""`omniroute setup`: a client told of the gateway, in its own files."""

import difflib
import os
import re
import shutil
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from ..clients import journal
from ..clients.changes import in_words
from ..clients.client import KEY_VARIABLE, SERVER, Client
from ..clients.places import Machine, NoPlace, path_of
from ..clients.plan import (
    FilePlan,
    NotPlanned,
    fragments,
    has_models,
    planned,
    read_file,
    targets,
    transports,
)
from ..clients.table import CLIENTS, client_named
from ..clients.wishes import Wish
from ..clients.writing import Meanwhile, readable_by_others, write_all
from ..settings import Settings, Sources
from .client import find_gateway
from .exits import FAILED, OK, USAGE, Stop
from .output import NOTHING, complain, listed, safe_text, show, show_json, table
from .setup_check import Check, check_mcp, check_models
from .setup_wish import SHOWN_KEY, GatewaySide, Told, machine_of, program, told, url_given

_OWN_KEY = re.compile(r"(sk-omni-[a-z2-7]{4})[A-Za-z0-9_-]{8,}")
_SECRET = re.compile(
    r"""(["']?[\w-]*(?:key|token|secret|passw|authorization|credential)[\w-]*["']?"""
    r"""\s*[:=]\s*["']?(?:bearer |basic )?)"""
    r"""(?![${]|not-needed|sk-omni-|true|false|null)[^\s"',}]{6,}""",
    re.IGNORECASE,
)
"""A value whose name says that it is secret, unless it is a variable's name or one of ours."""


@dataclass(frozen=True, slots=True)
class ClientJson:
    """A client, and what is known of it on this machine.

    Attributes:
        installed: its command was found; None of one that has none.
        set_up: its files name the gateway.
    """

    name: str
    title: str
    installed: bool | None
    set_up: bool
    transports: tuple[str, ...]
    models: bool
    files: tuple[str, ...]


def setup(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Set a client up, or list the clients."""
    machine = machine_of(settings)
    if arguments.client is None:
        return _show_all(arguments, machine)
    client = client_named(arguments.client)
    if client is None:
        known = listed([one.name for one in CLIENTS])
        raise Stop(f"no client is called {arguments.client!r}; known are {known}", USAGE)
    url = url_given(arguments.url)
    with ExitStack() as stack:
        side = GatewaySide(settings, sources, url, stack)
        try:
            if arguments.undo:
                return _undo(client, arguments, side, settings)
            return _set_up(client, arguments, side, (settings, machine))
        except (NotPlanned, Meanwhile) as error:
            raise Stop(str(error)) from error


def _set_up(
    client: Client, arguments: Namespace, side: GatewaySide, here: tuple[Settings, Machine]
) -> int:
    settings, machine = here
    project = Path.cwd() if arguments.project else None
    found = told(client, arguments, side, machine, settings)
    if arguments.print:
        show(fragments(targets(client, found.wish, machine, project)))
        return OK
    plans = planned(client, found.wish, machine, project)
    if arguments.dry_run:
        _show_changes(plans)
        return OK
    folder, key_id, key_words = None, "", found.key_words
    if found.new_key:
        made = side.made_key(client.name, arguments.scope)
        key_id = made.key.key_id
        found = replace(found, wish=replace(found.wish, key=made.secret))
        plans = planned(client, found.wish, machine, project)
        key_words = f"{made.key.key_id}, made for it now, with the scopes {listed(made.key.scopes)}"
    changed = [plan for plan in plans if plan.changes]
    _show_changes(plans)
    try:
        if changed:
            folder = _kept(client, changed, key_id, (settings, project))
            write_all([(plan.path, plan.before, plan.after) for plan in changed])
    except (Meanwhile, OSError):
        if folder is not None:
            journal.forget(folder)
        if key_id:
            side.revoke(key_id)
        raise
    _tell_written(changed, folder)
    show(f"Key: {key_words}.")
    side.close()
    checks = _checks(plans, found, settings)
    for one in checks:
        state = {True: "works", False: "FAILS", None: "was not tried"}[one.passed]
        show(f"Check: {safe_text(one.what)} {state}: {safe_text(one.words)}.")
    _tell_next(client, found.wish, arguments)
    return FAILED if any(one.passed is False for one in checks) else OK


def _kept(
    client: Client,
    changed: Sequence[FilePlan],
    key_id: str,
    where: tuple[Settings, Path | None],
) -> Path:
    """Keep the files as they are, and give the folder that has them."""
    settings, project = where
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    folder = journal.keep(settings.data_dir, client.name, stamp, changed, project)
    journal.name_key(folder, key_id)
    return folder


def _undo(client: Client, arguments: Namespace, side: GatewaySide, settings: Settings) -> int:
    project = Path.cwd() if arguments.project else None
    last = journal.newest(settings.data_dir, client.name, project)
    if last is None:
        raise Stop(f"nothing is to be undone: {client.title} was not set up from here")
    undone = [journal.undone(file) for file in last.files]
    for one in undone:
        show(_difference(one.path, one.before, one.after) or f"{one.path} is as it was.\n")
        for path in one.left:
            complain(f"{one.path}: {in_words(path)} was changed since, and stays.")
    if arguments.dry_run:
        return OK
    write_all([(one.path, one.before, one.after) for one in undone if one.before != one.after])
    if last.key_id:
        side.revoke(last.key_id)
        show(f"Revoked the key {last.key_id}, which was made for it.")
    journal.forget(last.folder)
    show(f"{client.title} is as it was before.")
    return OK


def without_secrets(text: str) -> str:
    """Give a file's text with every key in it cut short, others' too: screens are shared."""
    return _SECRET.sub(r"\1...", _OWN_KEY.sub(r"\1...", text))


def _show_all(arguments: Namespace, machine: Machine) -> int:
    found = tuple(_client_json(one, machine) for one in CLIENTS)
    if arguments.json:
        show_json({"clients": found})
        return OK
    words = {True: "yes", False: "no", None: NOTHING}
    rows = [
        (
            one.name,
            one.title,
            words[one.installed],
            words[one.set_up],
            listed(one.transports),
            "written" if one.models else "by hand",
        )
        for one in found
    ]
    show(table(("NAME", "CLIENT", "FOUND", "SET UP", "MCP OVER", "MODELS"), rows))
    show("\n`omniroute setup NAME` sets one up; with --dry-run it only shows what it would do.")
    return OK


def _client_json(client: Client, machine: Machine) -> ClientJson:
    files = []
    for file in client.files:
        with suppress(NoPlace):
            files.append(path_of(file.place, machine, None, Path.exists))
    return ClientJson(
        name=client.name,
        title=client.title,
        installed=shutil.which(client.program) is not None if client.program else None,
        set_up=any(_names_gateway(path) for path in files),
        transports=transports(client),
        models=has_models(client),
        files=tuple(map(str, files)),
    )


def _names_gateway(path: Path) -> bool:
    with suppress(NotPlanned):
        return SERVER.encode() in (read_file(path) or b"").lower()
    return False


def _show_changes(plans: Sequence[FilePlan]) -> None:
    for plan in plans:
        difference = _difference(plan.path, plan.before, plan.after)
        show(difference or f"{plan.path} says all of it already.\n")


def _difference(path: Path, before: bytes | None, after: bytes | None) -> str:
    """Give what changes between two states of a file, without secrets."""
    old, new = (
        without_secrets((data or b"").decode("utf-8", "replace")).splitlines()
        for data in (before, after)
    )
    lines = difflib.unified_diff(
        old,
        new,
        str(path) if before is not None else "(no file)",
        str(path) if after is not None else "(no file)",
        lineterm="",
    )
    text = safe_text("\n".join(lines))
    if text or before == after:
        return f"{text}\n" if text else ""
    return f"{path}: a key or the end of a line changes.\n"


def _tell_written(changed: Sequence[FilePlan], folder: Path | None) -> None:
    for plan in changed:
        show(f"Wrote {plan.path}.")
        if plan.before is not None and readable_by_others(plan.path):
            complain(f"Others on this machine may read {plan.path}; `chmod 600` keeps them out.")
    if folder is not None:
        show(f"As it was before it is kept in {folder}.")


def _checks(plans: Sequence[FilePlan], found: Told, settings: Settings) -> list[Check]:
    """Try what was written, as far as that can be done from here."""
    parts = {part for plan in plans for part in plan.parts}
    wish = found.wish
    if wish.key == SHOWN_KEY:
        return [Check("the set-up", None, f"{KEY_VARIABLE} is not set here")]
    checks = []
    runs = wish.remote or find_gateway(settings) is not None
    silent = "no gateway runs; `omniroute` starts one"
    if "mcp" in parts:
        command, args = program(settings, in_project=False)
        if runs or wish.transport == "stdio":
            checks.append(check_mcp(wish, (command, *args)))
            if not runs and find_gateway(settings) is not None:
                show("A gateway was started to try it; it ends by itself after 10 idle minutes.")
        else:
            checks.append(Check(f"{wish.url}/mcp", None, silent))
    if "models" in parts:
        # What serves MCP on standard input and output starts a gateway where none runs.
        if runs or find_gateway(settings) is not None:
            checks.append(check_models(wish))
        else:
            checks.append(Check(f"{wish.url}/v1/models", None, silent))
    return checks


def _tell_next(client: Client, wish: Wish, arguments: Namespace) -> None:
    show(f"Next: {client.then}")
    for name in client.overrides:
        if os.environ.get(name):
            complain(f"{name} is set in this shell: unset it where {client.title} is started.")
    if client.models_by_hand and "models" in wish.parts:
        words = client.models_by_hand.replace("{url}", wish.url).replace("{model}", wish.model)
        show(f"Models: {words}")
    project = " --project" if arguments.project else ""
    show(f"Back: omniroute setup {client.name}{project} --undo")
