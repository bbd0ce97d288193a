"""What the process was told: one frozen Settings, and from where each value came.

Flags are stronger than the environment, the environment is stronger than the `.env` file, and
that is stronger than the defaults. Of a setting with several variables the first of its row
counts (settings_names.py). An empty variable counts as not set, and still keeps the file's
value out: the file never overrides the environment.

`load_settings` reads nothing but its arguments and the one `.env` file, and reports every fault
at once. Providers, keys, combos and budgets are not settings: they live in the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from fnmatch import fnmatchcase
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal

from omniroute.routing.model import Limits

from .env_file import EnvFile, EnvFileUnreadable, find_env_file, read_env_file
from .setting import Kind, Setting
from .settings_documented import DOCUMENTED, OWN_PREFIX, Documented, own_names
from .settings_names import SETTINGS
from .settings_paths import absolute, default_data_dir, home_of
from .settings_values import READERS, Network, NotMeantForUs

DATABASE_FILE = "storage.sqlite"
SECONDS_A_DAY = 86_400.0
FILES = frozenset({"a2a_card_key", "log_file"})
"""Settings that name a file."""


class SettingsError(Exception):
    """A setting cannot be what it was set to. Says which, from where, and what is right.

    The process ends with EXIT_STATUS: nothing was started and nothing was changed.
    """

    EXIT_STATUS = 78


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process; SETTINGS in settings_names.py says what each means.

    Attributes:
        host: an IP address.
        data_dir: absolute; need not exist yet.
        environment: the environment with the `.env` file's variables below it: where provider
            keys are looked for. Holds secrets.
        from_file: the names in `environment` that only the `.env` file sets.
    """

    data_dir: Path
    host: str = "127.0.0.1"
    port: int = 20128
    workers: int = 1
    database_url: str | None = field(default=None, repr=False)
    public_url: str | None = None
    proxy: str | None = field(default=None, repr=False)
    trusted_proxies: tuple[Network, ...] = ()
    require_key: Literal["auto", "always"] = "auto"
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    body_bytes_max: int = 32 * 2**20
    connections_per_address_max: int = 1000
    memory_max: int | None = None
    first_byte_hold_s: float = 10.0
    response_cache_s: float | None = None
    connect_s: float = 3.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
    total_s: float = 600.0
    shutdown_s: float = 30.0
    retention_days: float | None = 90.0
    retention_requests: int | None = None
    retention_bytes: int | None = None
    audit_retention_days: float | None = None
    content_bytes: int | None = 256 * 2**20
    backup_days: float | None = 1.0
    backups_kept: int = 7
    a2a_task_s: float = 300.0
    a2a_retention_days: float | None = 1.0
    mcp_audit_arguments: bool = False
    a2a_private_webhooks: bool = False
    a2a_card_key: Path | None = None
    exit_when_idle_s: float | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["text", "json"] = "text"
    log_file: Path | None = None
    log_file_bytes_max: int = 50 * 2**20
    access_log: bool = False
    otel: bool = False
    dashboard_idle_s: float = 28_800.0
    dashboard_days: int = 7
    dashboard_plain_cookie: bool = False
    initial_password: str | None = field(default=None, repr=False)
    dev: bool = False
    open_browser: bool = True
    storage_encryption_key: str | None = field(default=None, repr=False)
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    from_file: frozenset[str] = frozenset()

    @property
    def limits(self) -> Limits:
        """The times of one provider call, unless a combo says otherwise."""
        return Limits(
            connect_s=self.connect_s,
            first_byte_s=self.first_byte_s,
            idle_s=self.idle_s,
            total_s=self.total_s,
        )

    @property
    def a2a_kept_s(self) -> float | None:
        """How long A2A tasks can be asked for; None is for ever."""
        days = self.a2a_retention_days
        return None if days is None else days * SECONDS_A_DAY

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the listener."""
        return ip_address(self.host).is_loopback

    @property
    def local_url(self) -> str:
        """Where this machine reaches the gateway, without a slash at the end."""
        address = ip_address(self.host)
        if address.is_unspecified:
            return f"http://{'127.0.0.1' if address.version == 4 else '[::1]'}:{self.port}"
        return f"http://{f'[{address}]' if address.version == 6 else address}:{self.port}"

    @property
    def own_urls(self) -> tuple[str, ...]:
        """Where the gateway is reached: no provider's base URL may be one of these."""
        return (self.local_url,) if self.public_url is None else (self.local_url, self.public_url)

    @property
    def store_url(self) -> str:
        """The database's URL; may hold a password."""
        return self.database_url or f"sqlite:///{self.data_dir / DATABASE_FILE}"


