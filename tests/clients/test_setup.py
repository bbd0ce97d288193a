"""`omniroute setup`: files as the client reads them, nothing lost, and a way back."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omniroute.server.cli.main import main
from omniroute.server.clients.changes import Put
from omniroute.server.clients.client import Client, Json, Where
from omniroute.server.clients.formats import edited, parsed
from omniroute.server.clients.plan import transports
from omniroute.server.clients.table import CLIENTS
from omniroute.tools.table import TABLE
from tests.processes import RunningGateway, free_port, gateway, plain_environment, run_command

pytestmark = pytest.mark.xdist_group("setup")

THEIRS = "theirs"
COMMENT = {"jsonc": "// mine\n", "json5": "/* mine */ ", "toml": "# mine\n", "yaml": "# mine\n"}


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


Setup = Callable[..., Said]


@pytest.fixture(scope="module")
def open_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that needs no key."""
    with gateway(tmp_path_factory.mktemp("open")) as running:
        yield running


@pytest.fixture(scope="module")
def keyed_gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway that needs keys."""
    with gateway(tmp_path_factory.mktemp("keyed")) as running:
        running.new_key("--name", "first")
        yield running


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user who has nothing set."""
    folder = tmp_path / "home"
    (folder / "project").mkdir(parents=True)
    for name in (*filter(lambda one: one.startswith(("OMNIROUTE", "XDG_")), os.environ), "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "CONTINUE_GLOBAL_DIR", "DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("GOOSE_PATH_ROOT", "OPENCLAW_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(folder / "project")
    return folder


@pytest.fixture
def setup(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    open_gateway: RunningGateway,
) -> Setup:
    """Give a function that runs `omniroute setup`, on the open gateway unless another is named."""

    def run(*words: str, on: RunningGateway = open_gateway, **environment: str) -> Said:
        monkeypatch.setenv("DATA_DIR", str(on.data_dir))
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        status = main(["setup", *words])
        for name in environment:
            monkeypatch.delenv(name)
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return run


def files_of(client: Client, home: Path) -> dict[Path, str]:
    """Give a client's files that are there, with their formats."""
    found: dict[Path, str] = {}
    for file in client.files:
        folder = next(one for one in file.place.folders["linux"] if one.startswith("~"))
        path = home / folder[2:] / file.place.name
        if path.exists():
            found[path] = file.format
    return found


def started(client: Client, home: Path) -> dict[Path, bytes]:
    """Write files as somebody has them who uses the client, and give them."""
    made = {}
    for file in client.files:
        folder = next(one for one in file.place.folders["linux"] if one.startswith("~"))
        path = home / folder[2:] / file.place.name
        path.parent.mkdir(parents=True, exist_ok=True)
        first = file.edits[0].path
        theirs: Json = {"kept": [1, False]}
        put = (Where("name", THEIRS),) if isinstance(first[0], Where) else (THEIRS,)
        text = edited("", [Put(put, "1" if file.format == "env" else theirs)], file.format)
        path.write_text(COMMENT.get(file.format, "") + text)
        made[path] = path.read_bytes()
    return made


each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda one: one.name)


@each_client
def test_a_client_is_set_up_each_way_tried_and_taken_back(
    client: Client, setup: Setup, home: Path, open_gateway: RunningGateway
) -> None:
    before = started(client, home)

    for way in transports(client):
        done = setup(client.name, "--transport", way)
        assert (done.status, "FAILS" in done.out) == (0, False), done
        assert f"works: {len(TABLE)} tools." in done.out
        again = setup(client.name, "--transport", way, "--dry-run")
        assert (again.status, "+++" in again.out) == (0, False), again
    for path, form in files_of(client, home).items():
        text = path.read_text()
        assert THEIRS in str(parsed(text, form))  # type: ignore[arg-type]
        assert COMMENT.get(form, "").strip() in text
        assert open_gateway.url in text or "--mcp" in text
    for _ in transports(client):
        assert setup(client.name, "--undo").status == 0

    assert {path: path.read_bytes() for path in before} == before
    assert "nothing is to be undone" in setup(client.name, "--undo").err


@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("opencode", ".config/opencode/opencode.json"),
        ("kilo", ".config/kilo/kilo.json"),
        ("openclaw", ".openclaw/openclaw.json"),
    ],
)
def test_a_client_that_asks_for_no_list_is_told_of_every_model_that_chats(
    client: str, name: str, setup: Setup, home: Path, open_gateway: RunningGateway
) -> None:
    assert setup(client).status == 0

    text = (home / name).read_text()
    listed = open_gateway.call("GET", "/v1/models").json()["data"]
    chats = [one["id"] for one in listed if "chat" in one.get("capabilities", ["chat"])]
    assert {"auto", "auto/cheap", "cheap", "sim/smart"} <= set(chats)
    assert [name for name in chats if f'"{name}"' not in text] == []
    assert "sim/embed" not in text


