"""How doctor looks at the machine: real folders, files and sockets."""

import os
import socket
import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from omniroute.server.doctor_facts import (
    look_at_database,
    look_at_folder,
    look_at_port,
    look_at_tls,
)
from omniroute.server.settings import DATABASE_FILE, Settings
from omniroute.server.store.schema import HEAD
from omniroute.server.system_info import known_names, packages, sizes

NOW_S = 1_800_000_000.0


def make_database(folder: Path, revision: str) -> Settings:
    """Make a database file that has the given schema, in the mode of the store."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        connection.commit()
    return Settings(data_dir=folder)


def test_a_folder_of_its_owner_alone_is_in_order(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "keyring.json").touch(0o644)

    facts = look_at_folder(folder, 2**40)

    assert (facts.exists, facts.usable, list(facts.open_to_others)) == (True, True, [])


def test_a_file_that_others_can_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir(0o700)
    (tmp_path / "runtime/gateway.json").touch(0o600)
    (tmp_path / "keyring.json").touch(0o644)
    tmp_path.chmod(0o755)

    facts = look_at_folder(tmp_path, 2**40)

    assert facts.open_to_others == ["keyring.json"]


def test_a_folder_that_is_not_there_may_be_made_or_not(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    new = look_at_folder(tmp_path / "a/b", NOW_S)
    below_a_file = look_at_folder(tmp_path / "file/b", NOW_S)
    a_file = look_at_folder(tmp_path / "file", NOW_S)

    assert (new.exists, new.makeable) == (False, True)
    assert (below_a_file.exists, below_a_file.makeable) == (False, False)
    assert (a_file.exists, a_file.is_folder) == (True, False)


def test_an_entry_from_the_future_is_named(tmp_path: Path) -> None:
    (tmp_path / "entry").touch()

    assert look_at_folder(tmp_path, 0.0).future == "entry"


@pytest.mark.parametrize(("revision", "known"), [(HEAD, True), ("9999", False)])
def test_the_schema_is_read_and_nothing_is_written(
    tmp_path: Path, revision: str, known: bool
) -> None:
    settings = make_database(tmp_path, revision)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}

    facts = look_at_database(settings)

    assert (facts.revision == HEAD, "has schema 9999" in facts.problem) == (known, not known)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before


def test_a_database_in_use_is_read_too(tmp_path: Path) -> None:
    settings = make_database(tmp_path, HEAD)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as other:
        other.execute("CREATE TABLE later (a)")
        other.commit()

        facts = look_at_database(settings)

    assert facts.revision == HEAD


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"no database at all, but long enough to look" * 50)

    facts = look_at_database(Settings(data_dir=tmp_path))

    assert "cannot be read" in facts.problem


def test_a_database_server_is_not_called() -> None:
    settings = Settings(data_dir=Path("/none"), database_url="postgresql://h.invalid/n")

    assert look_at_database(settings).kind == "postgres"


def test_a_port_is_free_ours_or_held_by_another(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        settings = Settings(data_dir=tmp_path, port=port)

        other = look_at_port(settings, None)
        ours = look_at_port(settings, port)
    free = look_at_port(settings, None)

    holder_shown = str(os.getpid()) if sys.platform == "linux" else ""
    assert other.state == "other"
    assert holder_shown in other.detail
    assert ours.state == "ours"
    assert free.state == "free"


def test_an_address_of_another_machine_is_refused(tmp_path: Path) -> None:
    # 192.0.2.0/24 is for documentation: no machine has an address of it.
    settings = replace(Settings(data_dir=tmp_path), host="192.0.2.1")

    assert look_at_port(settings, None).state == "refused"


def test_the_certificates_of_this_machine_are_counted() -> None:
    facts = look_at_tls()

    assert facts.source
    assert facts.authorities >= 0


def test_sizes_add_up_what_lies_below(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b/c").mkdir(parents=True)
    (tmp_path / "b/c/d").write_bytes(b"123")
    (tmp_path / "b/e").symlink_to("/etc")

    found = {one.name: one.size_bytes for one in sizes(tmp_path)}

    assert found["a"] == 5
    assert 3 <= found["b"] < 100
    assert sizes(tmp_path / "none") == ()


def test_only_names_that_mean_something_here_are_reported() -> None:
    environment = {
        "PORT": "1",
        "GROQ_API_KEY": "sk-fake-1",
        "OMNIROUTE_ZZZ": "1",
        "HTTPS_PROXY": "http://user:pass@proxy",
        "MY_OWN_SECRET": "x",
        "LOG_LEVEL": "",
    }

    assert known_names(environment) == ("GROQ_API_KEY", "HTTPS_PROXY", "OMNIROUTE_ZZZ", "PORT")


def test_the_versions_of_our_packages_are_found() -> None:
    found = packages()

    assert {"httptools", "sqlalchemy", "starlette"} <= found.keys()
    assert "-" not in found.values()
