"""The whole product in processes of its own: what a user sees, through every door."""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI

from omniroute.routing.errors import RoutingError
from omniroute.server.simulator.simulator import Simulator
from tests import processes
from tests.processes import RunningGateway, run_command
from tests.replay import audited
from tests.upstream.proxies import proxying

pytestmark = pytest.mark.anyio

CLIENTS = 1000
HELLO = [{"role": "user", "content": "hello there"}]
CHAT = {"model": "sim/fast", "messages": HELLO}
WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather somewhere.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}


@pytest.fixture
async def simulator(anyio_backend: str) -> AsyncIterator[Simulator]:
    """A provider as a real HTTP server, in the test's own loop."""
    async with Simulator() as running:
        yield running


def sdk(gateway: RunningGateway) -> Any:
    """Give the vendor's client. Its overloads are its own: what comes back is what is tested."""
    return AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key="sk-fake-ignored")


async def test_an_openai_sdk_chats_through_the_gateway_with_a_real_provider(
    simulator: Simulator, tmp_path: Path
) -> None:
    started = processes.gateway(
        tmp_path, OPENAI_API_KEY="sk-fake-openai", OPENAI_BASE_URL=f"{simulator.url}/v1"
    )
    gateway = await asyncio.to_thread(started.__enter__)
    try:
        client = sdk(gateway)

        whole = await client.chat.completions.create(model="gpt-4o", messages=HELLO)
        stream = await client.chat.completions.create(
            model="gpt-4o", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        called = await client.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": "use the weather tool"}],
            tools=[WEATHER],
        )
        models = [model.id async for model in client.models.list()]
        await client.close()
    finally:
        await asyncio.to_thread(started.__exit__, None, None, None)

    assert "hello there" in whole.choices[0].message.content
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "hello there" in text
    assert chunks[-1].usage.completion_tokens > 0
    (call,) = called.choices[0].message.tool_calls
    assert call.function.name == "weather"
    assert "city" in json.loads(call.function.arguments)
    assert called.choices[0].finish_reason == "tool_calls"
    assert "openai/gpt-4o" in models


async def test_an_anthropic_provider_answers_an_openai_client_with_a_tool_call(
    simulator: Simulator, tmp_path: Path
) -> None:
    started = processes.gateway(
        tmp_path, ANTHROPIC_API_KEY="sk-fake-anthropic", ANTHROPIC_BASE_URL=simulator.url
    )
    gateway = await asyncio.to_thread(started.__enter__)
    try:
        client = sdk(gateway)
        model = "anthropic/claude-sonnet-4-5"

        whole = await client.chat.completions.create(model=model, messages=HELLO)
        stream = await client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "use the weather tool"}],
            tools=[WEATHER],
            stream=True,
        )
        chunks = [chunk async for chunk in stream]
        await client.close()
    finally:
        await asyncio.to_thread(started.__exit__, None, None, None)

    assert "hello there" in whole.choices[0].message.content
    assert whole.usage.prompt_tokens > 0
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    calls = [call for delta in deltas for call in delta.tool_calls or ()]
    assert calls[0].function.name == "weather"
    arguments = "".join(call.function.arguments or "" for call in calls)
    assert "city" in json.loads(arguments)
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


async def test_an_account_with_a_proxy_answers_through_it(
    simulator: Simulator, tmp_path: Path
) -> None:
    async with proxying("http", password=True) as proxy:
        started = processes.gateway(tmp_path, TEAM_PROXY=proxy.url_with_password)
        gateway = await asyncio.to_thread(started.__enter__)
        try:
            words = ("--base-url", f"{simulator.url}/v1", "--dialect", "openai_chat", "--no-key")
            added = await asyncio.to_thread(
                gateway.command, "providers", "add", "box", *words, "--proxy-from", "TEAM_PROXY"
            )
            chat = {"model": "box/fast", "messages": HELLO}
            answer = await asyncio.to_thread(gateway.call, "POST", "/v1/chat/completions", chat)
        finally:
            await asyncio.to_thread(started.__exit__, None, None, None)

    assert added.returncode == 0, added.stderr
    assert "hello there" in answer.json()["choices"][0]["message"]["content"]
    assert proxy.targets == [("127.0.0.1", simulator.port)]


