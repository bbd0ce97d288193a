"""No setting is without effect: each has a probe, which fails where nothing reads the setting.

A probe tells whether an effect shows in a gateway, in this process or in one of its own. Each
is run twice: with the setting, where the effect must show, and without its variable, as if
nothing read it, where it must not. The list of settings is that of the schema.
"""

import asyncio
import os
import pty
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from omniroute.server.cli.exits import UNAVAILABLE
from omniroute.server.compose import Composed, compose
from omniroute.server.listeners import MCP_PORT
from omniroute.server.memory import watch_of
from omniroute.server.settings import Settings, load_settings
from omniroute.server.settings_names import SETTINGS, setting
from omniroute.server.store.audit import Entry
from tests.processes import OMNIROUTE, free_port, plain_environment
from tests.store.outcomes import SNAPSHOT, answered
from tests.telemetry.collector import collecting
from tests.workers.clients import children

pytestmark = pytest.mark.anyio

BRIEF_S = 0.1
LONGER_S = 0.6
WAIT_S_MAX = 30.0
HOST = "http://127.0.0.1:20128"
KEY = "sk-fake-provider-key"
SECRET = "0123456789abcdef0123456789abcdef"
HELLO = [{"role": "user", "content": "hello there"}]
PORT = free_port()
VARIABLES = frozenset({"environment", "from_file"})
"""Fields of Settings that are no setting: all variables together."""

Environment = Mapping[str, str]


@dataclass(frozen=True)
class Probe:
    """What shows that a setting has an effect.

    `value` is what it is set to; {folder} stands for the test's own folder. `shows` says whether
    the effect is there in a gateway with these variables.
    """

    value: str
    shows: Callable[[Path, Environment], Awaitable[bool]]


@asynccontextmanager
async def composed(folder: Path, variables: Environment) -> AsyncIterator[Composed]:
    """Open a gateway in this process."""
    environment = {"HOME": str(folder), "OMNIROUTE_DATA_DIR": str(folder / "data"), **variables}
    settings, sources = load_settings({}, environment, folder)
    async with compose(settings, sources) as opened:
        yield opened


async def answer(
    folder: Path,
    variables: Environment,
    path: str,
    body: object = None,
    *,
    peer: str = "127.0.0.1",
    **headers: str,
) -> httpx.Response:
    """Send one request to a gateway in this process."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with composed(folder, variables) as opened:
        transport = httpx.ASGITransport(app=opened.app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            method = "GET" if body is None else "POST"
            return await client.request(method, path, json=body, headers=named)


async def chat(folder: Path, variables: Environment, model: str) -> httpx.Response:
    body = {"model": model, "messages": HELLO, "stream": True}
    return await answer(folder, variables, "/v1/chat/completions", body)


async def database_url(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables):
        return (folder / "elsewhere.sqlite").exists()


async def data_dir(folder: Path, variables: Environment) -> bool:
    settings, sources = load_settings({}, {"HOME": str(folder), **variables}, folder)
    async with compose(settings, sources):
        return (folder / "mine" / "storage.sqlite").exists()


async def public_url(folder: Path, variables: Environment) -> bool:
    card = await answer(folder, variables, "/.well-known/agent-card.json")
    return "https://gateway.example/a2a" in card.text


async def trusted_proxies(folder: Path, variables: Environment) -> bool:
    heard = await answer(
        folder, variables, "/v1/models", peer="10.1.2.3", x_forwarded_for="127.0.0.1"
    )
    return heard.status_code == 200


async def require_key(folder: Path, variables: Environment) -> bool:
    return (await answer(folder, variables, "/v1/models")).status_code == 401


async def allowed_hosts(folder: Path, variables: Environment) -> bool:
    heard = await answer(folder, variables, "/v1/models", host="gateway.example")
    return heard.status_code == 200


async def allowed_origins(folder: Path, variables: Environment) -> bool:
    page = "https://app.example"
    heard = await answer(folder, variables, "/v1/models", origin=page)
    allowed = heard.headers.get("access-control-allow-origin")
    return heard.status_code == 200 and allowed == page


async def body_bytes_max(folder: Path, variables: Environment) -> bool:
    body = {"model": "sim/fast", "messages": [{"role": "user", "content": "long " * 500}]}
    heard = await answer(folder, variables, "/v1/chat/completions", body)
    return heard.status_code == 413


async def connections_per_address_max(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables) as opened:
        refused = [opened.app.bounds.enter(("192.0.2.1", port)) for port in (1, 2)]
    return refused[0] is None and refused[1] is not None


async def memory_max(folder: Path, variables: Environment) -> bool:
    """So little may be held by two that this process is over its half."""
    async with composed(folder, {"OMNIROUTE_WORKERS": "2", **variables}) as opened:
        watch = watch_of(opened.parts)
        return watch is not None and watch.look()


async def first_byte_hold_s(folder: Path, variables: Environment) -> bool:
    heard = await chat(folder, variables, f"sim/fast@latency={LONGER_S}")
    return heard.text.startswith(":")


async def response_cache_s(folder: Path, variables: Environment) -> bool:
    heard = await chat(folder, variables, "sim/fast@latency=0")
    return "x-omniroute-cache" in heard.headers


async def first_byte_s(folder: Path, variables: Environment) -> bool:
    heard = await chat(folder, variables, f"sim/fast@latency={LONGER_S}")
    return heard.status_code == 504


async def idle_s(folder: Path, variables: Environment) -> bool:
    heard = await chat(folder, variables, f"sim/fast@fault=stall,after=1,seconds={LONGER_S}")
    return "error" in heard.text


async def total_s(folder: Path, variables: Environment) -> bool:
    heard = await chat(folder, variables, f"sim/fast@latency=0,pace={LONGER_S}")
    return "error" in heard.text


async def connect_s(folder: Path, variables: Environment) -> bool:
    """A provider that takes connections and never says hello."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/v1"
        provider = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url}
        began_s = time.monotonic()
        await chat(folder, {**provider, **variables}, "openai/gpt-4o")
    return time.monotonic() - began_s < 2.5


