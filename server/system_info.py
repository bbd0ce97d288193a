"""A report about this machine and its gateway that can be sent to others: no secret is in it.

Values of settings are shown unless they may hold a secret; of all other variables only the
names, and only those that mean something here. Command line tools are looked for on PATH, by
name, and never run.
"""

import os
import platform
import shutil
import sqlite3
import ssl
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from omniroute.routing.catalog.providers import ALL_PROVIDERS

from .doctor import SettingInForce
from .doctor_facts import LocalServer
from .settings_documented import DOCUMENTED
from .settings_names import SETTINGS

TOOLS = (
    "aider",
    "amp",
    "claude",
    "cline",
    "cn",
    "code",
    "codex",
    "copilot",
    "crush",
    "cursor",
    "cursor-agent",
    "droid",
    "forge",
    "gemini",
    "goose",
    "interpreter",
    "kilo",
    "llama-server",
    "lms",
    "ollama",
    "openclaw",
    "opencode",
    "q",
    "qwen",
    "vllm",
    "warp",
    "windsurf",
    "zed",
)
"""Programs that use a gateway like this one, or serve models to it."""

FILES_MAX = 100_000
"""How many files are counted of the data folder."""


@dataclass(frozen=True, slots=True)
class Size:
    """An entry of the data folder: a file's size, or that of all files below a folder."""

    name: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class SystemInfo:
    """The report's content.

    Attributes:
        gateway: in words, whether one runs on the data folder.
        packages: installed versions of what OmniRoute needs, "-" for one that is missing.
        variables: names that are set and mean something here.
        tools: names on PATH with where they are.
    """

    version: str
    python: str
    executable: str
    system: str
    sqlite: str
    openssl: str
    gateway: str
    packages: Mapping[str, str]
    settings: Sequence[SettingInForce]
    variables: Sequence[str]
    servers: Sequence[LocalServer]
    tools: Mapping[str, str]
    data_dir: str
    data: Sequence[Size]


def gather(
    *,
    gateway: str,
    settings: Sequence[SettingInForce],
    servers: Sequence[LocalServer],
    environment: Mapping[str, str],
    data_dir: Path,
) -> SystemInfo:
    """Look at the machine; the rest was found out before."""
    return SystemInfo(
        version=version("omniroute"),
        python=f"{platform.python_implementation()} {platform.python_version()}",
        executable=sys.executable,
        system=f"{platform.platform()} ({platform.machine()}, {os.cpu_count()} processors)",
        sqlite=sqlite3.sqlite_version,
        openssl=ssl.OPENSSL_VERSION,
        gateway=gateway,
        packages=packages(),
        settings=settings,
        variables=known_names(environment),
        servers=servers,
        tools={name: found for name in TOOLS if (found := shutil.which(name))},
        data_dir=str(data_dir),
        data=sizes(data_dir),
    )


def packages() -> dict[str, str]:
    """Give the installed version of each package that OmniRoute asks for."""
    found: dict[str, str] = {}
    for line in requires("omniroute") or ():
        name = line.partition(";")[0].split("[")[0].split("<")[0].split(">")[0].split("=")[0]
        try:
            found[name.strip()] = version(name.strip())
        except PackageNotFoundError:
            found[name.strip()] = "-"
    return found


def known_names(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Give the names of set variables that some part of OmniRoute reads or is asked about."""
    known = {one.name for row in SETTINGS for one in row.variables}
    known |= {row.name for row in DOCUMENTED}
    known |= {name for row in ALL_PROVIDERS for name in row.variables}
    return tuple(
        sorted(
            name
            for name, value in environment.items()
            if value and (name in known or name.startswith("OMNIROUTE_"))
        )
    )


def sizes(data_dir: Path) -> tuple[Size, ...]:
    """Give the size of each entry of the data folder; what cannot be read counts nothing."""
    try:
        entries = sorted(data_dir.iterdir())
    except OSError:
        return ()
    left = FILES_MAX
    found = []
    for entry in entries:
        files, size_bytes = _size(entry, left)
        left -= files
        found.append(Size(entry.name, size_bytes))
    return tuple(found)


def _size(entry: Path, files_max: int) -> tuple[int, int]:
    """Give how many files were counted and their bytes. Links are not followed."""
    if not entry.is_dir() or entry.is_symlink():
        return 1, _bytes(entry)
    files = size_bytes = 0
    for folder, _, names in os.walk(entry):
        for name in names:
            if files >= files_max:
                return files, size_bytes
            files += 1
            size_bytes += _bytes(Path(folder, name))
    return files, size_bytes


def _bytes(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0