def test_limits_are_told_as_far_as_they_are_known_and_as_the_client_takes_them(
    setup: Setup, home: Path
) -> None:
    for client in ("opencode", "zed", "goose"):
        assert setup(client, "--model", "sim/smart").status == 0

    opencode = json.loads((home / ".config/opencode/opencode.json").read_text())
    zed = json.loads((home / ".config/zed/settings.json").read_text())
    goose = json.loads((home / ".config/goose/custom_providers/omniroute.json").read_text())
    models = opencode["provider"]["omniroute"]["models"]
    assert models["sim/smart"]["limit"] == {"context": 200_000, "output": 64_000}
    assert "limit" not in models["auto"]
    told = zed["language_models"]["openai_compatible"]["OmniRoute"]["available_models"]
    tokens = {one["name"]: one["max_tokens"] for one in told}
    assert (tokens["sim/smart"], tokens["sim/cheap"], "auto" in tokens) == (200_000, 32_000, False)
    context = {one["name"]: one["context_limit"] for one in goose["models"]}
    assert context == tokens


@each_client
def test_what_is_printed_or_only_tried_writes_nothing(
    client: Client, setup: Setup, home: Path, keyed_gateway: RunningGateway
) -> None:
    printed = setup(client.name, "--print", on=keyed_gateway)
    dry = setup(client.name, "--dry-run", on=keyed_gateway)

    assert (printed.status, dry.status) == (0, 0), printed.err + dry.err
    assert "sk-omni-..." in printed.out
    assert "+++" in dry.out
    assert files_of(client, home) == {}
    assert len(keys_of(keyed_gateway)) == 1


def keys_of(running: RunningGateway) -> list[Any]:
    keys: list[Any] = running.call("GET", "/api/keys", key=running.admin_key).json()["keys"]
    return [key for key in keys if key["enabled"]]


def test_a_gateway_that_needs_keys_gives_the_client_one_and_takes_it_back(
    setup: Setup, home: Path, keyed_gateway: RunningGateway
) -> None:
    first = setup("claude-code", on=keyed_gateway)
    settings = home / ".claude/settings.json"
    secret = json.loads(settings.read_text())["env"]["ANTHROPIC_AUTH_TOKEN"]
    made = [key for key in keys_of(keyed_gateway) if key["name"] == "claude-code"]
    again = setup("claude-code", "--transport", "http", on=keyed_gateway)
    server = json.loads((home / ".claude.json").read_text())["mcpServers"]["omniroute"]
    kept = len(keys_of(keyed_gateway))
    setup("claude-code", "--undo", on=keyed_gateway)
    last = setup("claude-code", "--undo", on=keyed_gateway)

    assert first.status == 0, first
    assert secret.startswith(f"sk-omni-{made[0]['key_id']}-")
    assert f"Key: {made[0]['key_id']}, made for it now" in first.out
    assert secret not in first.out + again.out + last.out
    assert "Key: the one that it has" in again.out
    assert server["headers"] == {"Authorization": f"Bearer {secret}"}
    assert kept == 2
    assert f"Revoked the key {made[0]['key_id']}" in last.out
    assert [key["name"] for key in keys_of(keyed_gateway)] == ["first"]
    assert not settings.exists()


def test_a_file_with_a_key_in_it_is_its_owners_alone(
    setup: Setup, home: Path, keyed_gateway: RunningGateway
) -> None:
    shared = home / ".cursor/mcp.json"
    shared.parent.mkdir()
    shared.write_text("{}\n")
    shared.chmod(0o644)

    cursor = setup("cursor", on=keyed_gateway)
    setup("windsurf", on=keyed_gateway)

    private = home / ".codeium/windsurf/mcp_config.json"
    kept = keyed_gateway.data_dir / "setup/windsurf"
    assert private.stat().st_mode & 0o777 == 0o600
    assert shared.stat().st_mode & 0o777 == 0o644
    assert f"Others on this machine may read {shared}" in cursor.err
    assert {path.stat().st_mode & 0o077 for path in kept.rglob("*")} == {0}
    setup("cursor", "--undo", on=keyed_gateway)
    setup("windsurf", "--undo", on=keyed_gateway)


def test_a_key_that_is_given_is_taken_and_tried(
    setup: Setup, home: Path, keyed_gateway: RunningGateway
) -> None:
    given = keyed_gateway.new_key("--name", "given")
    wrong = "sk-omni-aaaaaaaaaaaa-" + "x" * 43

    done = setup("cline", on=keyed_gateway, OMNIROUTE_API_KEY=given)
    refused = setup("cline", on=keyed_gateway, OMNIROUTE_API_KEY=wrong)

    assert done.status == 0, done
    assert "Key: the one of OMNIROUTE_API_KEY." in done.out
    assert refused.status == 1
    assert "v1/models FAILS" in refused.out
    assert "MCP on standard input and output FAILS" in refused.out


