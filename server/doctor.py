"""What is in force, what stands in its way, and what to do next: facts in, findings out.

Everything here is pure: it looks at nothing but its facts, which doctor_facts.py gathers. A
finding is one of four levels: *ok* says that a thing was
looked at and is well; *note* is worth knowing; *warning* works, but not as its owner may think;
*error* keeps the gateway, or a part of it, from working.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from .auth import is_loopback
from .doctor_facts import DatabaseFacts, Facts, FolderFacts, LocalServer, TlsFacts
from .settings import Settings, shown_values

Level = Literal["ok", "note", "warning", "error"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note", "ok")
"""Worst first, as they are shown."""

CLOCK_UNIX_S_MIN = 1_767_225_600.0
"""2026-01-01: a clock before it is wrong, as this program is newer."""
CLOCKS_APART_S_MAX = 60.0
_WIDE_BITS = {4: 8, 6: 16}
"""A network with fewer fixed bits is of strangers, too."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: the thing and its state.
        why: why it matters, or where it comes from; "" where it says itself.
        next: what to do; "" where nothing is to do.
    """

    level: Level
    what: str
    why: str = ""
    next: str = ""


@dataclass(frozen=True, slots=True)
class SettingInForce:
    """One line of the table of settings."""

    name: str
    value: str
    source: str


def settings_in_force(facts: Facts) -> tuple[SettingInForce, ...]:
    """Give every setting with where it came from: the running gateway's own where one answered."""
    running = facts.running.facts if facts.running is not None else None
    if running is not None and running.settings:
        return tuple(SettingInForce(one.name, one.value, one.source) for one in running.settings)
    origins = facts.sources.origins
    return tuple(
        SettingInForce(name, value, str(origins.get(name, "default")))
        for name, value in shown_values(facts.settings).items()
    )


def findings(facts: Facts) -> tuple[Finding, ...]:
    """Give what there is to say, worst first."""
    found = (
        *_versions(facts),
        *_gateway(facts),
        *_folder(facts.folder),
        *_database(facts.database),
        *_port(facts),
        *_safety(facts),
        *_times(facts.settings),
        *_variables(facts),
        *_accounts(facts),
        *_stored(facts.problems),
        *_servers(facts.servers),
        *_clock(facts),
        *_tls(facts.tls),
    )
    return tuple(sorted(found, key=lambda one: LEVELS.index(one.level)))


def has_error(found: Iterable[Finding]) -> bool:
    """Whether something keeps the gateway from working."""
    return any(one.level == "error" for one in found)


def _versions(facts: Facts) -> Iterable[Finding]:
    yield Finding("ok", f"OmniRoute {facts.version} on Python {facts.python}")
    running = facts.running
    if running is not None and running.answers and running.version not in ("", facts.version):
        yield Finding(
            "warning",
            f"the running gateway is OmniRoute {running.version}, this command {facts.version}",
            "two versions share the data folder",
            "stop the gateway and start it again",
        )


def _gateway(facts: Facts) -> Iterable[Finding]:
    running = facts.running
    if running is None:
        yield Finding("note", "no gateway runs on this data folder", next="`omniroute` starts one")
    elif running.stale:
        yield Finding(
            "note",
            f"no gateway runs on this data folder; process {running.pid} left its runtime file",
            "it was killed, or the machine went down",
            "nothing: the next start replaces the file",
        )
    elif not running.answers:
        yield Finding(
            "error",
            f"the gateway at {running.url} (process {running.pid}) does not answer",
            running.problem,
            "wait for it, or stop it and start it again",
        )
    else:
        yield Finding("ok", f"a gateway runs at {running.url} (process {running.pid})")


def _folder(folder: FolderFacts) -> Iterable[Finding]:
    path = folder.path
    mend = (
        "make it readable and writable for this user, or name another with --data-dir or DATA_DIR"
    )
    if not folder.exists:
        if folder.makeable:
            yield Finding("ok", f"the data folder {path} will be made by the first start")
        else:
            yield Finding("error", f"the data folder {path} cannot be made", next=mend)
        return
    if not folder.is_folder:
        yield Finding("error", f"the data folder {path} is not a folder", next=mend)
        return
    if not folder.usable:
        yield Finding("error", f"the data folder {path} cannot be read and written", next=mend)
        return
    yield Finding("ok", f"the data folder {path} can be read and written")
    if folder.open_to_others:
        names = ", ".join(folder.open_to_others)
        yield Finding(
            "warning",
            f"other users may read or change parts of the data folder: {names}",
            "it holds provider keys and the key that opens them",
            f"chmod -R go-rwx {path}",
        )
    if folder.future is not None:
        yield Finding(
            "warning",
            f"{folder.future} was changed later than now",
            "the clock was set back, or was wrong before",
            "check the clock: keys expire and budgets begin by it",
        )


def _database(database: DatabaseFacts) -> Iterable[Finding]:
    if database.problem:
        yield Finding("error", database.problem)
    elif database.kind == "postgres":
        yield Finding("ok", "the database is PostgreSQL")
    elif not database.exists:
        yield Finding("ok", "the database will be made by the first start")
    elif database.revision == database.newest:
        yield Finding("ok", f"the database has schema {database.revision}, the newest one")
    else:
        yield Finding(
            "note",
            f"the database has schema {database.revision or 'none'}; the next start brings it "
            f"to {database.newest}",
            next="copy the data folder first if you may want to go back",
        )