@dataclass(frozen=True, slots=True)
class Source:
    """Where one value came from. `name` is the flag or the variable, "" for a default."""

    kind: Literal["flag", "environment", "file", "default"]
    name: str = ""
    path: Path | None = None

    def __str__(self) -> str:
        """In words: `PORT in /home/me/.env`, `--port`, `default`."""
        match self.kind:
            case "file":
                return f"{self.name} in {self.path}"
            case "environment":
                return f"{self.name} in the environment"
            case "flag":
                return self.name
            case _:
                return "default"


@dataclass(frozen=True, slots=True)
class Note:
    """Something about a variable that has no effect and that its owner may not know."""

    level: Literal["note", "warning"]
    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the settings came from.

    Attributes:
        origins: one Source for each field of SETTINGS.
        env_file: the `.env` file that was read.
        notes: variables without effect, in the order of the tables.
    """

    origins: Mapping[str, Source]
    env_file: Path | None = None
    notes: tuple[Note, ...] = ()


def load_settings(
    flags: Mapping[str, str | None], environ: Mapping[str, str], cwd: Path
) -> tuple[Settings, Sources]:
    """Give the settings in force and where each came from.

    Args:
        flags: by field name, the text that was given; None and a missing one are not given.
        environ: the process environment.
        cwd: the working directory: `.env` there is read last, relative paths start there.

    Raises:
        SettingsError: values are wrong, or variables ask for what is not to be had: all of
            them in one message, a line each.
    """
    home = home_of(environ)
    file = _read_file(flags, environ, cwd, home)
    reading = _Reading(flags, environ, file)
    for row in SETTINGS:
        reading.read(row)
    _judge_documented(reading)
    _judge_unknown(reading)
    _judge_file(reading)
    if reading.faults:
        raise SettingsError("\n".join(reading.faults))
    values = reading.values
    given_dir = values.pop("data_dir", None)
    for name in FILES & values.keys():
        values[name] = absolute(values[name], cwd, home)
    settings = Settings(
        data_dir=default_data_dir(environ, home)
        if given_dir is None
        else absolute(given_dir, cwd, home),
        environment={**reading.file_variables, **environ},
        from_file=frozenset(reading.file_variables) - frozenset(environ),
        **values,
    )
    path = None if file is None else file.path
    return settings, Sources(reading.origins, path, tuple(reading.notes))


def shown_values(settings: Settings) -> dict[str, str]:
    """Give every setting in words, a secret only as whether it is set."""
    rows = {row.name: row for row in SETTINGS}
    values = {one.name: getattr(settings, one.name) for one in fields(settings)}
    return {name: _shown(row, values[name]) for name, row in rows.items()}


class _Reading:
    """Reads setting by setting and collects what is wrong, so that all of it is said at once."""

    def __init__(
        self, flags: Mapping[str, str | None], environ: Mapping[str, str], file: EnvFile | None
    ) -> None:
        self.environ = environ
        self.file = file
        self.file_variables = {} if file is None else file.variables
        self.values: dict[str, Any] = {}
        self.origins: dict[str, Source] = {}
        self.notes: list[Note] = []
        self.faults: list[str] = []
        self._flags = flags

    def read(self, row: Setting) -> None:
        """Read one setting from the strongest place that has it."""
        self.origins[row.name] = Source("default")
        flag = self._flags.get(row.name)
        if flag is not None and self._take(row, row.kind, Source("flag", row.flag or ""), flag):
            return
        taken = False
        for source, kind, text in self._found(row):
            if taken:
                ruler = self.origins[row.name]
                self.notes.append(Note("note", source.name, f"{source} is overruled by {ruler}"))
            else:
                taken = self._take(row, kind, source, text)

    def where(self, name: str) -> tuple[str, Source] | None:
        """Give a variable's text and its place, None where it is not set or empty."""
        if name in self.environ:
            return (self.environ[name], Source("environment", name)) if self.environ[name] else None
        if self.file is not None and self.file_variables.get(name):
            return self.file_variables[name], Source("file", name, self.file.path)
        return None

    def _found(self, row: Setting) -> list[tuple[Source, Kind, str]]:
        found = []
        for variable in row.variables:
            place = self.where(variable.name)
            if place is not None:
                found.append((place[1], variable.kind, place[0]))
        # The environment is stronger than the file, whichever variables they use.
        return sorted(found, key=lambda one: one[0].kind == "file")

    def _take(self, row: Setting, kind: Kind, source: Source, text: str) -> bool:
        try:
            value = READERS[kind](text)
        except NotMeantForUs as other:
            self.notes.append(Note("note", source.name, f"{source} has no effect: {other}"))
            return False
        except ValueError as error:
            shown = "" if row.secret else f" is {text[:80]!r}"
            self.faults.append(f"{source}{shown}: {error}")
            return True
        self.values[row.name] = value
        self.origins[row.name] = source
        return True


