"""200 starts: bind x keys x environment; none of them lets a stranger in without a key.

Each is a whole gateway, started as `serve` starts it, and asked by everybody who could ask it:
this machine and another one, each with and without what proxies add to a request.
"""

import asyncio
import shutil
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path

import httpx2
import pytest

from omniroute.server.compose import Composed, compose
from omniroute.server.first_key import make_first_key
from omniroute.server.settings import Settings, SettingsError, load_settings
from omniroute.server.store.key_terms import KeyTerms
from tests import processes

BINDS: dict[str, tuple[Mapping[str, str], Mapping[str, str], bool]] = {
    # By flags, by variables, and whether only this machine can reach it.
    "nothing said": ({}, {}, True),
    "127.0.0.1": ({"host": "127.0.0.1"}, {}, True),
    "::1": ({"host": "::1"}, {}, True),
    "localhost": ({}, {"OMNIROUTE_HOST": "localhost"}, True),
    "a container's name": ({}, {"HOSTNAME": "3f2a9c0d1e2b"}, True),
    "0.0.0.0": ({"host": "0.0.0.0"}, {}, False),
    "::": ({}, {"OMNIROUTE_HOST": "::"}, False),
    "HOSTNAME": ({}, {"HOSTNAME": "0.0.0.0"}, False),
}
KEYS: dict[str, tuple[bool, Mapping[str, str]]] = {
    # Whether one exists, and what was said of it.
    "none": (False, {}),
    "one": (True, {}),
    "required": (False, {"REQUIRE_API_KEY": "true"}),
    "not required": (False, {"REQUIRE_API_KEY": "false"}),
    "one, not required": (True, {"OMNIROUTE_REQUIRE_KEY": "auto"}),
}
ENVIRONMENTS: dict[str, Mapping[str, str]] = {
    "plain": {},
    "container": {
        "container": "docker",
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "NODE_ENV": "production",
        "PORT": "8080",
    },
    "proxy": {"OMNIROUTE_TRUSTED_PROXIES": "10.0.0.0/8,127.0.0.1,::1"},
    "documented": {
        "INITIAL_PASSWORD": "123456",
        "JWT_SECRET": "omniroute-default-secret-change-me",
        "API_KEY_SECRET": "omniroute-default-secret-change-me",
        "OMNIROUTE_MCP_ENFORCE_SCOPES": "false",
        "AUTH_COOKIE_SECURE": "false",
    },
    "public": {"BASE_URL": "https://gateway.example", "CORS_ORIGIN": "https://app.example"},
}
STARTS = tuple(product(BINDS, KEYS, ENVIRONMENTS))
PEERS = ("127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.7", "203.0.113.9", "fe80::1")
FORWARDED: tuple[tuple[Mapping[str, str], bool], ...] = (
    # What is added, and whether a trusted proxy would say by it that this machine asks.
    ({}, False),
    ({"x-forwarded-for": "203.0.113.9"}, False),
    ({"x-forwarded-for": "127.0.0.1"}, True),
    ({"x-forwarded-for": "127.0.0.1, 203.0.113.9"}, False),
    ({"x-real-ip": "127.0.0.1"}, False),
    ({"forwarded": "for=127.0.0.1"}, False),
    ({"x-forwarded-host": "localhost"}, False),
    ({"via": "1.1 cache"}, False),
    ({"cf-connecting-ip": "127.0.0.1"}, False),
)
ADDED = tuple(range(len(FORWARDED)))
PARTS = [pytest.param(STARTS[at::4], id=str(at)) for at in range(4)]
"""Pieces that several processes can share."""
ASKED = ("/api/keys", "/v1/models", "/api/doctor")


def settings_of(folder: Path, bind: str, keys: str, environment: str) -> Settings:
    flags, said, _ = BINDS[bind]
    variables = {**ENVIRONMENTS[environment], **KEYS[keys][1], **said}
    named = {"HOME": str(folder), "OMNIROUTE_DATA_DIR": str(folder / "data"), **variables}
    return load_settings(flags, named, folder)[0]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two data folders to copy: one without a key, and one with."""
    folder = tmp_path_factory.mktemp("stores")

    async def fill() -> None:
        for has_key in (False, True):
            at = folder / str(has_key)
            async with compose(settings_of(at, "nothing said", "none", "plain")) as made:
                if has_key:
                    terms = KeyTerms(name="mine", scopes=("admin",))
                    await made.parts.storage.keys.create(terms, actor="test")

    asyncio.run(fill())
    return folder


async def entered(
    gateway: Composed, path: str, key: str | None = None, added: Sequence[int] = ADDED
) -> set[tuple[str, int]]:
    """Give the peers, and the numbers of what they add to a request, that are answered."""
    named = {} if key is None else {"authorization": f"Bearer {key}"}
    found = set()
    for peer in PEERS:
        transport = httpx2.ASGITransport(app=gateway.app, client=(peer, 1))
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for number in added:
                answer = await client.get(path, headers={**named, **FORWARDED[number][0]})
                if answer.status_code != 401:
                    found.add((peer, number))
    return found


def may_enter(bind: str, keys: str, environment: str) -> set[tuple[str, int]]:
    """Give who needs no key, by DESIGN's words: loopback, no key, nothing forwarded."""
    has_key, said = KEYS[keys]
    if not BINDS[bind][2] or has_key or said.get("REQUIRE_API_KEY") == "true":
        return set()
    mine = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    plain = {(peer, 0) for peer in mine}
    if environment != "proxy":
        return plain
    told = {number for number, (_, local) in enumerate(FORWARDED) if local}
    return plain | {(peer, number) for peer in ("127.0.0.1", "::1", "10.0.0.7") for number in told}


