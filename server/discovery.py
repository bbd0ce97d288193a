"""What is there without being configured: keys in the environment, servers on this machine.

The usual variables of the vendors' own SDKs are read, so that a machine on which those work
needs no set-up. The same variables also point clients at us, and then following them would
send requests in a circle: a value that is one of our keys, or an address that is our own, is
ignored, and a note for `omniroute doctor` says so. Notes never hold a variable's value.

Local servers are looked for on their usual ports, all at once and each for PROBE_S, and only
on 127.0.0.1. One counts when it answers with a list of models in OpenAI's form.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec

from omniroute.routing.catalog.listing import OWNED_BY_COMBO, OWNED_BY_US
from omniroute.routing.catalog.providers import (
    ALL_PROVIDERS,
    LOCAL_PROVIDERS,
    Provider,
    provider_named,
)
from omniroute.routing.catalog.resolve import TARGET_CHARS_MAX
from omniroute.routing.errors import BadRequest, UpstreamFailure
from omniroute.routing.model import Account
from omniroute.routing.upstream.egress import is_self, parse_base_url

from .accounts import AccountEntry, make_account, own_addresses

OWN_KEY_PREFIX = "sk-omni-"
KEY_CHARS_MIN = 8
"""Shorter values are what people enter where a key is asked for and none is needed."""
PLACEHOLDERS = frozenset({"changeme", "not-needed", "placeholder", "your-api-key", "sk-local"})

PROBE_S = 0.5
"""From connecting to the last byte, for each server."""
PROBE_BYTES_MAX = 512 * 1024
PROBE_MODELS_MAX = 500
LOOPBACK = "127.0.0.1"
OLLAMA_VARIABLE = "OLLAMA_HOST"
OLLAMA = "ollama-local"

_STATUS_OK = re.compile(rb"HTTP/1\.[01] 200 ")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""What may stand in a blank of a base URL: it must not change the URL's shape."""
_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]{1,9}) *\r\n", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Note:
    """Something in the environment that was not taken, and why."""

    variable: str
    message: str


@dataclass(frozen=True, slots=True)
class LocalTarget:
    """Where a local server may be: a port of this machine."""

    provider: str
    port: int
    path: str

    @property
    def base_url(self) -> str:
        """The account's base URL, should a server be there."""
        return f"http://{LOOPBACK}:{self.port}{self.path}"


def accounts_from_environment(
    environ: Mapping[str, str],
    *,
    own_urls: Iterable[str] = (),
    own_key_prefix: str = OWN_KEY_PREFIX,
    from_file: Set[str] = frozenset(),
) -> tuple[tuple[Account, ...], tuple[Note, ...]]:
    """Give an account for each provider whose key is set, and notes on what was not taken.

    Args:
        environ: the process's environment.
        own_urls: where this gateway listens and is reached from outside.
        own_key_prefix: how the keys begin that this gateway gives to its clients.
        from_file: variables that only an `.env` file sets. Such a file may be a stranger's, as
            in a cloned repository: its base URL is used with its own key alone, never with one
            of the user's environment.
    """
    look = _Look(environ, tuple(own_urls), own_key_prefix, from_file)
    found = [look.account(row) for row in ALL_PROVIDERS]
    return tuple(one for one in found if one is not None), tuple(look.notes)


def local_targets(
    environ: Mapping[str, str], *, own_urls: Iterable[str] = ()
) -> tuple[LocalTarget, ...]:
    """Give where local servers are looked for: each port once, and never our own.

    OLLAMA_HOST moves Ollama's port when it names this machine.
    """
    own = own_addresses(own_urls)
    ollama = _ollama_url(environ.get(OLLAMA_VARIABLE, ""))
    targets: dict[int, LocalTarget] = {}
    for row in LOCAL_PROVIDERS:
        base = parse_base_url(row.base_url)
        port = base.origin.port
        if row.name == OLLAMA and ollama is not None and _is_here(ollama):
            port = parse_base_url(ollama).origin.port
        if not is_self(LOOPBACK, port, own):
            targets.setdefault(port, LocalTarget(row.name, port, base.path))
    return tuple(targets.values())


