"""The agent's card: where it is, which versions it speaks, what it can do, what it asks for.

Three spellings of one card: pure 1.0, pure 0.3, and their union for the well-known paths,
where clients of either version look. Nothing on it is wished for: the skills are those of
the table, and what the agent does not do is false. Where keys are needed, each key can ask for
a card of its own, which leaves out what it may not do.

Source: A2A 1.0, section 4.4 and 8; A2A 0.3, section 5.5.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import orjson

from omniroute.routing.access import ADMIN
from omniroute.routing.model import Caller

from .dialects.codec import EXTENSION
from .dialects.detect import major_minor
from .signing import Signer, forms_of_0_3, forms_of_1_0, signatures
from .skills import SKILLS
from .task import Json
from .work import Skill

CardKind = Literal["union", "1.0", "0.3"]

CACHE_S = 3600

ENDPOINT = "/a2a"
KEYS_PATH = "/.well-known/jwks.json"
"""Where the public key of signed cards is."""

_NAME = "OmniRoute"
_DESCRIPTION = (
    "An AI gateway that answers with the right model at the right provider, falls back when "
    "one fails, keeps to budgets, and explains every decision."
)
_SCHEME = "bearer"
_HTTP_BEARER = {
    "scheme": "bearer",
    "description": "An OmniRoute key, sent as Authorization: Bearer sk-omni-...",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it is sent."""

    body: bytes
    etag: str


def kind_for(version: str) -> CardKind:
    """Give which card a client of that A2A-Version wants; one that says none gets the union."""
    if not version.strip():
        return "union"
    match major_minor(version):
        case "0.3":
            return "0.3"
        case None:
            return "union"
        case asked:
            return "1.0" if not asked.startswith("0.") else "union"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card tells of this gateway.

    Attributes:
        public_url: the gateway's own base URL, from its settings.
        version: the gateway's version.
        keys_required: whether a request needs a key; only then is a scheme declared, and a
            card for each key.
        pushes: whether push notifications are sent.
        signer: signs cards; None where they are not signed.
    """

    public_url: str
    version: str
    keys_required: bool
    pushes: bool = False
    signer: Signer | None = None


@lru_cache(maxsize=64)
def card(kind: CardKind, facts: Facts) -> Card:
    """Give the public card in a spelling."""
    body = orjson.dumps(_signed(kind, facts, None))
    return Card(body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"')


def extended_card(kind: Literal["1.0", "0.3"], facts: Facts, caller: Caller) -> Json:
    """Give the card for one key: the skills that it may use, and what it may use them for."""
    return _signed(kind, facts, caller)


def _signed(kind: CardKind, facts: Facts, caller: Caller | None) -> Json:
    """Give a card with its signatures, one for each form in which it is read."""
    shown = _card(kind, facts, caller)
    if facts.signer is None:
        return shown
    forms: list[Json] = [shown]
    if kind != "0.3":
        forms += forms_of_1_0(_card("1.0", facts, caller))
    if kind != "1.0":
        forms += forms_of_0_3(_card("0.3", facts, caller))
    jku = facts.public_url.rstrip("/") + KEYS_PATH
    return {**shown, "signatures": signatures(forms, facts.signer, jku)}


def _card(kind: CardKind, facts: Facts, caller: Caller | None) -> Json:
    url, keys_required = facts.public_url.rstrip("/") + ENDPOINT, facts.keys_required
    shown: dict[str, object] = {
        "name": _NAME,
        "description": _DESCRIPTION,
        "version": facts.version,
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [
            _skill(skill, kind, keys_required=keys_required)
            for skill in SKILLS.values()
            if caller is None or _may_use(caller, skill)
        ],
        "capabilities": _capabilities(kind, facts, caller),
    }
    if kind != "0.3":
        shown |= {"supportedInterfaces": _interfaces(url)}
    if kind != "1.0":
        shown |= {
            "protocolVersion": "0.3.0",
            "url": url,
            "preferredTransport": "JSONRPC",
            "additionalInterfaces": [{"url": url, "transport": "JSONRPC"}],
            "supportsAuthenticatedExtendedCard": keys_required,
        }
    if keys_required:
        shown |= _security(kind)
    return shown


def _may_use(caller: Caller, skill: Skill) -> bool:
    return ADMIN in caller.scopes or caller.scopes.issuperset(skill.scopes)


def _interfaces(url: str) -> list[Json]:
    return [
        {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": version}
        for version in ("1.0", "0.3")
    ]


def _capabilities(kind: CardKind, facts: Facts, caller: Caller | None) -> Json:
    extension: dict[str, object] = {
        "uri": EXTENSION,
        "description": "Routing options in the request's metadata; how the task was "
        "routed and what it cost in the task's.",
        "required": False,
    }
    if caller is not None:
        extension["params"] = {
            "key": caller.key_id,
            "scopes": sorted(caller.scopes),
            # No restriction is all of them.
            "models": list(caller.models) or ["*"],
        }
    shown: dict[str, object] = {
        "streaming": True,
        "pushNotifications": facts.pushes,
        "extensions": [extension],
    }
    if kind != "0.3":
        shown["extendedAgentCard"] = facts.keys_required
    if kind != "1.0":
        shown["stateTransitionHistory"] = False
    return shown


def _skill(skill: Skill, kind: CardKind, *, keys_required: bool) -> Json:
    shown: dict[str, object] = {
        "id": skill.skill_id,
        "name": skill.name,
        "description": skill.description,
        "tags": skill.tags,
        "examples": skill.examples,
        "inputModes": skill.input_modes,
        "outputModes": skill.output_modes,
    }
    if keys_required and skill.scopes:
        shown |= _needed(kind, skill.scopes)
    return shown


def _security(kind: CardKind) -> Json:
    """Give how to authenticate; in the union one object satisfies the readers of both versions."""
    scheme: dict[str, object] = {}
    if kind != "0.3":
        scheme["httpAuthSecurityScheme"] = _HTTP_BEARER
    if kind != "1.0":
        scheme |= {"type": "http", **_HTTP_BEARER}
    return {**_needed(kind, ()), "securitySchemes": {_SCHEME: scheme}}


def _needed(kind: CardKind, scopes: Sequence[str]) -> Json:
    """Give that a key is needed, and the scopes that it has to carry."""
    shown: dict[str, object] = {}
    if kind != "0.3":
        shown["securityRequirements"] = [{"schemes": {_SCHEME: {"list": scopes}}}]
    if kind != "1.0":
        shown["security"] = [{_SCHEME: scopes}]
    return shown


def headers(card: Card) -> Mapping[str, str]:
    """Give the headers of a card's answer, also of one that says it has not changed."""
    return {
        "cache-control": f"public, max-age={CACHE_S}",
        "etag": card.etag,
        "vary": "A2A-Version",
    }


def is_known(card: Card, if_none_match: str | None) -> bool:
    """Whether the client has this card (RFC 9110, section 13.1.2: compared weakly)."""
    if if_none_match is None:
        return False
    tags = (tag.strip().removeprefix("W/") for tag in if_none_match.split(","))
    return any(tag in ("*", card.etag) for tag in tags)
