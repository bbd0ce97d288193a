"""ide-configs/: the files of every client, made from the table that `omniroute setup` writes by."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from omniroute.server.clients.changes import edited_data
from omniroute.server.clients.client import Client, ClientFile, Edit, Place, System, Transport
from omniroute.server.clients.formats import edited
from omniroute.server.clients.plan import has_models, shared, transports
from omniroute.server.clients.table import CLIENTS
from omniroute.server.clients.wishes import Model, Wish, wished

FOLDER = Path(__file__).parents[2] / "ide-configs"
MADE = "<!-- Made by `python -m tests.cli.pages` from server/clients/; do not edit. -->"
URL = "http://127.0.0.1:20128"
KEY = "sk-omni-..."
PROGRAM = "/absolute/path/to/omniroute"
MODELS = tuple(
    Model(name)
    for name in ("auto", "auto/coding", "auto/fast", "auto/cheap", "auto/smart", "auto/offline")
)
SYSTEMS: tuple[tuple[System, str], ...] = (
    ("linux", "Linux"),
    ("macos", "macOS"),
    ("windows", "Windows"),
)


def configurations() -> dict[Path, str]:
    """Give every file below ide-configs/ with its text."""
    found = {
        path: edited("", edited_data(None, edits).changes, file.format)
        for client in CLIENTS
        for file in client.files
        for path, edits in _files(client, file)
    }
    return {FOLDER / "README.md": readme(), **found}


def readme() -> str:
    """Give the page that says where each file goes."""
    parts = [
        "# Client files",
        MADE,
        "`omniroute setup` writes these for you, with your key and your paths, beside what a "
        "client's files hold already ([setting clients up](../docs/setup.md)). Here they are for "
        "reading, and for copying by hand: replace `sk-omni-...` by a key that `omniroute keys "
        f"add` shows, and `{PROGRAM}` by the path that `which omniroute` shows. A gateway on "
        "this machine without keys needs none: leave `env` and `headers` out.",
        "A file of a folder tells a client of both, the models and the MCP server that it starts "
        "as a program; the one in `http/` has the MCP server's address instead.",
    ]
    for client in CLIENTS:
        parts += _section(client)
    return "\n\n".join(parts) + "\n"


def _section(client: Client) -> list[str]:
    rows = [_row(client, file) for file in client.files]
    head = ("File", *(title for _, title in SYSTEMS), "In a project")
    lines = [head, ("---",) * len(head), *rows]
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    parts = [f"## {client.title}", f"`omniroute setup {client.name}`", table]
    if not has_models(client):
        by_hand = client.models_by_hand.replace("{url}", URL).replace("{model}", client.model)
        parts.append(f"Models: {by_hand}")
    elif client.model != "auto":
        parts.append(f"It asks for the model `{client.model}`.")
    parts += [client.then, f"Source: {client.source}."]
    return parts


def _row(client: Client, file: ClientFile) -> tuple[str, ...]:
    names = [path.relative_to(FOLDER).as_posix() for path, _ in _files(client, file)]
    links = ", ".join(f"[{name.partition('/')[2]}]({name})" for name in names)
    places = [_place(file.place, system) for system, _ in SYSTEMS]
    return links, *places, f"`{file.place.project}`" if file.place.project else "-"


def _place(place: Place, system: System) -> str:
    """Give where a file is when no variable moves it."""
    folders = place.folders.get(system)
    if not folders:
        return "-"
    folder = folders[-1] if system != "windows" else folders[-1].replace("~", "%USERPROFILE%")
    path = f"{folder}/{place.name}"
    return f"`{path}`" if system != "windows" else f"`{path.replace('/', chr(92))}`"


def _files(client: Client, file: ClientFile) -> Iterator[tuple[Path, list[Edit]]]:
    """Give the paths below ide-configs/ of one file, and what stands in each."""
    ways = [one for one in transports(client) if _differs(file)] or ["stdio"]
    for way in ways:
        wish = Wish(
            url=URL,
            command=PROGRAM if client.own_path else "omniroute",
            args=("--mcp",),
            key=KEY,
            model=client.model,
            transport=way,
            models=MODELS,
        )
        told = shared(wish, client, file)
        if told.key is None:
            told = replace(wish, key=KEY)
        folder = FOLDER / client.name / ("http" if way == "http" else "")
        name = PurePosixPath(file.place.name).name.lstrip(".")
        yield folder / name, wished(file.edits, told)


def _differs(file: ClientFile) -> bool:
    """Whether a file says how MCP is reached."""
    found: list[Transport | None] = [edit.transport for edit in file.edits]
    return any(found)