def _read_file(
    flags: Mapping[str, str | None], environ: Mapping[str, str], cwd: Path, home: Path
) -> EnvFile | None:
    """Read the first `.env` of the data folder, the home's own folder and the working directory."""
    names = [
        variable.name for row in SETTINGS if row.name == "data_dir" for variable in row.variables
    ]
    given = flags.get("data_dir") or next((environ[one] for one in names if environ.get(one)), None)
    data_dir = default_data_dir(environ, home) if given is None else absolute(given, cwd, home)
    path = find_env_file((data_dir, default_data_dir({}, home), cwd))
    try:
        return None if path is None else read_env_file(path)
    except EnvFileUnreadable as error:
        raise SettingsError(str(error)) from error


def _judge_documented(reading: _Reading) -> None:
    """Refuse or note the documented variables that set nothing."""
    names = sorted({*reading.environ, *reading.file_variables})
    for row in DOCUMENTED:
        for name in names if "*" in row.name else (row.name,):
            place = reading.where(name) if fnmatchcase(name, row.name) else None
            if place is not None:
                _judge_one(reading, row, name, *place)


def _judge_one(reading: _Reading, row: Documented, name: str, text: str, source: Source) -> None:
    if row.outcome == "ignored":
        level: Literal["note", "warning"] = "warning" if row.warn else "note"
        reading.notes.append(Note(level, name, f"{source} has no effect: {row.words}"))
    elif row.outcome == "refused" and text.strip().lower() not in row.harmless:
        reading.faults.append(f"{source}: {row.words}")


def _judge_unknown(reading: _Reading) -> None:
    """Warn of variables with our prefix that mean nothing: most are misspelt."""
    known = own_names()
    endings = {one.removeprefix(OWN_PREFIX): one for one in known}
    for name in sorted({*reading.environ, *reading.file_variables}):
        if not name.startswith(OWN_PREFIX) or name in known:
            continue
        place = reading.where(name)
        if place is not None:
            close = get_close_matches(name.removeprefix(OWN_PREFIX), endings, n=1)
            meant = f"did you mean {endings[close[0]]}?" if close else ""
            hint = meant or "see docs/settings.md for what is read"
            reading.notes.append(
                Note("warning", name, f"{place[1]} is no variable of OmniRoute: {hint}")
            )


def _judge_file(reading: _Reading) -> None:
    file = reading.file
    if file is None:
        return
    for line in file.faulty_lines:
        words = f"line {line} of {file.path} is not NAME=value and was passed over"
        reading.notes.append(Note("warning", ".env", words))
    if file.readable_by_others and file.variables:
        reading.notes.append(
            Note(
                "note",
                ".env",
                f"{file.path} can be read by other users; if it holds keys: chmod 600 {file.path}",
            )
        )


def _shown(row: Setting, value: object) -> str:
    if row.secret:
        return row.default if value is None else "set"
    if value is None and row.kind in ("days_or_never", "size_or_never"):
        return "never"
    if value is None or value == ():
        return row.default
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
