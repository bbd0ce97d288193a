"""The files of ide-configs/, and the pages about clients: true, whole, and nothing beside them."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from omniroute.server.cli.commands import COMMANDS
from omniroute.server.clients.changes import value_at
from omniroute.server.clients.client import Client, ClientFile, Json
from omniroute.server.clients.formats import parsed
from omniroute.server.clients.places import Machine, NoPlace, path_of
from omniroute.server.clients.plan import transports
from omniroute.server.clients.table import CLIENTS

from .ide_configs import FOLDER, MADE, SYSTEMS, URL, configurations

GUIDE = (FOLDER.parent / "docs/setup.md").read_text()
VARIABLES = {"APPDATA": "/data", "XDG_CONFIG_HOME": "/config"}


def mcp_files(way: str) -> Iterator[tuple[str, ClientFile, Path]]:
    for client in CLIENTS:
        for file in client.files:
            if any(edit.transport == way for edit in file.edits):
                name = PurePosixPath(file.place.name).name.lstrip(".")
                folder = FOLDER / client.name / ("http" if way == "http" else "")
                yield client.name, file, folder / name


def server_of(file: ClientFile, path: Path, way: str) -> Json:
    (edit,) = (edit for edit in file.edits if edit.transport == way)
    found = value_at(parsed(path.read_text(), file.format), edit.path)
    assert isinstance(found, dict)
    return found


def test_no_file_is_there_that_no_client_has() -> None:
    assert {path for path in FOLDER.rglob("*") if path.is_file()} == configurations().keys()


@pytest.mark.parametrize(
    ("file", "path"),
    [row[1:] for row in mcp_files("stdio")],
    ids=[x[0] for x in mcp_files("stdio")],
)
def test_a_file_for_programs_starts_the_relay(file: ClientFile, path: Path) -> None:
    words = json.dumps(server_of(file, path, "stdio"))

    assert '"--mcp"' in words
    assert re.search(r'"(/absolute/path/to/)?omniroute"', words)
    assert "http://" not in words


@pytest.mark.parametrize(
    ("file", "path"), [row[1:] for row in mcp_files("http")], ids=[x[0] for x in mcp_files("http")]
)
def test_a_file_for_http_has_the_servers_address(file: ClientFile, path: Path) -> None:
    words = json.dumps(server_of(file, path, "http"))

    assert f'"{URL}/mcp"' in words
    assert "--mcp" not in words


@pytest.mark.parametrize("path", sorted(configurations()), ids=lambda path: path.as_posix()[-40:])
def test_a_file_is_read_by_the_parser_of_its_format(path: Path) -> None:
    text = path.read_text()

    match path.suffix:
        case ".json":
            assert json.loads(text)
        case ".toml":
            assert tomllib.loads(text)
        case ".md":
            assert MADE in text
    assert text.endswith("\n")


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
@pytest.mark.parametrize("system", [name for name, _ in SYSTEMS])
def test_a_clients_files_are_at_one_place_on_every_system_it_runs_on(
    client: Client, system: str
) -> None:
    machine = Machine(system, Path("/home/me"))  # type: ignore[arg-type]
    moved = Machine(system, Path("/home/me"), VARIABLES)  # type: ignore[arg-type]

    for file in client.files:
        paths = [path_of(file.place, one, None, lambda path: False) for one in (machine, moved)]
        assert all(path.is_absolute() for path in paths)
        assert paths[0].is_relative_to("/home/me")
        assert paths[0].name == PurePosixPath(file.place.name).name


def test_a_client_that_does_not_run_on_a_system_is_not_guessed_at() -> None:
    (file,) = next(one for one in CLIENTS if one.name == "cursor").files
    with pytest.raises(NoPlace, match="only on linux, macos, windows"):
        path_of(file.place, Machine("plan9", Path("/")), None, lambda path: False)  # type: ignore[arg-type]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)
def test_a_client_says_what_comes_next_and_where_it_is_known_from(client: Client) -> None:
    has_models = any(edit.part == "models" for file in client.files for edit in file.edits)

    assert client.then.endswith(".")
    assert re.search(r"20\d\d-\d\d-\d\d", client.source)
    assert has_models != bool(client.models_by_hand)
    assert "stdio" in transports(client)
    assert f"`{client.name}`" in GUIDE


def test_the_guide_names_every_option() -> None:
    (command,) = (one for one in COMMANDS if one.path == "setup")

    names = [option.name for option in command.options if option.name.startswith("--")]
    assert [name for name in names if name not in GUIDE] == []


def test_an_input_that_a_file_asks_for_is_defined_in_it() -> None:
    told = json.loads((FOLDER / "vscode/mcp.json").read_text())

    asked = re.findall(r"\$\{input:([^}]+)\}", json.dumps(told["servers"]))
    assert set(asked) == {one["id"] for one in told["inputs"]}