async def proxy(folder: Path, variables: Environment) -> bool:
    """A proxy that lets nobody through, and keeps what it is asked for."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n"))
        writer.write(b"HTTP/1.1 403 Forbidden\r\n\r\n")
        writer.close()

    asked: list[bytes] = []
    url = "https://provider.invalid/v1"
    provider = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": url, "OMNIROUTE_CONNECT_S": "1"}
    async with await asyncio.start_server(refuse, "127.0.0.1", PORT):
        await chat(folder, {**provider, **variables}, "openai/gpt-4o")
    return b"CONNECT provider.invalid:443 HTTP/1.1\r\n" in asked


async def storage_encryption_key(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables):
        return not (folder / "data" / "keyring.json").exists()


async def retention_days(folder: Path, variables: Environment) -> bool:
    five_days_ago = time.time() - 5 * 86_400
    async with composed(folder, variables) as opened:
        storage = opened.parts.storage
        storage.ledger.record(answered("r1", at_unix_s=five_days_ago), SNAPSHOT)
        await storage.ledger.flush()
        await storage.poll()
        return await storage.ledger.find("r1", key_id=None) is None


async def retention_requests(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables) as opened:
        storage = opened.parts.storage
        for name, age_s in (("r1", 20.0), ("r2", 10.0)):
            outcome = answered(name, at_unix_s=time.time() - age_s)
            storage.ledger.record(outcome, SNAPSHOT)
        await storage.ledger.flush()
        await storage.poll()
        kept = [await storage.ledger.find(name, key_id=None) for name in ("r1", "r2")]
        return kept[0] is None and kept[1] is not None


async def retention_bytes(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables) as opened:
        storage = opened.parts.storage
        for name, age_s in (("r1", 20.0), ("r2", 10.0)):
            outcome = answered(name, at_unix_s=time.time() - age_s, error_detail="x" * 600_000)
            storage.ledger.record(outcome, SNAPSHOT)
        await storage.ledger.flush()
        await storage.poll()
        kept = [await storage.ledger.find(name, key_id=None) for name in ("r1", "r2")]
        return kept[0] is None and kept[1] is not None


async def content_bytes(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables) as opened:
        return opened.parts.storage.retention.content_bytes_max is None


async def audit_retention_days(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables) as opened:
        storage = opened.parts.storage
        entry = Entry(time.time() - 5 * 86_400, "maria", "look", "t", "{}")
        await storage.database.write(lambda: storage.audit.append(entry))
        await storage.poll()
        return (await storage.audit.verify()).begins != ()


async def backup_days(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables) as opened:
        return not opened.parts.storage.backups.due(time.time())


async def backups_kept(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables) as opened:
        for _ in range(2):
            await opened.parts.storage.backups.make(reason="manual", actor="test")
        return len(await opened.parts.storage.backups.all()) == 1


async def a2a_private_webhooks(folder: Path, variables: Environment) -> bool:
    config = {"taskPushNotificationConfig": {"url": "http://127.0.0.1:9/hook"}}
    message = {"messageId": "m-1", "role": "ROLE_USER", "parts": [{"text": "hello"}]}
    params = {"message": message, "configuration": config}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": params}
    answered = await answer(folder, variables, "/a2a", body, a2a_version="1.0")
    return "result" in answered.json()


async def a2a_card_key(folder: Path, variables: Environment) -> bool:
    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "card.pem").write_bytes(pem)
    answered = await answer(folder, variables, "/.well-known/agent-card.json")
    return "signatures" in answered.json()


async def a2a_task_s(folder: Path, variables: Environment) -> bool:
    """A provider that takes longer than the task may."""
    slow = f"sim/fast@latency={LONGER_S}"
    params = {"skill": "smart-routing", "messages": HELLO, "metadata": {"model": slow}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
    return "and was ended" in (await answer(folder, variables, "/a2a", body)).text


async def a2a_retention_days(folder: Path, variables: Environment) -> bool:
    """A task that has ended, and a store that looks thirty hours later."""
    params = {"skill": "smart-routing", "messages": HELLO, "metadata": {"model": "sim/fast"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
    async with composed(folder, variables) as opened:
        transport = httpx.ASGITransport(app=opened.app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url=HOST) as client:
            assert "completed" in (await client.post("/a2a", json=body)).text
        tasks = opened.parts.storage.tasks
        return await tasks.prune(now_unix_s=time.time() + 1.25 * 86_400) == 0


async def mcp_audit_arguments(folder: Path, variables: Environment) -> bool:
    params = {"name": "omniroute_get_health", "arguments": {"verbose": 1}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    accept = "application/json, text/event-stream"
    headers = {"accept": accept, "mcp-protocol-version": "2025-11-25"}
    # Sessions are not kept with several workers, so a call needs none before it.
    async with (
        composed(folder, {**variables, "OMNIROUTE_WORKERS": "2"}) as opened,
        httpx.AsyncClient(transport=httpx.ASGITransport(app=opened.app), base_url=HOST) as client,
    ):
        await client.post("/mcp", json=body, headers=headers)
        (entry,) = (await client.get("/api/mcp/audit")).json()["entries"]
        return bool(entry["arguments"] == '{"verbose":1}')


@dataclass
class Process:
    """A gateway in a process of its own."""

    running: "subprocess.Popen[bytes]"
    log: Path

    async def ended(self, within_s: float) -> int | None:
        """Give the exit status, None when it still runs."""
        try:
            return await asyncio.to_thread(self.running.wait, within_s)
        except subprocess.TimeoutExpired:
            return None

    async def started(self) -> bool:
        """Wait until it says where it listens; False when it ended before."""
        ends = time.monotonic() + WAIT_S_MAX
        while time.monotonic() < ends and self.running.poll() is None:
            if "data folder" in self.text():
                return True
            await asyncio.sleep(0.02)
        return False

    def text(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def process(
    folder: Path, variables: Environment, *, terminal: int | None = None
) -> Iterator[Process]:
    """Run a gateway until the block ends. An empty variable is left out."""
    own = {"OMNIROUTE_HOST": "127.0.0.1", "OMNIROUTE_PORT": str(free_port())}
    environment = {**plain_environment(folder), **own, **variables}
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(
            [*OMNIROUTE, "serve"],
            env={name: value for name, value in environment.items() if value},
            stdin=subprocess.DEVNULL,
            stdout=log if terminal is None else terminal,
            stderr=log,
        )
        try:
            yield Process(running, folder / "log")
        finally:
            running.kill()
            running.wait()


def listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


async def host(folder: Path, variables: Environment) -> bool:
    port = free_port()
    with process(folder, {"OMNIROUTE_PORT": str(port), **variables}) as one:
        return await one.started() and listens("127.0.0.2", port)


async def port(folder: Path, variables: Environment) -> bool:
    """On an address of its own, so that the usual port is taken from nobody."""
    with process(folder, {"OMNIROUTE_HOST": "127.0.0.9", "OMNIROUTE_PORT": "", **variables}) as one:
        return await one.started() and listens("127.0.0.9", PORT)


async def dev(folder: Path, variables: Environment) -> bool:
    """Its port is taken, by this test or by whoever was quicker: so it cannot start."""
    with socket.socket() as taken:
        with suppress(OSError):
            taken.bind(("127.0.0.1", MCP_PORT))
            taken.listen()
        with process(folder, variables) as one:
            return not await one.started() and await one.ended(WAIT_S_MAX) == UNAVAILABLE


async def log_level(folder: Path, variables: Environment) -> bool:
    with process(folder, {"OMNIROUTE_EXIT_WHEN_IDLE_S": "0.1", **variables}) as one:
        assert await one.ended(WAIT_S_MAX) == 0
        return "idle_exit" not in one.text()


async def log_format(folder: Path, variables: Environment) -> bool:
    with process(folder, {"OMNIROUTE_EXIT_WHEN_IDLE_S": "0.1", **variables}) as one:
        assert await one.ended(WAIT_S_MAX) == 0
        return '"event": "idle_exit"' in one.text()


async def log_file(folder: Path, variables: Environment) -> bool:
    with process(folder, {"OMNIROUTE_EXIT_WHEN_IDLE_S": "0.1", **variables}) as one:
        assert await one.ended(WAIT_S_MAX) == 0
    file = folder / "gateway-own.log"
    return file.exists() and "idle_exit" in file.read_text()


async def log_file_bytes_max(folder: Path, variables: Environment) -> bool:
    file = folder / "gateway-own.log"
    file.write_text("x" * 1024)
    more = {"OMNIROUTE_LOG_FILE": str(file), "OMNIROUTE_EXIT_WHEN_IDLE_S": "0.1"}
    with process(folder, {**more, **variables}) as one:
        assert await one.ended(WAIT_S_MAX) == 0
    return file.with_name("gateway-own.log.1").exists()


async def access_log(folder: Path, variables: Environment) -> bool:
    port = free_port()
    with process(folder, {"OMNIROUTE_PORT": str(port), **variables}) as one:
        assert await one.started()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            assert (await client.get("/api/hello")).status_code == 200
        return "http_request" in one.text()


async def otel(folder: Path, variables: Environment) -> bool:
    with collecting() as collector:
        where = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        body = {"model": "sim/fast@latency=0", "messages": HELLO}
        await answer(folder, {**variables, **where}, "/v1/chat/completions", body)
    return bool(collector.spans)


async def exit_when_idle_s(folder: Path, variables: Environment) -> bool:
    with process(folder, variables) as one:
        assert await one.started()
        return await one.ended(4.0) == 0


async def workers(folder: Path, variables: Environment) -> bool:
    with process(folder, variables) as one:
        assert await one.started()
        return len(children(one.running.pid)) == 2


async def shutdown_s(folder: Path, variables: Environment) -> bool:
    """A request is under way that takes longer than the gateway may."""
    port = free_port()
    body = {"model": f"sim/fast@latency={WAIT_S_MAX}", "messages": HELLO}
    with process(folder, {"OMNIROUTE_PORT": str(port), **variables}) as one:
        assert await one.started()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            asking = asyncio.create_task(client.post("/v1/chat/completions", json=body, timeout=60))
            await asyncio.sleep(0.5)
            one.running.send_signal(signal.SIGTERM)
            ended = await one.ended(5.0)
            asking.cancel()
            await asyncio.wait((asking,))
        return ended == 0


async def open_browser(folder: Path, variables: Environment) -> bool:
    """The browser is a command that leaves a file; the gateway's output is a terminal."""
    opened = folder / "opened"
    browser = {"BROWSER": f"sh -c 'echo %s > {opened}'"}
    ours, theirs = pty.openpty()
    try:
        with process(folder, {**browser, **variables}, terminal=theirs) as one:
            seen = b""
            while b"data folder" not in seen:
                seen += await asyncio.to_thread(os.read, ours, 4096)
            ends = time.monotonic() + 3.0
            while time.monotonic() < ends and not opened.exists():
                await asyncio.sleep(0.02)
            assert one.running.poll() is None
    finally:
        os.close(ours)
        os.close(theirs)
    return not opened.exists()


