"""Where a client's files are on a machine: pure, for any system."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .client import Place, System

_VARIABLE = re.compile(r"\$([A-Z_]+)")


@dataclass(frozen=True, slots=True)
class Machine:
    """What places depend on.

    Attributes:
        environment: the variables that move clients' folders.
    """

    system: System
    home: Path
    environment: Mapping[str, str] = field(default_factory=dict)


class NoPlace(Exception):
    """The client has no such file here. Says why."""


def folder_of(place: Place, machine: Machine) -> Path:
    """Give the folder that a file is in.

    Raises:
        NoPlace: the client does not run on this system.
    """
    for template in place.folders.get(machine.system, ()):
        names = _VARIABLE.findall(template)
        if all(machine.environment.get(name) for name in names):
            text = _VARIABLE.sub(lambda found: machine.environment[found[1]], template)
            first, _, rest = text.partition("/")
            return machine.home / rest if first == "~" else Path(text)
    systems = ", ".join(place.folders)
    raise NoPlace(f"it keeps no {place.name} on {machine.system}, only on {systems}")


def path_of(
    place: Place, machine: Machine, project: Path | None, exists: Callable[[Path], bool]
) -> Path:
    """Give the path of a file, of several that the client reads the first that exists.

    For a project it is the project's file, else the user's own.

    Raises:
        NoPlace: the client has no such file there.
    """
    if project is not None:
        if not place.project:
            raise NoPlace(f"it reads no {place.name} in a project")
        return project / place.project
    folder = folder_of(place, machine)
    paths = [folder / name for name in (place.name, *place.others)]
    return next(filter(exists, paths), paths[0])