def test_there_are_two_hundred_starts() -> None:
    assert len(set(STARTS)) == 200


@pytest.mark.anyio
@pytest.mark.parametrize("starts", PARTS)
async def test_no_start_lets_in_who_needs_a_key(
    stores: Path, tmp_path: Path, starts: tuple[tuple[str, str, str], ...]
) -> None:
    for number, (bind, keys, environment) in enumerate(starts):
        folder = tmp_path / str(number)
        has_key = KEYS[keys][0]
        shutil.copytree(stores / str(has_key), folder)
        settings = settings_of(folder, bind, keys, environment)
        async with compose(settings) as gateway:
            first = await make_first_key(gateway)
            again = await make_first_key(gateway)
            path = ASKED[number % len(ASKED)]
            without = await entered(gateway, path)
            wrong = await entered(gateway, path, "sk-omni-fake", (0,))
            right = set() if first is None else await entered(gateway, path, first, (0,))

        start = (bind, keys, environment)
        assert settings.on_loopback == BINDS[bind][2], start
        # Others can reach it, and there was no key: one was made, once.
        assert (first is not None) == (not BINDS[bind][2] and not has_key), start
        assert again is None, start
        due = may_enter(*start)
        assert without == due, start
        assert wrong == {one for one in due if one[1] == 0}, start
        assert len(right) == (0 if first is None else len(PEERS)), start


REFUSED: dict[str, Mapping[str, str]] = {
    "every address is a proxy": {"OMNIROUTE_TRUSTED_PROXIES": "0.0.0.0/0"},
    "every address of version 6": {"OMNIROUTE_TRUSTED_PROXIES": "10.0.0.0/8,::/0"},
    "a name that may mean anything": {"OMNIROUTE_HOST": "gateway.example"},
    "a second listener": {"API_PORT": "20129"},
    "a second listener's address": {"API_HOST": "0.0.0.0"},
    "scopes for everyone": {"OMNIROUTE_MCP_SCOPES": "admin"},
    "a secret that can be guessed": {"STORAGE_ENCRYPTION_KEY": "change-me"},
    "a guard that is not there": {"INJECTION_GUARD_MODE": "block"},
    "no yes and no no": {"OMNIROUTE_REQUIRE_KEY": "perhaps"},
}


@pytest.mark.parametrize("variables", REFUSED.values(), ids=REFUSED)
def test_what_would_be_less_safe_than_it_says_is_refused(
    tmp_path: Path, variables: Mapping[str, str]
) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings({}, {"HOME": str(tmp_path), **variables}, tmp_path)

    (name,) = variables
    assert name in str(refused.value)


def test_a_refused_start_ends_with_78_and_leaves_nothing(tmp_path: Path) -> None:
    variables = processes.plain_environment(tmp_path, OMNIROUTE_TRUSTED_PROXIES="0.0.0.0/0")

    done = processes.run_command("serve", "--host", "0.0.0.0", "--port", "0", environment=variables)

    assert (done.returncode, done.stdout) == (78, "")
    assert "addresses of your proxies" in done.stderr
    assert not (tmp_path / "data").exists()


def test_a_start_for_others_makes_a_key_says_it_once_and_needs_it(tmp_path: Path) -> None:
    words = ("--host", "0.0.0.0")
    log = tmp_path / "gateway.log"
    with processes.gateway(tmp_path, *words, REQUIRE_API_KEY="false") as running:
        first = log.read_text()
        key = first.partition("shown this once:\n\n")[2].split(None, 1)[0]
        statuses = [
            running.call("GET", "/api/keys", key=one, headers=headers).status
            for one, headers in ((None, {}), (None, {"x-forwarded-for": "127.0.0.1"}), (key, {}))
        ]
    with processes.gateway(tmp_path, *words) as running:
        again = running.call("GET", "/api/keys").status

    assert key.startswith("sk-omni-")
    assert statuses == [401, 401, 200]
    assert again == 401
    assert "shown this once" not in log.read_text()
