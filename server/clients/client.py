"""What one row of the table of clients is: its files, where they are, and what is written.

Rows are data. What differs from one set-up to the next stands in their values as a token:

    {command}   the program that serves MCP on standard input and output
    {args}      its arguments, a list; as an element of a list it gives as many elements
    {url}       the gateway's address, without a slash at the end
    {remote}    the same, but only where it is not this machine's own gateway
    {key}       the key that the client presents, or the client's own word for a variable; for
                model endpoints NO_KEY where the gateway needs none
    {model}     the model that the client asks for first
    {each}      one model after the other: a path or an element of a list that holds it is
                there once for every model; {each.context} and {each.output} are its limits

A value that is one token alone takes the type of what stands for it. A value whose token has
nothing to stand for it is left out with its name, and so is an object that this empties, or a
Whole that this touches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

System = Literal["linux", "macos", "windows"]
Format = Literal["json", "jsonc", "json5", "toml", "yaml", "env"]
Transport = Literal["stdio", "http"]
Part = Literal["mcp", "models"]

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Whole(dict[str, "Json"]):
    """An object that is there with all its values or not at all."""


SERVER = "omniroute"
"""What the gateway is called in every client."""
KEY_VARIABLE = "OMNIROUTE_API_KEY"
NO_KEY = "not-needed-on-this-machine"
"""What a client presents that insists on a key where none is needed."""
CONTEXT_TOKENS = 200_000
"""What a client is told of a model whose context is not known, where it must be told."""
ARGS = "{args}"
BEARER = "Bearer {key}"
STDIO_ENV: Mapping[str, Json] = {KEY_VARIABLE: "{key}", "OMNIROUTE_BASE_URL": "{remote}"}
STDIO: Mapping[str, Json] = {"command": "{command}", "args": ARGS, "env": STDIO_ENV}
"""How most clients write a program that serves MCP."""


@dataclass(frozen=True, slots=True)
class Where:
    """A step into a list: the first object whose field has the value; added when none has."""

    field: str
    value: str


Step: TypeAlias = "str | Where"
Path: TypeAlias = tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Edit:
    """One value that is put into a file.

    What the file has beside it stays. An object is merged into one that is there already.

    Attributes:
        value: with tokens, see above.
        transport: it is written when MCP goes this way; None either way.
        instead_of: names in the object at `path` that are taken out, as they belong to the
            other way.
        default: what the file has at `path` already stays as it is.
        needs: it is written only when there is a key, or a word for the variable in its place.
    """

    path: Path
    value: Json
    part: Part = "mcp"
    transport: Transport | None = None
    instead_of: tuple[str, ...] = ()
    default: bool = False
    needs: Literal["", "key", "reference"] = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file is.

    Attributes:
        name: of the file below its folder, with slashes.
        folders: of each system in which the client runs, the first whose variables are all
            set; `~` is the user's folder.
        others: other names that the client reads; the first that exists is edited instead.
        project: the path in a project; "" when the client reads none there.
    """

    name: str
    folders: Mapping[System, tuple[str, ...]]
    others: tuple[str, ...] = ()
    project: str = ""


@dataclass(frozen=True, slots=True)
class ClientFile:
    """One file of a client, and what is put into it.

    Attributes:
        secret: the file is nobody else's, also in a project: a key may stand in it.
    """

    place: Place
    format: Format
    edits: tuple[Edit, ...]
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Client:
    """One client that can be told of the gateway.

    Attributes:
        name: what stands behind `omniroute setup`.
        files: in the order in which they are written.
        source: the page that says so, and the day it was read; or how it was tried.
        program: the command by which it is known to be on this machine; "" when it has none.
        key_reference: how its files name the variable OMNIROUTE_API_KEY; "" when they cannot.
        own_path: it does not look for programs in the shell's PATH.
        model: what it asks for first unless something else is wished.
        then: what is left to do in the client, a sentence.
        overrides: variables of a shell that win over what its files say, or stand in its way.
        models_by_hand: how the client is given the model endpoint, where no file says it.
    """

    name: str
    title: str
    files: tuple[ClientFile, ...]
    source: str
    program: str = ""
    key_reference: str = ""
    own_path: bool = False
    model: str = "auto"
    then: str = ""
    overrides: tuple[str, ...] = ()
    models_by_hand: str = ""


def at_home(folder: str, *moved: str) -> Mapping[System, tuple[str, ...]]:
    """Give the folders of a client that keeps its files at one place on every system.

    Args:
        folder: such as `~/.cursor`.
        moved: folders that stand before it when their variables are set, such as `$CODEX_HOME`.
    """
    folders = (*moved, folder)
    return {"linux": folders, "macos": folders, "windows": folders}


def in_app_data(folder: str) -> Mapping[System, tuple[str, ...]]:
    """Give the folders of a client that keeps its files where each system has programs' data."""
    return {
        "linux": (f"$XDG_CONFIG_HOME/{folder}", f"~/.config/{folder}"),
        "macos": (f"~/Library/Application Support/{folder}",),
        "windows": (f"$APPDATA/{folder}", f"~/AppData/Roaming/{folder}"),
    }