async def test_when_a_provider_dies_the_next_answers_and_explain_tells_why(
    simulator: Simulator, tmp_path: Path
) -> None:
    dead = processes.free_port()
    started = processes.gateway(
        tmp_path,
        OPENAI_API_KEY="sk-fake-openai",
        OPENAI_BASE_URL=f"http://127.0.0.1:{dead}/v1",
        GROQ_API_KEY="sk-fake-groq",
        GROQ_BASE_URL=f"{simulator.url}/v1",
    )
    gateway = await asyncio.to_thread(started.__enter__)
    try:
        made = await asyncio.to_thread(
            gateway.command,
            *("combos", "add", "everyday", "openai/gpt-4o", "groq/llama-3.3-70b-versatile"),
        )
        answer = await asyncio.to_thread(
            gateway.call, "POST", "/v1/chat/completions", {"model": "everyday", "messages": HELLO}
        )
        request_id = answer.headers["x-request-id"]
        told = await asyncio.to_thread(gateway.command, "explain", request_id)
        told_json = await asyncio.to_thread(gateway.command, "explain", request_id, "--json")
    finally:
        await asyncio.to_thread(started.__exit__, None, None, None)

    assert made.returncode == 0, made.stderr
    assert answer.status == 200, answer.body
    assert answer.headers["x-omniroute-provider"] == "groq"
    assert answer.headers["x-omniroute-attempts"] == "2"
    assert told.returncode == 0, told.stderr
    assert "openai/gpt-4o" in told.stdout
    assert "groq/llama-3.3-70b-versatile" in told.stdout
    assert "connect" in told.stdout
    story = json.loads(told_json.stdout)
    assert [one["reason"] for one in story["candidates"]] == ["ok", "ok"]
    assert [one["failure"] for one in story["attempts"]] == ["connect", None]


def test_a_fresh_machine_answers_from_the_simulator_and_says_so(
    shared_gateway: RunningGateway,
) -> None:
    log = (shared_gateway.home / "gateway.log").read_text()

    answer = shared_gateway.call("POST", "/v1/chat/completions", CHAT)

    assert "no provider key found: answers come from the simulator" in log
    assert f"{shared_gateway.url}/v1" in log
    assert "[simulated by sim/fast]" in answer.json()["choices"][0]["message"]["content"]


def test_a_key_ends_the_keyless_mode_and_another_keys_request_is_not_found(
    running_gateway: RunningGateway,
) -> None:
    mine = running_gateway.new_key("--name", "mine", "--scope", "full")
    other = running_gateway.new_key("--name", "other", "--scope", "full")
    reader = running_gateway.new_key("--name", "reader", "--scope", "readonly")

    none = running_gateway.call("POST", "/v1/chat/completions", CHAT)
    forbidden = running_gateway.call("POST", "/v1/chat/completions", CHAT, key=reader)
    answered = running_gateway.call("POST", "/v1/chat/completions", CHAT, key=mine)
    path = f"/api/explain/{answered.headers['x-request-id']}"
    own = running_gateway.call("GET", path, key=mine)
    foreign_one = running_gateway.call("GET", path, key=other)
    missing = running_gateway.call("GET", "/api/explain/req_none", key=other)

    assert (none.status, forbidden.status, answered.status) == (401, 403, 200)
    assert own.status == 200
    assert (foreign_one.status, missing.status) == (404, 404)
    named = foreign_one.json()["error"]["message"].replace(path.rpartition("/")[2], "req_none")
    assert named == missing.json()["error"]["message"]


