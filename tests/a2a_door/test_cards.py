"""The cards: their union and both pure forms, their truth, and their caching."""

from typing import Any

import pytest
from a2a.types.a2a_pb2 import AgentCard
from google.protobuf.json_format import ParseDict

from omniroute.a2a.skills import SKILLS
from tests.a2a_door.door import BASE, serving, v10_message

pytestmark = pytest.mark.anyio

WELL_KNOWN = ["/.well-known/agent.json", "/.well-known/agent-card.json"]
PURE = "/a2a/.well-known/agent-card.json"

V03_REQUIRED = {
    "protocolVersion",
    "name",
    "description",
    "url",
    "version",
    "capabilities",
    "defaultInputModes",
    "defaultOutputModes",
    "skills",
}
"""Required fields of AgentCard in A2A 0.3.0, section 5.5 and types.ts."""
V03_ONLY = {"url", "protocolVersion", "preferredTransport", "additionalInterfaces", "security"}


async def card(path: str, *, keys_required: bool = False, **headers: str) -> Any:
    async with serving(keys_required=keys_required) as door:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await door.client.get(path, headers={"host": "evil.example", **named})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    return response.json()


@pytest.mark.parametrize("path", WELL_KNOWN)
async def test_the_well_known_card_serves_readers_of_both_versions(path: str) -> None:
    union = await card(path, keys_required=True)

    assert union.keys() >= V03_REQUIRED
    assert union["url"] == f"{BASE}/a2a"
    assert union["preferredTransport"] == "JSONRPC"
    assert [(one["url"], one["protocolVersion"]) for one in union["supportedInterfaces"]] == [
        (f"{BASE}/a2a", "1.0"),
        (f"{BASE}/a2a", "0.3"),
    ]
    scheme = union["securitySchemes"]["bearer"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    assert scheme["httpAuthSecurityScheme"]["scheme"] == "bearer"
    assert union["security"] == [{"bearer": []}]


@pytest.mark.parametrize("keys_required", [True, False])
@pytest.mark.parametrize(
    ("path", "version"), [(PURE, ""), (PURE, "0.3"), (WELL_KNOWN[0], "1.0"), (WELL_KNOWN[1], "1.0")]
)
async def test_a_pure_1_0_card_has_no_other_key(
    path: str, version: str, keys_required: bool
) -> None:
    pure = await card(path, keys_required=keys_required, A2A_Version=version)

    read = ParseDict(pure, AgentCard(), ignore_unknown_fields=False)
    assert read.supported_interfaces[0].protocol_version == "1.0"
    assert bool(read.security_schemes) is keys_required
    assert not pure.keys() & V03_ONLY


async def test_a_pure_0_3_card_has_what_0_3_requires_and_nothing_newer() -> None:
    pure = await card(WELL_KNOWN[0], keys_required=True, A2A_Version="0.3")

    assert pure.keys() >= V03_REQUIRED
    assert pure["protocolVersion"] == "0.3.0"
    assert not pure.keys() & {"supportedInterfaces", "securityRequirements"}
    assert pure["securitySchemes"]["bearer"].keys() == {"type", "scheme", "description"}
    assert "extendedAgentCard" not in pure["capabilities"]


async def test_only_what_works_is_on_the_card() -> None:
    union = await card(WELL_KNOWN[0])

    assert {skill["id"] for skill in union["skills"]} == set(SKILLS)
    assert union["capabilities"]["streaming"] is True
    assert union["capabilities"]["pushNotifications"] is False
    assert union["supportsAuthenticatedExtendedCard"] is False
    assert not union.keys() & {"securitySchemes", "security", "securityRequirements"}


async def test_a_skill_on_the_card_names_the_scopes_that_a_key_needs_for_it() -> None:
    union = await card(WELL_KNOWN[0], keys_required=True)
    pure = await card(PURE, keys_required=True)
    old = await card(WELL_KNOWN[0], keys_required=True, A2A_Version="0.3")
    keyless = await card(WELL_KNOWN[0])

    [routing] = [one for one in union["skills"] if one["id"] == "smart-routing"]
    assert routing["security"] == [{"bearer": ["write:route"]}]
    assert routing["securityRequirements"] == [{"schemes": {"bearer": {"list": ["write:route"]}}}]
    assert {"security" in one for one in pure["skills"]} == {False}
    assert {"securityRequirements" in one for one in old["skills"]} == {False}
    assert {"security" in one or "securityRequirements" in one for one in keyless["skills"]} == {
        False
    }


@pytest.mark.parametrize("path", [*WELL_KNOWN, PURE])
async def test_a_card_is_cached_by_its_tag_and_differs_by_version(path: str) -> None:
    async with serving() as door:
        first = await door.client.get(path)
        tag = first.headers["etag"]
        again = await door.client.get(path, headers={"if-none-match": f'"other", W/{tag}'})
        changed = await door.client.get(path, headers={"if-none-match": '"other"'})

    assert first.headers["cache-control"] == "public, max-age=3600"
    assert first.headers["vary"] == "A2A-Version"
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert changed.status_code == 200


async def test_each_form_of_the_card_has_its_own_tag() -> None:
    async with serving() as door:
        tags = {
            (await door.client.get(WELL_KNOWN[0], headers={"a2a-version": version})).headers["etag"]
            for version in ("", "0.3", "1.0")
        }

    assert len(tags) == 3


async def test_a_card_needs_no_key() -> None:
    async with serving(keys_required=True) as door:
        response = await door.client.get(WELL_KNOWN[0])
        sent = await door.call("SendMessage", {"message": v10_message()}, A2A_Version="1.0")

    assert response.status_code == 200
    assert sent["error"]["code"] == -32600