def _port(facts: Facts) -> Iterable[Finding]:
    where = f"{facts.settings.host}:{facts.settings.port}"
    match facts.port.state:
        case "free":
            yield Finding("ok", f"{where} is free")
        case "ours":
            yield Finding("ok", f"{where} is held by this data folder's gateway")
        case "other":
            yield Finding(
                "error",
                f"another program holds {where}{facts.port.detail}",
                "the gateway cannot listen there",
                "stop that program, or choose another port with --port or PORT",
            )
        case "refused":
            yield Finding(
                "error",
                f"the gateway may not listen on {where}: {facts.port.detail}",
                next="choose an address of this machine, and a port above 1023, with --host and "
                "--port",
            )


def _safety(facts: Facts) -> Iterable[Finding]:
    settings = facts.settings
    if settings.on_loopback:
        yield from _safety_on_loopback(facts)
    else:
        yield Finding(
            "ok",
            f"every caller needs a key, as {settings.host} can be reached by others",
            "a start without any key makes one and prints it once"
            if not facts.keys
            else f"there are {facts.keys} keys",
        )
        if not (settings.public_url or "").startswith("https://"):
            yield Finding(
                "warning",
                f"keys and prompts go to {settings.host} unencrypted",
                "the gateway itself speaks plain HTTP",
                "put a proxy with TLS in front, and set its URL with --public-url",
            )
    yield from _safety_of_proxies(settings)


def _safety_on_loopback(facts: Facts) -> Iterable[Finding]:
    if facts.settings.require_key == "always" and facts.keys == 0:
        yield Finding(
            "warning",
            "every caller needs a key and there is none",
            next="`omniroute keys add` makes one",
        )
    elif facts.settings.require_key == "always" or facts.keys:
        yield Finding("ok", "every caller needs a key")
    else:
        yield Finding(
            "note",
            "no key is needed from this machine",
            "the gateway listens on loopback and no key exists; every program and user of this "
            "machine may use it",
            "`omniroute keys add` makes a key, and from then on one is needed",
        )


def _safety_of_proxies(settings: Settings) -> Iterable[Finding]:
    if any(one.prefixlen < _WIDE_BITS[one.version] for one in settings.trusted_proxies):
        yield Finding(
            "error",
            "nearly every address is trusted as a proxy",
            "whoever sends a forwarded header can say that he is somebody else",
            "give the addresses of your proxies alone with --trusted-proxy",
        )
    host = urlsplit(settings.public_url or "").hostname
    if host and not is_loopback(host) and settings.on_loopback and not settings.trusted_proxies:
        yield Finding(
            "note",
            f"the public URL is {settings.public_url} and the gateway listens on loopback",
            "requests through a proxy carry forwarded headers and then need a key",
            "`omniroute keys add` makes a key for them",
        )


def _times(settings: Settings) -> Iterable[Finding]:
    for name in ("connect_s", "first_byte_s", "idle_s"):
        if getattr(settings, name) > settings.total_s:
            yield Finding(
                "warning",
                f"{name} is longer than total_s, so it never acts",
                next="raise total_s, or lower the other",
            )


def _variables(facts: Facts) -> Iterable[Finding]:
    if facts.sources.env_file is not None:
        yield Finding(
            "ok",
            f"settings and provider keys are also read from {facts.sources.env_file}",
            "the first .env file of the data folder, ~/.omniroute and the working directory counts",
        )
    for note in facts.sources.notes:
        yield Finding(note.level, note.words)
    for name, words in facts.ignored:
        yield Finding("note", f"{name} was not taken for a provider", words)


def _accounts(facts: Facts) -> Iterable[Finding]:
    real = [one for one in facts.accounts if not one.simulated]
    for one in real:
        came = f"from {one.key_from}" if one.key_from else f"from the {one.source}"
        key = f"key {one.key_masked} {came}" if one.key_masked else f"no key, {came}"
        name = f"{one.provider} ({one.name})" if one.name else one.provider
        if one.enabled:
            yield Finding("ok", f"{name} at {one.base_url}: {key}")
        else:
            yield Finding("note", f"{name} at {one.base_url} is switched off: {key}")
    if not any(one.enabled for one in real):
        yield Finding(
            "note",
            "no provider is set up: answers come from the simulator",
            next="set a provider's key, such as OPENAI_API_KEY, or run `omniroute providers add`",
        )


def _stored(problems: Sequence[str]) -> Iterable[Finding]:
    for one in problems:
        yield Finding(
            "error",
            one,
            "it is stored and left out, as if it did not exist",
            "set it again, or remove it",
        )


def _servers(servers: Sequence[LocalServer]) -> Iterable[Finding]:
    for one in servers:
        yield Finding("ok", f"{one.provider} answers at {one.base_url} with {one.models} models")


def _clock(facts: Facts) -> Iterable[Finding]:
    running = facts.running.facts if facts.running is not None else None
    if facts.now_unix_s < CLOCK_UNIX_S_MIN:
        yield Finding(
            "error",
            "the clock is wrong: it is before 2026",
            "certificates are refused, and keys and budgets go by the clock",
            "set the clock",
        )
    elif (
        running is not None
        and running.now_unix_s is not None
        and abs(running.now_unix_s - facts.now_unix_s) > CLOCKS_APART_S_MAX
    ):
        yield Finding("warning", "the running gateway's clock differs from this one by a minute")
    else:
        yield Finding("ok", "the clock is plausible")


def _tls(tls: TlsFacts) -> Iterable[Finding]:
    if tls.authorities:
        yield Finding("ok", f"certificates are checked against {tls.source}")
    else:
        yield Finding(
            "error",
            f"there are no certificates of authorities at {tls.source}",
            "no provider can be called over https",
            "install your system's package of CA certificates, or set SSL_CERT_FILE",
        )
