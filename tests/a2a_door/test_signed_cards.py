"""Signed cards, judged by the official SDK, and the card that each key has of its own."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from a2a.types.a2a_pb2 import AgentCard
from a2a.utils.signing import InvalidSignaturesError, create_signature_verifier
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from google.protobuf.json_format import ParseDict
from jwt import PyJWK, api_jws
from jwt.exceptions import InvalidSignatureError
from jwt.utils import base64url_encode

from omniroute.a2a.signing import canonical
from omniroute.server.card_key import CardKey, open_card_key
from omniroute.server.settings import SettingsError
from tests.a2a_door.door import BASE, Served, serving

pytestmark = pytest.mark.anyio

UNION = "/.well-known/agent-card.json"
PURE = "/a2a/.well-known/agent-card.json"
ALGORITHMS = ["ES256", "ES384", "EdDSA", "RS256"]
V10 = {"A2A_Version": "1.0"}


_MADE: Mapping[str, Callable[[], PrivateKeyTypes]] = {
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "ES384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
}


def key_file(folder: Path, algorithm: str = "ES256") -> Path:
    """Give a PEM file with a new private key."""
    made = _MADE[algorithm]()
    path = folder / f"{algorithm}.pem"
    path.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def verify(card: Any, key: CardKey) -> None:
    """Let the official SDK read a card as one of 1.0 and verify it."""
    known = PyJWK(dict(key.public_key))
    verifier = create_signature_verifier(lambda kid, jku: known, ALGORITHMS)
    verifier(ParseDict(card, AgentCard(), ignore_unknown_fields=True))


def fits(card: Any, key: CardKey) -> bool:
    """Whether one of the signatures is over the card as it is, canonicalized."""
    rest = {name: value for name, value in card.items() if name != "signatures"}
    payload = base64url_encode(canonical(rest)).decode()
    for one in card["signatures"]:
        token = f"{one['protected']}.{payload}.{one['signature']}"
        try:
            api_jws.decode(token, PyJWK(dict(key.public_key)), ALGORITHMS)
        except InvalidSignatureError:
            continue
        return True
    return False


@asynccontextmanager
async def signing(key: CardKey, *, keys_required: bool = False) -> AsyncGenerator[Served]:
    """Serve the door with signed cards."""
    async with serving(keys_required=keys_required) as door:
        door.door.signer = key
        yield door


async def get(door: Served, path: str, **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = await door.client.get(path, headers=named)
    assert response.status_code == 200
    return response.json()


@pytest.mark.parametrize("keys_required", [True, False])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_the_official_sdk_verifies_a_card(
    algorithm: str, keys_required: bool, tmp_path: Path
) -> None:
    key = open_card_key(key_file(tmp_path, algorithm))
    async with signing(key, keys_required=keys_required) as door:
        union, pure = await get(door, UNION), await get(door, PURE)
        older = await get(door, UNION, A2A_Version="0.3")
        keys = await get(door, "/.well-known/jwks.json")

    verify(union, key)
    verify(pure, key)
    assert fits(union, key)
    assert fits(pure, key)
    assert fits(older, key)
    assert keys == {"keys": [dict(key.public_key)]}
    assert "d" not in keys["keys"][0]


@pytest.mark.parametrize("path", [UNION, PURE])
async def test_a_card_that_was_changed_does_not_verify(path: str, tmp_path: Path) -> None:
    key = open_card_key(key_file(tmp_path))
    async with signing(key) as door:
        card = await get(door, path)
    changed = orjson.loads(orjson.dumps(card).replace(b"gateway.example", b"gateway.exempla"))

    assert changed != card
    assert not fits(changed, key)
    with pytest.raises(InvalidSignaturesError):
        verify(changed, key)


async def test_a_card_of_another_key_does_not_verify(tmp_path: Path) -> None:
    key = open_card_key(key_file(tmp_path))
    async with signing(key) as door:
        card = await get(door, UNION)
    other = open_card_key(key_file(tmp_path))

    with pytest.raises(InvalidSignaturesError):
        verify(card, other)


async def test_every_process_signs_a_card_alike(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    cards = []
    for _ in range(2):
        async with signing(open_card_key(path)) as door:
            response = await door.client.get(UNION)
            cards.append((response.content, response.headers["etag"]))

    assert cards[0] == cards[1]


async def test_a_signature_names_its_key_and_where_that_is(tmp_path: Path) -> None:
    key = open_card_key(key_file(tmp_path))
    async with signing(key) as door:
        card = await get(door, PURE)

    heads = [api_jws.get_unverified_header(f"{one['protected']}..") for one in card["signatures"]]
    jku = f"{BASE}/.well-known/jwks.json"
    assert heads[0] == {"alg": "ES256", "typ": "JOSE", "kid": key.key_id, "jku": jku}
    assert all(head == heads[0] for head in heads)


async def test_a_card_is_unsigned_without_a_key() -> None:
    async with serving() as door:
        card = await get(door, UNION)
        keys = await get(door, "/.well-known/jwks.json")

    assert "signatures" not in card
    assert keys == {"keys": []}


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAA==\n"])
async def test_what_is_no_key_stops_the_start(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(content)

    with pytest.raises(SettingsError, match="openssl genpkey"):
        open_card_key(path)
    with pytest.raises(SettingsError, match="cannot read"):
        open_card_key(tmp_path / "missing.pem")


async def test_a_number_is_not_canonicalized_wrongly() -> None:
    with pytest.raises(ValueError, match="number"):
        canonical({"a": [{"b": 1.5}]})


@pytest.mark.parametrize("method", ["GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"])
async def test_each_key_has_a_card_of_what_it_may_do(method: str, tmp_path: Path) -> None:
    key = open_card_key(key_file(tmp_path))
    version = V10 if method.startswith("Get") else {}
    async with signing(key, keys_required=True) as door:
        public = await get(door, UNION)
        one, reader = [
            await door.result(method, {}, authorization=f"Bearer {key}", **version)
            for key in ("sk-fake-one-model", "sk-fake-reader")
        ]

    [extension] = one["capabilities"]["extensions"]
    assert extension["params"] == {
        "key": "key-one-model",
        "scopes": ["write:route"],
        "models": ["two/m"],
    }
    assert "smart-routing" in [skill["id"] for skill in one["skills"]]
    assert "smart-routing" not in [skill["id"] for skill in reader["skills"]]
    assert public["supportsAuthenticatedExtendedCard"] is True
    assert public["capabilities"]["extendedAgentCard"] is True
    assert fits(one, key)
    if version:
        ParseDict(one, AgentCard(), ignore_unknown_fields=False)
        verify(one, key)
    else:
        assert one["protocolVersion"] == "0.3.0"
        assert "supportedInterfaces" not in one


@pytest.mark.parametrize("method", ["GetExtendedAgentCard", "agent/getAuthenticatedExtendedCard"])
async def test_nobody_gets_a_key_s_card_without_one(method: str) -> None:
    version = V10 if method.startswith("Get") else {}
    headers = {name.replace("_", "-"): value for name, value in version.items()}
    body = {"jsonrpc": "2.0", "id": 1, "method": method}
    async with serving(keys_required=True) as door:
        response = await door.client.post("/a2a", json=body, headers=headers)

    assert response.status_code == 401
    assert json.loads(response.content)["error"]["code"] == -32600


async def test_every_card_is_ascii() -> None:
    """Some readers canonicalize with escapes: only ASCII has the same bytes in all of them."""
    async with serving(keys_required=True) as door:
        bodies = [(await door.client.get(path)).content for path in (UNION, PURE)]

    assert all(body.isascii() for body in bodies)