async def probe_local(targets: Sequence[LocalTarget]) -> tuple[Account, ...]:
    """Give an account for each target where a server lists its models. Never raises.

    All are asked at once, so it takes little more than PROBE_S.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_probe(target)) for target in targets]
    return tuple(account for task in tasks if (account := task.result()) is not None)


class _Look:
    """One look through an environment; collects notes on the way."""

    def __init__(
        self,
        environ: Mapping[str, str],
        own_urls: tuple[str, ...],
        own_key_prefix: str,
        from_file: Set[str],
    ) -> None:
        self.notes: list[Note] = []
        self._environ = environ
        self._own_urls = own_urls
        self._own_addresses = own_addresses(own_urls)
        self._own_key_prefix = own_key_prefix
        self._from_file = from_file

    def account(self, row: Provider) -> Account | None:
        """Give the provider's account, None when the environment holds no usable one."""
        url_variable, url = self._ollama() if row.name == OLLAMA else self._base_url(row)
        key_variable, key = self._key(row, own_address=url is None)
        if key is None and (url is None or not row.local):
            if url is not None:
                self._note(url_variable, f"not used: no key of {row.title} goes with it")
            return None
        if row.broad_key:
            self._note(
                key_variable,
                f"not used: it opens more than {row.title}; to use it for models, run "
                f"`omniroute providers add {row.name} --key-from {key_variable}`",
            )
            return None
        if url is None and row.blanks:
            url_variable, url = self._filled(row)
            if url is None:
                self._note(key_variable, f"not used: {url_variable} is needed with it")
                return None
        if url_variable in self._from_file and key and key_variable not in self._from_file:
            self._note(
                url_variable,
                f"not used: it stands in a .env file and {key_variable} does not, and that file "
                "may not say where your key is sent; put both in one place",
            )
            return None
        return self._made(row, (url_variable, url), (key_variable, key))

    def _made(
        self, row: Provider, url: tuple[str, str | None], key: tuple[str, str | None]
    ) -> Account | None:
        try:
            return make_account(
                AccountEntry(row.name, base_url=url[1], key=key[1]),
                account_id=f"environment:{row.name}",
                source="environment",
                own_urls=self._own_urls,
            )
        except BadRequest as refusal:
            at_fault = url[0] if refusal.field == "base_url" else key[0]
            self._note(at_fault, f"not used: {refusal}")
            return None

    def _filled(self, row: Provider) -> tuple[str, str | None]:
        """Give the base URL with its blanks filled, else None, and a variable that decides it."""
        url, decisive = row.base_url, row.blanks[0]
        for variable in row.blanks:
            value = self._environ.get(variable, "").strip()
            if not _PART.fullmatch(value):
                return variable, None
            decisive = variable if variable in self._from_file else decisive
            url = url.replace(f"{{{variable}}}", value)
        return decisive, url

    def _key(self, row: Provider, *, own_address: bool) -> tuple[str, str | None]:
        """Give the first usable key with its variable's name.

        At another address than the provider's own, any value may be what the server wants.
        """
        for variable in row.key_variables:
            value = self._environ.get(variable, "").strip()
            if not value:
                continue
            if value.startswith(self._own_key_prefix):
                self._note(variable, "ignored: it is a key of this gateway, not one of a provider")
            elif own_address and (len(value) < KEY_CHARS_MIN or value.lower() in PLACEHOLDERS):
                self._note(variable, f"ignored: it does not look like a key of {row.title}")
            else:
                return variable, value
        return "", None

    def _base_url(self, row: Provider) -> tuple[str, str | None]:
        """Give the first usable base URL with its variable's name; None for the usual one."""
        for variable in row.url_variables:
            value = self._environ.get(variable, "").strip()
            if not value:
                continue
            try:
                origin = parse_base_url(value).origin
            except UpstreamFailure as refusal:
                self._note(variable, f"ignored: {refusal}")
                continue
            if not is_self(origin.host, origin.port, self._own_addresses):
                return variable, value
            self._note(
                variable, f"ignored: {origin} is this gateway; {row.title}'s own address is used"
            )
        return "", None

    def _ollama(self) -> tuple[str, str | None]:
        """Give Ollama's address on another machine; here it is found by asking, like others."""
        value = self._environ.get(OLLAMA_VARIABLE, "")
        url = _ollama_url(value)
        if url is None and value.strip():
            self._note(OLLAMA_VARIABLE, "ignored: it holds no host that could be connected to")
        return OLLAMA_VARIABLE, None if url is None or _is_here(url) else url

    def _note(self, variable: str, message: str) -> None:
        self.notes.append(Note(variable, message))