def test_what_a_project_shares_holds_no_secret(
    setup: Setup, home: Path, keyed_gateway: RunningGateway
) -> None:
    claude = setup("claude-code", "--project", on=keyed_gateway)
    vscode = setup("vscode", "--project", "--transport", "http", on=keyed_gateway)
    refused = setup("droid", "--project", "--transport", "http", on=keyed_gateway)

    project = home / "project"
    shared = json.loads((project / ".mcp.json").read_text())["mcpServers"]["omniroute"]
    asked = json.loads((project / ".vscode/mcp.json").read_text())
    private = (project / ".claude/settings.local.json").read_text()
    assert shared["command"] == "omniroute"
    assert shared["env"] == {"OMNIROUTE_API_KEY": "${OMNIROUTE_API_KEY}"}
    assert "sk-omni-" in private
    assert asked["servers"]["omniroute"]["headers"] == {
        "Authorization": "Bearer ${input:omniroute-key}"
    }
    assert asked["inputs"][0]["id"] == "omniroute-key"
    assert "none is written: set OMNIROUTE_API_KEY" in vscode.out
    assert (claude.status, vscode.status, refused.status) == (0, 0, 2), claude
    assert "no word for a variable" in refused.err
    assert setup("claude-code", "--undo", on=keyed_gateway).status == 1
    assert setup("claude-code", "--project", "--undo", on=keyed_gateway).status == 0
    assert not (project / ".mcp.json").exists()


def test_what_a_client_wrote_since_stays_when_a_set_up_is_undone(setup: Setup, home: Path) -> None:
    path = home / ".claude.json"
    path.write_text('{"numStartups": 1, "mcpServers": {"other": {"command": "x"}}}')
    setup("claude-code", "--only", "mcp")
    told = json.loads(path.read_text())
    told["numStartups"] = 2
    path.write_text(json.dumps(told))

    done = setup("claude-code", "--undo")

    assert done.status == 0
    assert json.loads(path.read_text()) == {
        "numStartups": 2,
        "mcpServers": {"other": {"command": "x"}},
    }


def test_what_somebody_changed_of_ours_since_is_left_and_told(setup: Setup, home: Path) -> None:
    path = home / ".claude/settings.json"
    path.parent.mkdir()
    path.write_text('{"env": {"ANTHROPIC_BASE_URL": "https://old.example"}}')
    setup("claude-code", "--only", "models")
    path.write_text(path.read_text().replace('"claude-auto"', '"auto"', 1))

    done = setup("claude-code", "--undo")

    assert "env.ANTHROPIC_DEFAULT_OPUS_MODEL was changed since, and stays" in done.err
    assert json.loads(path.read_text()) == {
        "env": {"ANTHROPIC_BASE_URL": "https://old.example", "ANTHROPIC_DEFAULT_OPUS_MODEL": "auto"}
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"mcpServers": {},}', "line 1, column 18 is no JSON"),
        ('{"mcpServers": []}', "mcpServers is no object"),
        ("\udcff", "no text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_edited_is_left_as_it_is(
    setup: Setup, home: Path, text: str, words: str
) -> None:
    path = home / ".cursor/mcp.json"
    path.parent.mkdir()
    path.write_bytes(text.encode(errors="surrogateescape"))

    done = setup("cursor")
    printed = setup("cursor", "--print")

    assert done.status == 1
    assert f"{path}" in done.err
    assert words in done.err
    assert path.read_bytes() == text.encode(errors="surrogateescape")
    assert printed.status == 0


def test_a_file_that_is_a_link_stays_one(setup: Setup, home: Path) -> None:
    real = home / "dotfiles/mcp.json"
    real.parent.mkdir()
    real.write_text("{}")
    (home / ".cursor").mkdir()
    (home / ".cursor/mcp.json").symlink_to(real)

    setup("cursor")

    assert (home / ".cursor/mcp.json").is_symlink()
    assert "omniroute" in real.read_text()


def test_the_older_place_of_a_file_is_kept_where_it_is_used(setup: Setup, home: Path) -> None:
    older = home / ".gemini/antigravity/mcp_config.json"
    older.parent.mkdir(parents=True)
    older.write_text("{}")

    setup("antigravity")

    assert "omniroute" in older.read_text()
    assert not (home / ".gemini/config").exists()


def test_a_clients_own_variable_moves_its_files(setup: Setup, home: Path) -> None:
    setup("claude-code", CLAUDE_CONFIG_DIR=str(home / "elsewhere"))

    assert (home / "elsewhere/settings.json").exists()
    assert (home / "elsewhere/.claude.json").exists()
    assert not (home / ".claude").exists()