def test_the_resilience_profile_is_set_and_times_are_read_with_their_scopes(
    running_gateway: RunningGateway,
) -> None:
    reader = running_gateway.new_key("--name", "reader", "--scope", "readonly")
    full = running_gateway.new_key("--name", "full", "--scope", "full")
    wish = {"profile": "aggressive"}

    running_gateway.call("POST", "/v1/chat/completions", CHAT, key=full)
    forbidden = running_gateway.call("PUT", "/api/resilience", wish, key=reader)
    changed = running_gateway.call("PUT", "/api/resilience", wish, key=full)
    shown = running_gateway.call("GET", "/api/resilience", key=reader)
    timings = running_gateway.call("GET", "/api/timings", key=reader)

    assert (forbidden.status, changed.status) == (403, 200)
    assert shown.json()["profile"] == "aggressive"
    assert [one["name"] for one in shown.json()["profiles"]] == [
        *("conservative", "balanced", "aggressive"),
    ]
    (row,) = timings.json()["timings"]
    assert (row["provider"], row["swapped"]) == ("sim", 0)
    assert row["total_p99_ms"] >= row["total_p50_ms"] >= row["first_byte_p50_ms"]


def test_a_request_with_a_foreign_host_or_origin_is_refused_on_every_route(
    shared_gateway: RunningGateway,
) -> None:
    for method, path in (
        ("GET", "/"),
        ("GET", "/health"),
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/mcp"),
        ("POST", "/a2a"),
        ("GET", "/api/status"),
        ("GET", "/.well-known/agent-card.json"),
    ):
        body: dict[str, str] | None = {} if method == "POST" else None
        host = shared_gateway.call(method, path, body, headers={"host": "evil.example"})
        origin = shared_gateway.call(method, path, body, headers={"origin": "https://evil.example"})
        assert (host.status, origin.status) == (421, 403), path


def test_two_hosts_no_host_and_two_lengths_are_refused(shared_gateway: RunningGateway) -> None:
    for head in (
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: 127.0.0.1\r\n\r\n",
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n"
        b"transfer-encoding: chunked\r\n\r\n{}",
    ):
        with socket.create_connection(("127.0.0.1", shared_gateway.port), timeout=10) as raw:
            raw.sendall(head)
            assert raw.recv(1000).startswith(b"HTTP/1.1 400 "), head


async def test_a_thousand_clients_that_leave_before_the_first_byte_free_the_upstream(
    tmp_path: Path,
) -> None:
    waiting: dict[bytes, asyncio.Future[asyncio.Future[int]]] = {}

    async def provider(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = b""
        while b"mark-" not in data or not data.rstrip().endswith(b"}"):
            data += await reader.read(65536)
        gone: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiting[data.partition(b"mark-")[2][:6]].set_result(gone)
        try:
            gone.set_result(len(await reader.read()))
        except ConnectionError:
            gone.set_result(0)
        writer.close()

    server = await asyncio.start_server(provider, "127.0.0.1", 0, backlog=1024)
    upstream = server.sockets[0].getsockname()[1]
    started = processes.gateway(
        tmp_path, OPENAI_API_KEY="sk-fake", OPENAI_BASE_URL=f"http://127.0.0.1:{upstream}/v1"
    )
    gateway = await asyncio.to_thread(started.__enter__)
    room = asyncio.Semaphore(50)

    async def leave(number: int) -> float:
        mark = b"%06d" % number
        waiting[mark] = asyncio.get_running_loop().create_future()
        body = json.dumps(
            {
                "model": "gpt-4o",
                "stream": number % 2 == 0,
                "messages": [{"role": "user", "content": f"mark-{mark.decode()}"}],
            }
        ).encode()
        async with room:
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
            async with asyncio.timeout(30):
                gone = await waiting[mark]
                left_s = time.monotonic()
                writer.transport.abort()
                await gone
                return time.monotonic() - left_s

    try:
        async with server:
            times_s = sorted(await asyncio.gather(*(leave(one) for one in range(CLIENTS))))
        seen = await asyncio.to_thread(gateway.call, "GET", "/api/requests?limit=1")
    finally:
        await asyncio.to_thread(started.__exit__, None, None, None)

    assert len(times_s) == CLIENTS
    assert times_s[int(CLIENTS * 0.99)] < 0.2
    assert seen.json()["requests"][0]["status"] == "client_gone"


def test_a_port_in_use_ends_the_start_with_one_clear_message(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        done = run_command(
            "serve", "--port", str(port), environment=processes.plain_environment(tmp_path)
        )

    assert done.returncode == 69
    assert f"127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_data_folder_that_is_a_file_ends_the_start_with_one_clear_message(
    tmp_path: Path,
) -> None:
    environment = processes.plain_environment(tmp_path)
    (tmp_path / "data").write_text("not a folder")

    done = run_command(
        "serve", "--port", str(processes.free_port()), "--no-open", environment=environment
    )

    assert done.returncode == 78
    assert str(tmp_path / "data") in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "data").read_text() == "not a folder"