def _ollama_url(value: str) -> str | None:
    """Give the server's base URL that OLLAMA_HOST means; None when it means nothing.

    Its forms are `host`, `host:port`, `:port` and a URL; without a scheme the port is 11434.
    A server that listens on all interfaces is reached on this machine.

    Source: Ollama's documentation of the variable, 2026-11.
    """
    text = value.strip().strip("\"'").rstrip("/")
    if not text:
        return None
    usual = "" if "://" in text else ":11434"
    if text.startswith(":"):
        text = LOOPBACK + text
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or LOOPBACK, parts.port
    except ValueError:
        return None
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = LOOPBACK
    host = f"[{host}]" if ":" in host else host
    authority = host + (usual if port is None else f":{port}")
    url = f"{parts.scheme}://{authority}{parts.path}"
    try:
        parse_base_url(url)
    except UpstreamFailure:
        return None
    return url


def _is_here(url: str) -> bool:
    host = parse_base_url(url).origin.host
    return host in ("localhost", "::1") or host.startswith("127.")


class _Model(msgspec.Struct):
    id: str
    owned_by: str | None = None


class _Listing(msgspec.Struct):
    """OpenAI's list of models; a server without any may send null."""

    data: list[_Model] | None


async def _probe(target: LocalTarget) -> Account | None:
    try:
        async with asyncio.timeout(PROBE_S):
            body = await _get_models(target)
        listing = msgspec.json.decode(body, type=_Listing)
    except (OSError, TimeoutError, msgspec.MsgspecError, RecursionError):
        # Nobody there, not in time, or something else than a list of models.
        return None
    models = tuple(
        one.id
        for one in (listing.data or ())[:PROBE_MODELS_MAX]
        if 0 < len(one.id) <= TARGET_CHARS_MAX and one.id.isprintable()
    )
    ours = any(one.owned_by in (OWNED_BY_US, OWNED_BY_COMBO) for one in listing.data or ())
    if ours or not models:
        # Another gateway of our kind would send requests in a circle.
        return None
    row = provider_named(target.provider)
    return Account(
        account_id=f"probe:{target.provider}",
        provider=target.provider,
        dialect="openai_chat" if row is None else row.dialect,
        base_url=target.base_url,
        models=models,
        local=True,
        source="probe",
    )


async def _get_models(target: LocalTarget) -> bytes:
    """Give the body of the list, b"" when the answer is not a good one.

    HTTP/1.0 is asked for, so that the answer comes in one piece and ends with the connection.
    """
    reader, writer = await asyncio.open_connection(LOOPBACK, target.port)
    try:
        request = (
            f"GET {target.path}/models HTTP/1.0\r\nhost: {LOOPBACK}:{target.port}\r\n"
            "accept: application/json\r\nconnection: close\r\n\r\n"
        )
        writer.write(request.encode())
        answer = b""
        while len(answer) <= PROBE_BYTES_MAX and not _is_whole(answer):
            data = await reader.read(65536)
            if not data:
                break
            answer += data
    finally:
        # At once: a server that does not answer must not be waited for at the end either.
        writer.transport.abort()
    head, _, body = answer.partition(b"\r\n\r\n")
    return body if _STATUS_OK.match(head) and len(answer) <= PROBE_BYTES_MAX else b""


def _is_whole(answer: bytes) -> bool:
    """Whether the body is as long as its head says, on a connection that stays open."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head + end[:2])
    return bool(end) and length is not None and len(body) >= int(length[1])
