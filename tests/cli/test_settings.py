"""Where settings come from, what each variable does, and what a wrong one says."""

import os
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.server.settings import Settings, SettingsError, Sources, load_settings, shown_values
from omniroute.server.settings_documented import DOCUMENTED
from omniroute.server.settings_names import SETTINGS
from omniroute.server.settings_values import SECRET_CHARS_MIN, read_workers
from omniroute.server.store.keyring import TEXT_CHARACTERS_MIN

VARIABLES = sorted({one.name for row in SETTINGS for one in row.variables})


def load(
    tmp_path: Path, environ: dict[str, str] | None = None, **flags: str
) -> tuple[Settings, Sources]:
    """Load with a home and a working directory of the test's own."""
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    home.mkdir(exist_ok=True)
    cwd.mkdir(exist_ok=True)
    return load_settings(flags, {"HOME": str(home), **(environ or {})}, cwd)


def refusal(tmp_path: Path, environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, environ)
    return str(refused.value)


def test_a_fresh_machine_gets_the_documented_defaults(tmp_path: Path) -> None:
    settings, sources = load(tmp_path)

    assert (settings.host, settings.port) == ("127.0.0.1", 20128)
    assert settings.data_dir == tmp_path / "home/.omniroute"
    assert settings.body_bytes_max == 32 * 2**20
    assert settings.limits.first_byte_s == 60.0
    assert {str(one) for one in sources.origins.values()} == {"default"}
    assert sources.notes == ()


def test_a_flag_is_stronger_than_the_environment_and_that_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "home/.omniroute/.env"
    file.parent.mkdir(parents=True)
    file.write_text("PORT=1\nLOG_LEVEL=debug\nBASE_URL=https://file.example\n")

    settings, sources = load(tmp_path, {"PORT": "2", "LOG_LEVEL": "error"}, port="3")

    assert settings.port == 3
    assert settings.log_level == "error"
    assert settings.public_url == "https://file.example"
    assert str(sources.origins["port"]) == "--port"
    assert str(sources.origins["log_level"]) == "LOG_LEVEL in the environment"
    assert str(sources.origins["public_url"]) == f"BASE_URL in {file}"