def test_a_gateway_elsewhere_is_named_to_the_client_with_its_key(
    setup: Setup, home: Path, open_gateway: RunningGateway, keyed_gateway: RunningGateway
) -> None:
    key = keyed_gateway.new_key("--name", "far")

    keyless = setup("cursor", "--url", keyed_gateway.url)
    done = setup("cursor", "--url", f"{keyed_gateway.url}/v1", OMNIROUTE_API_KEY=key)

    env = json.loads((home / ".cursor/mcp.json").read_text())["mcpServers"]["omniroute"]["env"]
    assert (keyless.status, "set OMNIROUTE_API_KEY to a key of" in keyless.err) == (2, True)
    assert done.status == 0, done
    assert env == {"OMNIROUTE_API_KEY": key, "OMNIROUTE_BASE_URL": keyed_gateway.url}


def test_the_clients_are_listed_with_what_is_known_of_them(setup: Setup, home: Path) -> None:
    setup("cursor")

    shown = setup()
    told = json.loads(setup("--json").out)["clients"]

    assert [one["name"] for one in told] == [one.name for one in CLIENTS]
    assert [one["name"] for one in told if one["set_up"]] == ["cursor"]
    assert all(one.title in shown.out for one in CLIENTS)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("emacs",), "no client is called 'emacs'; known are claude-code"),
        (("cursor", "--transport", "sse"), "--transport 'sse' is neither stdio nor http"),
        (("cursor", "--only", "all"), "--only 'all' is neither mcp nor models"),
        (("cursor", "--url", "gateway.example"), "is no address such as"),
    ],
)
def test_a_wrong_word_is_named(setup: Setup, words: tuple[str, ...], complaint: str) -> None:
    done = setup(*words)

    assert (done.status, complaint in done.err) == (2, True), done


def test_what_a_client_cannot_do_is_said(setup: Setup) -> None:
    over_http = setup("claude-desktop", "--transport", "http")
    models = setup("cursor", "--only", "models")
    project = setup("windsurf", "--project")

    assert "reaches MCP servers only over stdio" in over_http.err
    assert "no file tells it of the model endpoint" in models.err
    assert "reads no mcp_config.json in a project" in project.err


def test_without_a_gateway_the_program_is_tried_and_starts_one(tmp_path: Path) -> None:
    environment = plain_environment(tmp_path, PORT=str(free_port()))

    over_http = run_command("setup", "cursor", "--transport", "http", environment=environment)
    over_stdio = run_command("setup", "cursor", environment=environment)
    running = json.loads((tmp_path / "data/runtime/gateway.json").read_text())
    os.kill(running["pid"], signal.SIGTERM)

    assert (over_http.returncode, over_stdio.returncode) == (0, 0), over_stdio.stderr
    assert "/mcp was not tried: no gateway runs" in over_http.stdout
    assert "MCP on standard input and output works" in over_stdio.stdout
    assert "A gateway was started to try it" in over_stdio.stdout
    server = json.loads((tmp_path / ".cursor/mcp.json").read_text())["mcpServers"]["omniroute"]
    assert server["args"] == ["--mcp", "--data-dir", str(tmp_path / "data")]
    assert Path(server["command"]).is_absolute()


def test_where_one_file_cannot_be_written_none_is_and_no_key_is_left(
    setup: Setup, home: Path, keyed_gateway: RunningGateway
) -> None:
    (home / ".claude.json").symlink_to("/proc/no-such-folder/claude.json")
    before = keys_of(keyed_gateway)

    done = setup("claude-code", on=keyed_gateway)

    assert done.status == 1
    assert "no-such-folder" in done.err
    assert not (home / ".claude/settings.json").exists()
    assert keys_of(keyed_gateway) == before
    assert "nothing is to be undone" in setup("claude-code", "--undo", on=keyed_gateway).err


def test_secrets_of_others_are_not_shown(setup: Setup, home: Path) -> None:
    path = home / ".cursor/mcp.json"
    path.parent.mkdir()
    other = {"env": {"GITHUB_TOKEN": "ghp_fake0123456789"}, "headers": {}}
    other["headers"] = {"Authorization": "Bearer fake-bearer-0123"}
    path.write_text(json.dumps({"mcpServers": {"other": other}}, indent=2))

    done = setup("cursor", "--dry-run")

    assert '+    "omniroute": {' in done.out
    assert "fake" not in done.out
    assert '"Authorization": "Bearer ..."' in done.out


def test_a_variable_of_the_shell_that_would_win_is_named(setup: Setup) -> None:
    done = setup("gemini-cli", GEMINI_API_KEY="fake-key-of-google")

    assert "GEMINI_API_KEY is set in this shell: unset it where Gemini CLI" in done.err
    assert "fake-key-of-google" not in done.out + done.err
