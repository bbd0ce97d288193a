"""Five thousand secrets in one gateway at debug level, and none of them left anywhere."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.processes import RunningGateway, gateway
from tests.telemetry.collector import collecting

from . import flood, secrets
from .flood import Job, Said, at_once, chat
from .secrets import canary, found_in

SECRETS_MIN = 5_000
LEFT = (".sqlite", ".sqlite-wal", ".log")
TOLD = (
    *("/metrics", "/api/status", "/api/doctor", "/api/providers", "/api/keys", "/api/budgets"),
    *(
        "/api/usage/analytics",
        "/api/requests?limit=200",
        "/api/mcp/audit?limit=500",
        "/api/audit/log",
    ),
    *("/api/a2a/tasks?limit=200", "/api/combos", "/openapi.json", "/", "/ready", "/v1/models"),
    "/.well-known/agent-card.json",
)
"""What the gateway tells an administrator of itself."""
COMMANDS = (
    *(("status",), ("doctor", "--json"), ("system-info",), ("keys", "list", "--json")),
    *(("providers", "list", "--json"), ("usage",)),
)


@contextmanager
def unkind_provider() -> Iterator[int]:
    """Run a provider that repeats keys, in a thread; gives its port."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(flood.unkind, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.close()


def accounts(running: RunningGateway, port: int, key: str) -> Iterator[Job]:
    """Add accounts with secrets, and give requests to each of them."""
    for number in range(flood.ACCOUNTS):
        wish = {
            "provider": f"shop{number}",
            "dialect": "openai_chat",
            "base_url": f"http://127.0.0.1:{port}/v1",
            "key": f"sk-{canary('provider key')}",
            "headers": {"x-extra": canary("provider header")},
            "models": ["m"],
        }
        added = running.call("POST", "/api/providers", wish, key=key)
        assert added.status == 201
        yield Job("POST", "/v1/chat/completions", chat("x", f"shop{number}/m"), _with(key))
        yield Job("POST", f"/api/providers/shop{number}/test?model=m", None, _with(key), True)


def _with(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def flooded(running: RunningGateway, port: int, said: Said) -> None:
    """Give a gateway secrets everywhere, then ask it for everything that it tells of itself."""
    admin = running.new_key("--scope", "full", "--scope", "admin")
    quiet = running.new_key("--scope", "agent", "--no-log")
    at_once(running.port, accounts(running, port, admin), said)
    at_once(running.port, flood.prompts(quiet, flood.NO_LOG), said)
    at_once(running.port, flood.wrong_keys(flood.WRONG_KEYS), said)
    at_once(running.port, flood.headers(admin, flood.HEADERS), said)
    at_once(running.port, flood.bad_bodies(admin, flood.BAD_BODIES), said)
    kept = [
        Job("POST", "/v1/chat/completions", chat(canary("prompt")), _with(admin))
        for _ in range(flood.PROMPTS)
    ]
    at_once(running.port, iter(kept), said)
    # What its key wishes to have kept is kept sealed: nothing of it is to be read anywhere.
    logging = running.new_key("--scope", "agent", "--log-content")
    at_once(running.port, flood.logged(logging, flood.LOGGED), said)
    told = [running.call("GET", path, key=admin) for path in TOLD]
    for path, answer in zip(TOLD, told, strict=True):
        said.take(path, dict(answer.headers), answer.body)
    for words in COMMANDS:
        printed = running.command(*words)
        said.take(" ".join(words), {}, (printed.stdout + printed.stderr).encode())
    assert {
        path: one.status for path, one in zip(TOLD, told, strict=True) if one.status >= 400
    } == {}


def test_of_five_thousand_secrets_none_is_in_log_database_metrics_or_errors(
    tmp_path: Path,
) -> None:
    issued = sum(secrets.issued.values())
    environment = {
        "OMNIROUTE_LOG_LEVEL": "debug",
        "OMNIROUTE_LOG_FORMAT": "json",
        "OMNIROUTE_ACCESS_LOG": "on",
        "OMNIROUTE_MCP_AUDIT_ARGUMENTS": "on",
        "GROQ_API_KEY": f"gsk_{canary('provider key of the environment')}",
        "ANTHROPIC_API_KEY": f"sk-ant-{canary('provider key of the environment')}",
    }
    said = Said()
    with collecting() as collector, unkind_provider() as port:
        where = {"OMNIROUTE_OTEL": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        with gateway(tmp_path, **environment, **where) as running:
            flooded(running, port, said)
    left = [one for one in tmp_path.rglob("*") if one.name.endswith(LEFT)]

    assert sum(secrets.issued.values()) - issued >= SECRETS_MIN
    assert said.answers > 3_000
    assert len(collector.spans) > 1_000
    assert [found for _, body in collector.bodies if (found := found_in(body))] == []
    assert said.leaks[:10] == []
    assert {one.name for one in left} >= {"storage.sqlite", "gateway.log"}
    assert [(one.name, found) for one in left if (found := found_in(one.read_bytes()))] == []