def test_the_environment_wins_over_the_file_whichever_names_they_use(tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd/.env").write_text("OMNIROUTE_PORT=1111\n")

    settings, sources = load(tmp_path, {"PORT": "2222"})

    assert settings.port == 2222
    assert "OMNIROUTE_PORT" in [note.name for note in sources.notes]


def test_the_first_env_file_that_exists_is_the_only_one_read(tmp_path: Path) -> None:
    folders = [tmp_path / "data", tmp_path / "home/.omniroute", tmp_path / "cwd"]
    for number, folder in enumerate(folders, start=1):
        folder.mkdir(parents=True)
        (folder / ".env").write_text(f"PORT={number}\n")

    found = []
    for folder in folders:
        settings, sources = load(tmp_path, {"DATA_DIR": str(folders[0])})
        found.append((settings.port, sources.env_file))
        (folder / ".env").unlink()

    assert found == [(number, folder / ".env") for number, folder in enumerate(folders, start=1)]


def test_a_folder_that_is_named_env_is_no_env_file(tmp_path: Path) -> None:
    (tmp_path / "cwd/.env").mkdir(parents=True)

    _, sources = load(tmp_path)

    assert sources.env_file is None


def test_an_empty_variable_counts_as_not_set_and_keeps_the_file_out(tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd/.env").write_text("PORT=1111\n")

    settings, sources = load(tmp_path, {"PORT": ""})

    assert settings.port == 20128
    assert str(sources.origins["port"]) == "default"


def test_provider_keys_are_found_in_the_file_below_the_environment(tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd/.env").write_text(
        "GROQ_API_KEY='sk-fake-${HOME}'\nOPENAI_API_KEY=sk-fake-file\n"
    )

    settings, _ = load(tmp_path, {"OPENAI_API_KEY": "sk-fake-environment"})

    assert settings.environment["GROQ_API_KEY"] == "sk-fake-${HOME}"
    assert settings.environment["OPENAI_API_KEY"] == "sk-fake-environment"
    assert "sk-fake" not in repr(settings)


def test_a_line_of_the_file_that_sets_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd/.env").write_text("# settings\n\nPORT=1111\nA B\n'\n")
    os.chmod(tmp_path / "cwd/.env", 0o600)

    settings, sources = load(tmp_path)

    assert settings.port == 1111
    assert [note.words for note in sources.notes] == [
        f"line 4 of {tmp_path}/cwd/.env is not NAME=value and was passed over",
        f"line 5 of {tmp_path}/cwd/.env is not NAME=value and was passed over",
    ]


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"A=" + b"x" * 2**20])
def test_a_file_that_is_no_env_file_stops_the_start(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd/.env").write_bytes(content)

    assert f"{tmp_path}/cwd/.env" in refusal(tmp_path, {})


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("HOSTNAME", "0.0.0.0", "host", "0.0.0.0"),
        ("HOSTNAME", "localhost", "host", "127.0.0.1"),
        ("OMNIROUTE_HOST", "[::1]", "host", "::1"),
        ("PORT", "0", "port", 0),
        ("DATA_DIR", "~/there", "data_dir", Path("home/there")),
        ("DATA_DIR", "here", "data_dir", Path("cwd/here")),
        ("BASE_URL", "https://a.example/omni/", "public_url", "https://a.example/omni"),
        ("OMNIROUTE_BASE_URL", "http://b:1", "public_url", "http://b:1"),
        ("REQUIRE_API_KEY", "true", "require_key", "always"),
        ("REQUIRE_API_KEY", "false", "require_key", "auto"),
        ("OMNIROUTE_REQUIRE_KEY", "always", "require_key", "always"),
        ("MAX_BODY_SIZE_BYTES", "10485760", "body_bytes_max", 10 * 2**20),
        ("OMNIROUTE_BODY_BYTES_MAX", "64 MiB", "body_bytes_max", 64 * 2**20),
        ("FETCH_TIMEOUT_MS", "120000", "first_byte_s", 120.0),
        ("STREAM_IDLE_TIMEOUT_MS", "1500", "idle_s", 1.5),
        ("SHUTDOWN_TIMEOUT_MS", "30000", "shutdown_s", 30.0),
        ("OMNIROUTE_WORKERS", "4", "workers", 4),
        ("OMNIROUTE_EXIT_WHEN_IDLE_S", "600", "exit_when_idle_s", 600.0),
        ("OMNIROUTE_EXIT_WHEN_IDLE_S", "0", "exit_when_idle_s", None),
        ("OMNIROUTE_ALLOWED_HOSTS", "A.example, [::2],", "allowed_hosts", ("a.example", "::2")),
        (
            "CORS_ORIGIN",
            "https://A.example/,app://obsidian.md",
            "allowed_origins",
            ("https://a.example", "app://obsidian.md"),
        ),
        (
            "OMNIROUTE_TRUSTED_PROXIES",
            "10.1.2.3/8,::1",
            "trusted_proxies",
            (ip_network("10.0.0.0/8"), ip_network("::1/128")),
        ),
        ("LOG_LEVEL", "WARN", "log_level", "warning"),
        ("OMNIROUTE_DEV", "1", "dev", True),
        ("OMNIROUTE_OPEN_BROWSER", "no", "open_browser", False),
        ("OMNIROUTE_DATABASE_URL", "postgresql://h/n", "store_url", "postgresql://h/n"),
        ("STORAGE_ENCRYPTION_KEY", "k" * 32, "storage_encryption_key", "k" * 32),
    ],
)
def test_a_variable_sets_its_setting(
    tmp_path: Path, name: str, text: str, field: str, value: object
) -> None:
    settings, _ = load(tmp_path, {name: text})

    found = getattr(settings, field)

    assert found == (tmp_path / value if isinstance(value, Path) else value)


