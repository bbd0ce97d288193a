"""What a client is told: which gateway, started how, with which key and which models."""

import os
import re
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from ..clients.client import KEY_VARIABLE, Client, Part, Transport
from ..clients.places import Machine
from ..clients.plan import FilePlan, planned, text_of, transports
from ..clients.wishes import Model, Wish, mentions_models
from ..management import GatewayFacts
from ..management_keys import KeysJson, KeyWish, NewKeyJson
from ..settings import Settings, Sources
from ..settings_paths import default_data_dir
from .client import Client as Gateway
from .client import HttpClient, call, decoded, find_gateway, with_gateway
from .exits import USAGE, Stop

SHOWN_KEY = "sk-omni-..."
PROGRAM = "omniroute"
_OWN_KEY = re.compile(r"sk-omni-([a-z2-7]{12})-[A-Za-z0-9_-]{43}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Told:
    """A wish, and what is to be said of its key.

    Attributes:
        new_key: one is to be made: the wish holds SHOWN_KEY until then.
    """

    wish: Wish
    key_words: str
    new_key: bool = False


@dataclass(frozen=True, slots=True)
class _ModelRow:
    id: str
    capabilities: tuple[str, ...] | None = None
    context_length: int | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class _ModelList:
    data: tuple[_ModelRow, ...]


class GatewaySide:
    """The gateway that a client is told of: this data folder's, or another machine's.

    The one of the data folder is put together in this process where none runs, once, and only
    when something is asked of it.
    """

    def __init__(
        self, settings: Settings, sources: Sources, url: str | None, stack: ExitStack
    ) -> None:
        running = None if url else find_gateway(settings)
        own = settings.local_url if running is None else running.url
        self.remote = url is not None and url not in (own, *settings.own_urls)
        self.url = url or own
        self._settings, self._sources, self._stack = settings, sources, stack
        self._given = settings.environment.get(KEY_VARIABLE) or None
        self._client: Gateway | None = None

    @property
    def given_key(self) -> str | None:
        """The key that the environment has for clients."""
        return self._given

    def client(self) -> Gateway:
        """Give what asks the gateway."""
        if self._client is None:
            if self.remote:
                self._client = HttpClient(self.url, self._given)
            else:
                self._client = self._stack.enter_context(
                    with_gateway(self._settings, self._sources)
                )
        return self._client

    def close(self) -> None:
        """Take down what was put together to ask."""
        self._client = None
        self._stack.close()

    def needs_key(self) -> bool:
        return decoded(call(self.client(), "GET", "/api/doctor"), GatewayFacts).needs_key

    def knows(self, secret: str) -> bool:
        """Whether a key is one of this gateway's that is valid."""
        found = _OWN_KEY.fullmatch(secret)
        keys = decoded(call(self.client(), "GET", "/api/keys"), KeysJson).keys
        now = time.time()
        return found is not None and any(
            key.key_id == found[1]
            and key.enabled
            and (key.expires_unix_s is None or key.expires_unix_s > now)
            for key in keys
        )

    def made_key(self, name: str, scopes: Sequence[str]) -> NewKeyJson:
        wish = KeyWish(name=name, scopes=tuple(scopes) or None)
        return decoded(call(self.client(), "POST", "/api/keys", wish), NewKeyJson)

    def revoke(self, key_id: str) -> None:
        call(self.client(), "DELETE", f"/api/keys/{quote(key_id, safe='')}")

    def models(self) -> tuple[Model, ...]:
        rows = decoded(call(self.client(), "GET", "/v1/models"), _ModelList).data
        return tuple(
            Model(row.id, row.context_length, row.max_output_tokens)
            for row in rows
            if row.capabilities is None or "chat" in row.capabilities
        )


def machine_of(settings: Settings) -> Machine:
    """Give what the places of files depend on here."""
    systems = {"darwin": "macos", "win32": "windows"}
    system: Any = systems.get(sys.platform, "linux")
    return Machine(system, Path.home(), settings.environment)


def told(
    client: Client, arguments: Namespace, side: GatewaySide, machine: Machine, settings: Settings
) -> Told:
    """Give what a client is to be told.

    Raises:
        Stop: the command line asks for what cannot be.
    """
    project = Path.cwd() if arguments.project else None
    command, args = program(settings, in_project=arguments.project)
    wish = Wish(
        url=side.url,
        command=command,
        args=args,
        key=None,
        model=arguments.model or client.model,
        transport=_transport(client, arguments.transport),
        remote=side.remote,
        parts=_parts(client, arguments.only),
    )
    shown = replace(wish, key=SHOWN_KEY)
    if arguments.print:
        needed = side.given_key or side.remote or side.needs_key() or arguments.new_key
        found = Told(shown if needed else wish, "")
    else:
        found = _with_key(client, arguments, side, shown, (machine, project))
    if any(mentions_models(file.edits) for file in client.files) and "models" in wish.parts:
        found = replace(found, wish=replace(found.wish, models=side.models()))
    return found


def url_given(text: str | None) -> str | None:
    """Give a gateway's address as files have it.

    Raises:
        Stop: it is none.
    """
    if text is None:
        return None
    url = text.rstrip("/").removesuffix("/mcp").removesuffix("/v1").rstrip("/")
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise Stop(f"--url {text!r} is no address such as https://gateway.example", USAGE)
    return url


def _with_key(
    client: Client,
    arguments: Namespace,
    side: GatewaySide,
    shown: Wish,
    where: tuple[Machine, Path | None],
) -> Told:
    machine, project = where
    plans = planned(client, shown, machine, project)
    if arguments.new_key and side.remote:
        raise Stop("--new-key makes keys of this machine's gateway; --url names another", USAGE)
    if side.given_key is not None and not arguments.new_key:
        return Told(replace(shown, key=side.given_key), f"the one of {KEY_VARIABLE}")
    if side.remote:
        raise Stop(
            f"set {KEY_VARIABLE} to a key of {side.url}: `omniroute keys add` makes one there",
            USAGE,
        )
    if not arguments.new_key and not side.needs_key():
        return Told(
            replace(shown, key=None),
            "none: the gateway needs none from this machine. Once keys are made it does; then "
            "run this again",
        )
    if not any(SHOWN_KEY.encode() in plan.after for plan in plans):
        return _without_secret(client, shown)
    has = None if arguments.new_key else _own_key(plans, side)
    if has is not None:
        return Told(replace(shown, key=has), "the one that it has")
    return Told(shown, "", new_key=True)


def _without_secret(client: Client, shown: Wish) -> Told:
    """Give the wish for files that others read, too: they name a variable, or nothing."""
    if shown.transport == "http" and not client.key_reference:
        raise Stop(
            f"{client.title} has no word for a variable in a project's file, and a key does "
            "not belong there: use --transport stdio, or leave --project out",
            USAGE,
        )
    return Told(
        shown, f"none is written: set {KEY_VARIABLE} to one that `omniroute keys add` makes"
    )


def _own_key(plans: Sequence[FilePlan], side: GatewaySide) -> str | None:
    """Give the gateway's key that a client's files hold, None when they hold no valid one."""
    for plan in plans:
        for found in _OWN_KEY.finditer(text_of(plan.path, plan.before)):
            if side.knows(found[0]):
                return found[0]
    return None


def program(settings: Settings, *, in_project: bool) -> tuple[str, tuple[str, ...]]:
    """Give the command that serves MCP on standard input and output, and its arguments.

    For this user it is our own absolute path, as a program that was started from a desktop has
    not the PATH of a shell; in a project, which others share, it is the bare name.
    """
    if in_project:
        return PROGRAM, ("--mcp",)
    home = Path.home()
    args: tuple[str, ...] = ("--mcp",)
    usual = {name: os.environ[name] for name in ("APPDATA",) if name in os.environ}
    if settings.data_dir != default_data_dir(usual, home):
        args += ("--data-dir", str(settings.data_dir))
    beside = Path(sys.executable).parent / Path(sys.argv[0]).name
    for found in (
        shutil.which(str(beside)) if beside.stem == PROGRAM else None,
        shutil.which(PROGRAM, path=str(Path(sys.executable).parent)),
        shutil.which(PROGRAM),
    ):
        if found is not None:
            return os.path.abspath(found), args
    return sys.executable, ("-m", "omniroute.server.cli.main", *args)


def _transport(client: Client, text: str | None) -> Transport:
    match text:
        case None:
            return transports(client)[0]
        case "stdio" | "http":
            return text
    raise Stop(f"--transport {text!r} is neither stdio nor http", USAGE)


def _parts(client: Client, text: str | None) -> frozenset[Part]:
    match text:
        case None:
            return frozenset({"mcp", "models"})
        case "mcp" | "models":
            return frozenset({text})
    raise Stop(f"--only {text!r} is neither mcp nor models", USAGE)