def test_two_gateways_may_share_a_data_folder_and_see_each_others_changes(
    tmp_path: Path,
) -> None:
    with processes.gateway(tmp_path) as first, processes.gateway(tmp_path) as second:
        key = first.new_key("--name", "shared", "--scope", "full")
        ends = time.monotonic() + 2

        while second.call("POST", "/v1/chat/completions", CHAT).status != 401:
            assert time.monotonic() < ends, "the second gateway did not see the key in 2 s"
            time.sleep(0.05)

        assert second.call("POST", "/v1/chat/completions", CHAT, key=key).status == 200


def test_a_key_that_is_revoked_is_refused_on_a_connection_that_used_it(
    running_gateway: RunningGateway,
) -> None:
    key = running_gateway.new_key("--name", "mine", "--scope", "full")
    # Without any key none would be needed.
    running_gateway.new_key("--name", "other", "--scope", "full")
    connection = http.client.HTTPConnection("127.0.0.1", running_gateway.port, timeout=10)

    def ask() -> int:
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(CHAT), headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status

    before = [ask() for _ in range(4)]
    revoked = running_gateway.call(
        "DELETE", f"/api/keys/{key[8:20]}", key=running_gateway.admin_key
    )
    after = [ask() for _ in range(2)]
    connection.close()

    assert before == [200] * 4
    assert revoked.status in (200, 204)
    assert after == [401, 401]


def test_another_address_than_loopback_makes_a_key_prints_it_once_and_needs_it(
    tmp_path: Path,
) -> None:
    with processes.gateway(tmp_path, "--host", "0.0.0.0") as gateway:
        log = (tmp_path / "gateway.log").read_text()
        key = next(word for word in log.split() if word.startswith("sk-omni-"))

        without = gateway.call("POST", "/v1/chat/completions", CHAT)
        with_key = gateway.call("POST", "/v1/chat/completions", CHAT, key=key)

    assert (without.status, with_key.status) == (401, 200)
    assert key.encode() not in (tmp_path / "data" / "storage.sqlite").read_bytes()


def test_a_start_is_quick_enough(tmp_path: Path) -> None:
    environment = processes.plain_environment(tmp_path)
    helped = time.monotonic()
    assert run_command("--help", environment=environment).returncode == 0
    helped = time.monotonic() - helped
    began = time.monotonic()
    with processes.gateway(tmp_path) as gateway:
        assert gateway.call("POST", "/v1/chat/completions", CHAT).status == 200
        took_s = time.monotonic() - began

    # True figures come from `make bench`; these are the doubled bounds of a busy machine.
    assert helped < 0.6
    assert took_s < 3.0


def test_every_error_has_a_status_and_a_code() -> None:
    kinds: list[type[RoutingError]] = [RoutingError, *RoutingError.__subclasses__()]

    assert all(400 <= kind.status <= 599 and kind.code for kind in kinds)


def test_a_repeated_request_gets_its_first_answer(running_gateway: RunningGateway) -> None:
    once = {"idempotency-key": "question-1"}

    first = running_gateway.call("POST", "/v1/chat/completions", CHAT, headers=once)
    again = running_gateway.call("POST", "/v1/chat/completions", CHAT, headers=once)

    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-request-id"] == first.headers["x-request-id"]


def test_stored_decisions_replay_in_a_second_process_as_they_were_simulated(
    tmp_path: Path,
) -> None:
    assert audited(tmp_path, 2_000) == {"decisions": 2_000, "equal": 2_000, "different": 0}