def test_a_machines_name_in_hostname_is_passed_over_with_a_note(tmp_path: Path) -> None:
    settings, sources = load(tmp_path, {"HOSTNAME": "build-box-7"})

    assert settings.host == "127.0.0.1"
    assert str(sources.origins["host"]) == "default"
    assert "machine's name" in sources.notes[0].words


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("PORT", "eighty", "a number from 0 to 65535"),
        ("PORT", "70000", "a number from 0 to 65535"),
        ("PORT", "-1", "a number from 0 to 65535"),
        ("OMNIROUTE_HOST", "my-box", "an IP address"),
        ("BASE_URL", "/", "a whole URL"),
        ("BASE_URL", "https://me:pass@host", "no user"),
        ("BASE_URL", "https://host/v1", "without /v1"),
        ("BASE_URL", "http://[::1", "a whole URL"),
        ("REQUIRE_API_KEY", "perhaps", "true or false"),
        ("OMNIROUTE_REQUIRE_KEY", "never", "auto or always"),
        ("MAX_BODY_SIZE_BYTES", "1", "from 1KiB to 1GiB"),
        ("MAX_BODY_SIZE_BYTES", "10 furlongs", "from 1KiB to 1GiB"),
        ("FETCH_TIMEOUT_MS", "0", "milliseconds, more than 0"),
        ("OMNIROUTE_TOTAL_S", "nan", "seconds, more than 0"),
        ("OMNIROUTE_ALLOWED_HOSTS", "*.example.com", "no host name"),
        ("OMNIROUTE_ALLOWED_HOSTS", "http://a.example", "no host name"),
        ("CORS_ORIGINS", "*", "every web page"),
        ("CORS_ORIGINS", "a.example", "no web origin"),
        ("OMNIROUTE_TRUSTED_PROXIES", "proxy", "no address and no network"),
        ("LOG_LEVEL", "loud", "debug, info, warning or error"),
        ("OMNIROUTE_DATABASE_URL", "mysql://root:hunter2@h/n", "postgresql://"),
        ("STORAGE_ENCRYPTION_KEY", "too-short-a-key", "at least 32"),
    ],
)
def test_a_wrong_value_names_the_variable_and_what_is_right(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    said = refusal(tmp_path, {name: text})

    assert said.startswith(f"{name} in the environment")
    assert words in said


@pytest.mark.parametrize("name", ["OMNIROUTE_DATABASE_URL", "STORAGE_ENCRYPTION_KEY"])
def test_a_wrong_secret_is_not_repeated(tmp_path: Path, name: str) -> None:
    said = refusal(tmp_path, {name: "hunter2"})

    assert "hunter2" not in said


def test_every_fault_is_told_at_once_with_where_it_came_from(tmp_path: Path) -> None:
    (tmp_path / "cwd").mkdir()
    (tmp_path / "cwd/.env").write_text("LOG_LEVEL=loud\nAPI_PORT=20131\n")

    said = refusal(tmp_path, {"PORT": "x"}).splitlines()

    assert len(said) == 3
    assert said[0].startswith("PORT in the environment is 'x'")
    assert said[1].startswith(f"LOG_LEVEL in {tmp_path}/cwd/.env is 'loud'")
    assert said[2].startswith(f"API_PORT in {tmp_path}/cwd/.env: one listener")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (row.name, "anything")
        for row in DOCUMENTED
        if row.outcome == "refused" and "*" not in row.name
    ],
)
def test_a_refused_variable_stops_the_start_and_says_what_to_do(
    tmp_path: Path, name: str, text: str
) -> None:
    said = refusal(tmp_path, {name: text})

    assert said.startswith(f"{name} in the environment: ")


@pytest.mark.parametrize(
    ("name", "text"),
    [(row.name, text) for row in DOCUMENTED for text in row.harmless],
)
def test_a_refused_variable_that_asks_for_nothing_is_let_be(
    tmp_path: Path, name: str, text: str
) -> None:
    settings, _ = load(tmp_path, {name: text})

    assert settings.port == 20128


@pytest.mark.parametrize(
    "name",
    [row.name.replace("*", "X") for row in DOCUMENTED if row.outcome == "ignored"],
)
def test_an_ignored_variable_is_noted_and_says_why(tmp_path: Path, name: str) -> None:
    _, sources = load(tmp_path, {name: "anything"})

    assert [note.name for note in sources.notes] == [name]
    assert "has no effect: " in sources.notes[0].words


