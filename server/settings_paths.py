"""Where the folders are that settings name, and those that are taken where nothing names one."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def default_data_dir(environ: Mapping[str, str], home: Path) -> Path:
    """Give the data folder of a machine on which nothing names one."""
    for name in ("XDG_CONFIG_HOME", "APPDATA"):
        folder = Path(environ.get(name, ""))
        # A relative path there is to be taken for none (XDG base directories, version 0.8).
        if folder.is_absolute():
            return folder / "omniroute"
    return home / ".omniroute"


def home_of(environ: Mapping[str, str]) -> Path:
    """Give the home folder as an absolute path; where the system knows none, the root."""
    home = Path(environ.get("HOME") or environ.get("USERPROFILE") or "~")
    with suppress(RuntimeError):
        home = home.expanduser()
    return home if home.is_absolute() else Path("/")


def absolute(text: str, cwd: Path, home: Path) -> Path:
    """Give a path that was written from a folder, or from the home folder with ~."""
    path = Path(text.strip())
    if path.parts[:1] == ("~",):
        path = home.joinpath(*path.parts[1:])
    return Path(cwd.absolute(), path)
