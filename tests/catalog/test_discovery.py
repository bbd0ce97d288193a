"""What is found without configuration: keys in the environment and servers on this machine.

The servers are real ones on loopback; every wait has a limit.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator

import pytest

from omniroute.routing.catalog.providers import ALL_PROVIDERS, PROVIDERS, Provider
from omniroute.server.discovery import (
    PROBE_BYTES_MAX,
    PROBE_MODELS_MAX,
    PROBE_S,
    LocalTarget,
    Note,
    accounts_from_environment,
    local_targets,
    probe_local,
)

KEY = "sk-fake-0123456789"
OWN_KEY = "sk-omni-fake0123456789"
OWN = ("http://0.0.0.0:20128", "https://gateway.example.com")
SLACK_S = 1.0

Accounts = dict[str, tuple[str, str | None]]


def found(environ: dict[str, str]) -> tuple[Accounts, tuple[Note, ...]]:
    """Base URL and key by provider, and the notes."""
    accounts, notes = accounts_from_environment(environ, own_urls=OWN)
    assert all(one.source == "environment" for one in accounts)
    return {one.provider: (one.base_url, one.credential) for one in accounts}, notes


def test_an_empty_environment_gives_nothing() -> None:
    assert found({}) == ({}, ())


@pytest.mark.parametrize(
    ("variable", "row"),
    [
        (variable, row)
        for row in ALL_PROVIDERS
        for variable in row.key_variables
        if not row.broad_key and not row.blanks
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_every_key_variable_gives_its_providers_account(variable: str, row: Provider) -> None:
    accounts, notes = found({variable: KEY})

    assert accounts == {row.name: (row.base_url, KEY)}
    assert notes == ()


@pytest.mark.parametrize(
    ("variable", "row"),
    [(variable, row) for row in PROVIDERS if row.broad_key for variable in row.key_variables],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_key_that_opens_more_than_models_is_not_used_unasked(
    variable: str, row: Provider
) -> None:
    accounts, notes = found({variable: KEY})

    assert accounts == {}
    assert [note.variable for note in notes] == [variable]
    assert f"`omniroute providers add {row.name} --key-from {variable}`" in notes[0].message


def test_a_customers_own_part_of_an_address_is_taken_from_its_variable() -> None:
    accounts, notes = found({"SNOWFLAKE_CORTEX_PAT": KEY, "SNOWFLAKE_ACCOUNT": "acme-eu1"})

    url = "https://acme-eu1.snowflakecomputing.com/api/v2/cortex/v1"
    assert accounts == {"snowflake": (url, KEY)}
    assert notes == ()


@pytest.mark.parametrize("value", ["", "evil.example/", "a b", "x@y", "a#b", "a?b", "..\\"])
def test_a_part_of_an_address_cannot_be_more_than_that(value: str) -> None:
    accounts, notes = found({"SNOWFLAKE_CORTEX_PAT": KEY, "SNOWFLAKE_ACCOUNT": value})

    assert accounts == {}
    assert notes == (Note("SNOWFLAKE_CORTEX_PAT", "not used: SNOWFLAKE_ACCOUNT is needed with it"),)


def test_an_env_file_does_not_say_which_customer_gets_the_users_key() -> None:
    accounts, notes = accounts_from_environment(
        {"SNOWFLAKE_CORTEX_PAT": KEY, "SNOWFLAKE_ACCOUNT": "stranger"},
        from_file={"SNOWFLAKE_ACCOUNT"},
    )

    assert accounts == ()
    assert [note.variable for note in notes] == ["SNOWFLAKE_ACCOUNT"]


def test_accounts_have_the_same_ids_at_every_start() -> None:
    accounts, _ = accounts_from_environment({"OPENAI_API_KEY": KEY, "GROQ_API_KEY": KEY})

    assert [one.account_id for one in accounts] == ["environment:openai", "environment:groq"]


def test_of_several_variables_the_first_usable_one_counts() -> None:
    accounts, notes = found(
        {"GEMINI_API_KEY": OWN_KEY, "GOOGLE_API_KEY": KEY, "GOOGLE_GENERATIVE_AI_API_KEY": "x" * 9}
    )

    assert accounts["gemini"][1] == KEY
    assert [note.variable for note in notes] == ["GEMINI_API_KEY"]


def test_a_key_of_our_own_is_ignored_and_noted() -> None:
    accounts, notes = found({"OPENAI_API_KEY": OWN_KEY})

    assert accounts == {}
    assert [note.variable for note in notes] == ["OPENAI_API_KEY"]
    assert "key of this gateway" in notes[0].message


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:20128",
        "http://localhost:20128/v1",
        "http://[::1]:20128/v1",
        "https://gateway.example.com/v1",
    ],
)
def test_an_address_of_our_own_is_ignored_and_the_providers_is_used(url: str) -> None:
    accounts, notes = found({"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": url})

    assert accounts == {"anthropic": ("https://api.anthropic.com/v1", KEY)}
    assert [note.variable for note in notes] == ["ANTHROPIC_BASE_URL"]
    assert "is this gateway" in notes[0].message


def test_a_machine_set_up_for_our_clients_finds_no_provider_at_all() -> None:
    accounts, notes = found(
        {
            "OPENAI_BASE_URL": "http://127.0.0.1:20128/v1",
            "OPENAI_API_KEY": "dummy",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:20128",
            "ANTHROPIC_API_KEY": OWN_KEY,
        }
    )

    assert accounts == {}
    assert sorted(note.variable for note in notes) == [
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
    ]


@pytest.mark.parametrize(
    ("environ", "provider", "base_url"),
    [
        ({"OPENAI_BASE_URL": "https://p.example/v1"}, "openai", "https://p.example/v1"),
        ({"OPENAI_BASE_URL": "https://p.example/llm/"}, "openai", "https://p.example/llm"),
        ({"OPENAI_API_BASE": "https://p.example/v1"}, "openai", "https://p.example/v1"),
        ({"ANTHROPIC_BASE_URL": "https://p.example"}, "anthropic", "https://p.example/v1"),
        ({"ANTHROPIC_BASE_URL": "https://p.example/a/v1"}, "anthropic", "https://p.example/a/v1"),
        ({"GOOGLE_GEMINI_BASE_URL": "https://p.example"}, "gemini", "https://p.example/v1beta"),
        ({"GROQ_BASE_URL": "https://p.example"}, "groq", "https://p.example/openai/v1"),
    ],
)
def test_a_base_url_is_completed_as_the_vendors_own_sdk_does(
    environ: dict[str, str], provider: str, base_url: str
) -> None:
    keys = {"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY, "GEMINI_API_KEY": KEY}

    accounts, notes = found({**keys, "GROQ_API_KEY": KEY, **environ})

    assert accounts[provider] == (base_url, KEY)
    assert notes == ()


def test_another_server_may_take_a_key_that_is_none() -> None:
    accounts, notes = found(
        {"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1", "OPENAI_API_KEY": "EMPTY"}
    )

    assert accounts == {"openai": ("http://127.0.0.1:8000/v1", "EMPTY")}
    assert notes == ()


def test_a_base_url_without_a_key_is_noted() -> None:
    accounts, notes = found({"OPENAI_BASE_URL": "https://p.example/v1"})

    assert accounts == {}
    assert notes == (Note("OPENAI_BASE_URL", "not used: no key of OpenAI goes with it"),)


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"OPENAI_API_KEY": "two words are no key"}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": "line\nbreak\nin a key"}, "OPENAI_API_KEY"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "nonsense"}, "OPENAI_BASE_URL"),
        ({"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": "https://u:pw@x.example"}, "OPENAI_BASE_URL"),
        ({"OLLAMA_HOST": "http://[nonsense"}, "OLLAMA_HOST"),
        ({"OLLAMA_HOST": "https://gateway.example.com"}, "OLLAMA_HOST"),
    ],
)
def test_a_value_that_cannot_be_used_is_noted_and_not_shown(
    environ: dict[str, str], variable: str
) -> None:
    _, notes = found(environ)

    assert [note.variable for note in notes] == [variable]
    assert "words" not in notes[0].message
    assert "pw" not in notes[0].message


@pytest.mark.parametrize(
    ("value", "base_url"),
    [
        ("box.example", "http://box.example:11434/v1"),
        ("box.example:5000", "http://box.example:5000/v1"),
        ("https://box.example/ollama/", "https://box.example/ollama/v1"),
        ("http://box.example", "http://box.example/v1"),
    ],
)
def test_an_ollama_on_another_machine_is_an_account(value: str, base_url: str) -> None:
    accounts, notes = accounts_from_environment({"OLLAMA_HOST": value}, own_urls=OWN)

    assert [(one.provider, one.base_url) for one in accounts] == [("ollama-local", base_url)]
    assert accounts[0].local
    assert notes == ()


@pytest.mark.parametrize(
    ("value", "port"),
    [
        ("", 11434),
        ("0.0.0.0", 11434),
        ("0.0.0.0:5678", 5678),
        (":5678", 5678),
        ("127.0.0.1:5678", 5678),
        ("localhost:5678", 5678),
        ("http://localhost:5678/", 5678),
        ("[::]:5678", 5678),
        ("box.example:5678", 11434),
    ],
)
def test_an_ollama_on_this_machine_is_looked_for_at_its_port(value: str, port: int) -> None:
    targets = local_targets({"OLLAMA_HOST": value})

    assert next(one.port for one in targets if one.provider == "ollama-local") == port
    assert accounts_from_environment({"OLLAMA_HOST": value})[0] == () or "box" in value


def test_each_port_is_asked_once_and_our_own_never() -> None:
    ports = [one.port for one in local_targets({})]
    without = [one.port for one in local_targets({}, own_urls=("http://127.0.0.1:8080",))]

    assert len(ports) == len(set(ports))
    assert {11434, 1234, 8000, 8080, 13305, 12434, 9997, 5000} == set(ports)
    assert set(ports) - set(without) == {8080}


@contextlib.asynccontextmanager
async def server(answer: bytes, *, silent: bool = False) -> AsyncIterator[LocalTarget]:
    """A real server that gives this answer to whatever it is asked."""
    asked: set[asyncio.Task[object]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        asked.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
            if silent:
                await reader.read()
        writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield LocalTarget("vllm", listener.sockets[0].getsockname()[1], "/v1")
    finally:
        listener.close()
        await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 5)


def answered(
    body: bytes, head: bytes = b"HTTP/1.1 200 OK\r\ncontent-type: application/json"
) -> bytes:
    return head + b"\r\n\r\n" + body


def listing(*models: str, **more: object) -> bytes:
    data = [{"id": model, "object": "model", **more} for model in models]
    return json.dumps({"object": "list", "data": data}).encode()


@pytest.mark.anyio
async def test_a_server_that_lists_models_becomes_an_account() -> None:
    async with server(answered(listing("qwen3:8b", "llama3:8b"))) as target:
        (account,) = await probe_local([target])

    assert account.provider == "vllm"
    assert account.base_url == f"http://127.0.0.1:{target.port}/v1"
    assert account.models == ("qwen3:8b", "llama3:8b")
    assert account.local
    assert account.source == "probe"
    assert account.credential is None


@pytest.mark.anyio
async def test_a_server_that_keeps_the_connection_open_is_read_by_its_length() -> None:
    body = listing("m")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: " + str(len(body)).encode()

    async with server(answered(body, head), silent=True) as target:
        started_s = time.monotonic()
        accounts = await probe_local([target])

    assert [one.models for one in accounts] == [("m",)]
    assert time.monotonic() - started_s < PROBE_S


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00\xff" * 100,
        answered(b"<!doctype html><title>Hello</title>"),
        answered(b'{"error":"no"}', b"HTTP/1.1 404 Not Found"),
        answered(b'{"error":"no"}'),
        answered(b'{"data":null}'),
        answered(b'{"data":[]}'),
        answered(b'{"data":[{"name":"no id"}]}'),
        answered(b'{"data":[{"id":7}]}'),
        answered(b'{"x":' + b"[" * 100_000),
        answered(listing("m" * 300, "", "line\nbreak")),
        answered(listing("auto", owned_by="omniroute")),
        answered(listing("mix", owned_by="combo")),
        answered(b" " * PROBE_BYTES_MAX + listing("m")),
    ],
    ids=range(14),
)
async def test_what_is_no_list_of_models_is_no_server(answer: bytes) -> None:
    async with server(answer) as target:
        assert await probe_local([target]) == ()


@pytest.mark.anyio
async def test_a_long_list_is_cut() -> None:
    async with server(answered(listing(*(f"m{n}" for n in range(PROBE_MODELS_MAX * 2))))) as target:
        (account,) = await probe_local([target])

    assert len(account.models) == PROBE_MODELS_MAX


@pytest.mark.anyio
async def test_all_servers_are_asked_at_once_and_a_silent_one_holds_nothing_up() -> None:
    async with (
        server(b"", silent=True) as silent,
        server(b"HTTP/1.1 200 OK\r\n\r\n{", silent=True) as stuck,
        server(answered(listing("m"))) as fine,
        server(b"") as closed,
    ):
        started_s = time.monotonic()
        accounts = await probe_local([silent, stuck, closed, fine, *[silent] * 10])
        took_s = time.monotonic() - started_s

    assert [one.models for one in accounts] == [("m",)]
    assert took_s < PROBE_S + SLACK_S


@pytest.mark.anyio
async def test_nobody_there_is_no_account() -> None:
    async with server(b"") as target:
        pass

    assert await probe_local([target]) == ()
    assert await probe_local([]) == ()


@pytest.mark.anyio
async def test_a_probe_can_be_cancelled() -> None:
    async with server(b"", silent=True) as target:
        probe = asyncio.create_task(probe_local([target]))
        await asyncio.sleep(0)
        probe.cancel()

        with pytest.raises(asyncio.CancelledError):
            await probe