def test_a_misspelt_variable_of_ours_is_warned_of_with_the_right_name(tmp_path: Path) -> None:
    _, sources = load(tmp_path, {"OMNIROUTE_REQUIRE_KYE": "always", "OMNIROUTE_ZZZ": "1"})

    assert [(note.level, note.words) for note in sources.notes] == [
        (
            "warning",
            "OMNIROUTE_REQUIRE_KYE in the environment is no variable of OmniRoute: "
            "did you mean OMNIROUTE_REQUIRE_KEY?",
        ),
        (
            "warning",
            "OMNIROUTE_ZZZ in the environment is no variable of OmniRoute: "
            "see docs/settings.md for what is read",
        ),
    ]


def test_the_data_folder_is_in_xdg_config_home_where_that_is_set(tmp_path: Path) -> None:
    absolute, _ = load(tmp_path, {"XDG_CONFIG_HOME": "/somewhere/config"})
    relative, _ = load(tmp_path, {"XDG_CONFIG_HOME": "config"})

    assert absolute.data_dir == Path("/somewhere/config/omniroute")
    assert relative.data_dir == tmp_path / "home/.omniroute"


@pytest.mark.parametrize(
    ("host", "url", "on_loopback"),
    [
        ("127.0.0.1", "http://127.0.0.1:20128", True),
        ("::1", "http://[::1]:20128", True),
        ("0.0.0.0", "http://127.0.0.1:20128", False),
        ("::", "http://[::1]:20128", False),
        ("192.168.1.5", "http://192.168.1.5:20128", False),
    ],
)
def test_the_local_url_is_one_that_this_machine_can_call(
    tmp_path: Path, host: str, url: str, on_loopback: bool
) -> None:
    settings, _ = load(tmp_path, host=host)

    assert settings.local_url == url
    assert settings.on_loopback is on_loopback


def test_every_setting_has_a_row_and_every_row_a_setting(tmp_path: Path) -> None:
    settings, sources = load(tmp_path)

    names = {row.name for row in SETTINGS}

    assert names == set(Settings.__slots__) - {"environment", "from_file"}
    assert names == sources.origins.keys() == shown_values(settings).keys()


def test_a_secret_is_shown_only_as_set(tmp_path: Path) -> None:
    settings, _ = load(
        tmp_path,
        {"STORAGE_ENCRYPTION_KEY": "k" * 40, "OMNIROUTE_DATABASE_URL": "postgresql://u:pw@h/n"},
    )

    shown = shown_values(settings)

    assert (shown["storage_encryption_key"], shown["database_url"]) == ("set", "set")
    assert "kkkk" not in repr(settings)
    assert "pw@" not in repr(settings)


def test_no_name_stands_in_two_rows() -> None:
    names = [one.name for row in SETTINGS for one in row.variables]
    names += [row.name for row in DOCUMENTED]

    assert len(names) == len(set(names))


def test_the_shortest_encryption_key_is_the_key_rings_own() -> None:
    assert SECRET_CHARS_MIN == TEXT_CHARACTERS_MIN


@given(
    environ=st.dictionaries(
        st.sampled_from([*VARIABLES, *(row.name for row in DOCUMENTED)]),
        st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=40),
        max_size=6,
    )
)
def test_any_environment_either_loads_or_is_refused_in_words(environ: dict[str, str]) -> None:
    found: Settings | str
    try:
        found, _ = load_settings({}, {"HOME": "/no-home", **environ}, Path("/no-folder"))
    except SettingsError as refused:
        found = str(refused)

    assert found if isinstance(found, str) else found.data_dir.is_absolute()


@pytest.mark.parametrize(("platform", "workers"), [("darwin", "1"), ("linux", "4")])
def test_several_workers_are_to_be_had_on_linux(
    monkeypatch: pytest.MonkeyPatch, platform: str, workers: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)

    assert read_workers(workers) == int(workers)


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_several_workers_are_refused_elsewhere(
    monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)

    with pytest.raises(ValueError, match="on Linux alone"):
        read_workers("2")