async def dashboard_idle_s(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables) as opened:
        sessions = opened.parts.storage.sign_ins
        made = await sessions.begin("key", (), address="", agent="")
        await asyncio.sleep(LONGER_S)
        found = await sessions.find(made.text)
        return found is not None and not found.is_open


async def dashboard_days(folder: Path, variables: Environment) -> bool:
    async with composed(folder, variables) as opened:
        sessions = opened.parts.storage.sign_ins
        await sessions.begin("key", (), address="", agent="")
        [one] = await sessions.open()
        return one.ends_unix_s - one.made_unix_s < 4 * 86_400.0


async def dashboard_plain_cookie(folder: Path, variables: Environment) -> bool:
    where = {"OMNIROUTE_ALLOWED_HOSTS": "10.0.0.1", "OMNIROUTE_REQUIRE_KEY": "always"}
    form = await answer(folder, {**where, **variables}, "/dashboard/sign-in", host="10.0.0.1")
    return form.status_code == 200 and "Secure" not in form.headers["set-cookie"]


async def initial_password(folder: Path, variables: Environment) -> bool:
    return bool((await answer(folder, variables, "/api/dashboard/password")).json()["is_set"])


PROBES = {
    "host": Probe("127.0.0.2", host),
    "port": Probe(str(PORT), port),
    "workers": Probe("2", workers),
    "data_dir": Probe("{folder}/mine", data_dir),
    "database_url": Probe("sqlite:///{folder}/elsewhere.sqlite", database_url),
    "public_url": Probe("https://gateway.example", public_url),
    "proxy": Probe(f"http://127.0.0.1:{PORT}", proxy),
    "trusted_proxies": Probe("10.0.0.0/8", trusted_proxies),
    "require_key": Probe("always", require_key),
    "allowed_hosts": Probe("gateway.example", allowed_hosts),
    "allowed_origins": Probe("https://app.example", allowed_origins),
    "body_bytes_max": Probe("1024", body_bytes_max),
    "connections_per_address_max": Probe("1", connections_per_address_max),
    "memory_max": Probe("64MiB", memory_max),
    "first_byte_hold_s": Probe(str(BRIEF_S), first_byte_hold_s),
    "response_cache_s": Probe("60", response_cache_s),
    "connect_s": Probe(str(BRIEF_S), connect_s),
    "first_byte_s": Probe(str(BRIEF_S), first_byte_s),
    "idle_s": Probe(str(BRIEF_S), idle_s),
    "total_s": Probe(str(BRIEF_S), total_s),
    "shutdown_s": Probe("1", shutdown_s),
    "retention_days": Probe("1", retention_days),
    "retention_requests": Probe("1", retention_requests),
    "retention_bytes": Probe("1MiB", retention_bytes),
    "audit_retention_days": Probe("1", audit_retention_days),
    "content_bytes": Probe("never", content_bytes),
    "backup_days": Probe("never", backup_days),
    "backups_kept": Probe("1", backups_kept),
    "a2a_task_s": Probe(str(BRIEF_S), a2a_task_s),
    "a2a_retention_days": Probe("1.5", a2a_retention_days),
    "mcp_audit_arguments": Probe("on", mcp_audit_arguments),
    "a2a_private_webhooks": Probe("on", a2a_private_webhooks),
    "a2a_card_key": Probe("{folder}/card.pem", a2a_card_key),
    "exit_when_idle_s": Probe(str(BRIEF_S), exit_when_idle_s),
    "log_level": Probe("error", log_level),
    "log_format": Probe("json", log_format),
    "log_file": Probe("{folder}/gateway-own.log", log_file),
    "log_file_bytes_max": Probe("1KiB", log_file_bytes_max),
    "access_log": Probe("on", access_log),
    "otel": Probe("on", otel),
    "dashboard_idle_s": Probe(str(BRIEF_S), dashboard_idle_s),
    "dashboard_days": Probe("3", dashboard_days),
    "dashboard_plain_cookie": Probe("on", dashboard_plain_cookie),
    "initial_password": Probe("seven fake horses 42", initial_password),
    "dev": Probe("on", dev),
    "open_browser": Probe("off", open_browser),
    "storage_encryption_key": Probe(SECRET, storage_encryption_key),
}
SCHEMA = [one.name for one in fields(Settings) if one.name not in VARIABLES]


def test_every_field_is_a_setting_with_a_variable() -> None:
    assert sorted(SCHEMA) == sorted(one.name for one in SETTINGS)


@pytest.mark.parametrize("name", SCHEMA)
async def test_a_setting_has_its_effect(name: str, tmp_path: Path) -> None:
    probe = PROBES[name]
    variable = setting(name).variables[0].name

    shows = await probe.shows(tmp_path, {variable: probe.value.format(folder=tmp_path)})

    assert shows


@pytest.mark.parametrize("name", SCHEMA)
async def test_a_settings_probe_fails_where_nothing_reads_it(name: str, tmp_path: Path) -> None:
    shows = await PROBES[name].shows(tmp_path, {})

    assert not shows


async def test_provider_keys_are_found_among_the_variables(tmp_path: Path) -> None:
    heard = await answer(tmp_path, {"OPENAI_API_KEY": KEY}, "/v1/models")

    assert "openai/gpt-4o" in heard.text


async def test_a_key_is_not_sent_to_an_address_that_only_the_env_file_names(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_BASE_URL=https://stranger.example/v1\n")

    heard = await answer(tmp_path, {"OPENAI_API_KEY": KEY}, "/api/providers")

    assert "stranger.example" not in heard.text
