"""`omniroute a2a card`: what the agent tells of itself."""

from argparse import Namespace
from collections.abc import Mapping
from urllib.parse import urlencode

import msgspec

from ..settings import Settings, Sources
from .client import call, decoded, with_gateway
from .exits import OK, USAGE, Stop
from .output import fields, listed, show, show_json, table

FORMS: Mapping[str, str] = {
    "union": "/.well-known/agent-card.json",
    "1.0": "/.well-known/agent-card.json?" + urlencode({"A2A-Version": "1.0"}),
    "0.3": "/.well-known/agent-card.json?" + urlencode({"A2A-Version": "0.3"}),
}
SKILL_HEADINGS = ("SKILL", "TAKES", "GIVES", "WHAT IT DOES")


class _Interface(msgspec.Struct, rename="camel"):
    protocol_version: str


class _Skill(msgspec.Struct, rename="camel"):
    id: str
    description: str
    input_modes: tuple[str, ...] = ()
    output_modes: tuple[str, ...] = ()


class _Card(msgspec.Struct, rename="camel"):
    name: str
    version: str
    skills: tuple[_Skill, ...]
    capabilities: Mapping[str, object]
    url: str | None = None
    protocol_version: str | None = None
    supported_interfaces: tuple[_Interface, ...] = ()
    security_schemes: Mapping[str, object] = {}


def card(arguments: Namespace, settings: Settings, sources: Sources) -> int:
    """Print a card: as it is sent, or in words."""
    path = FORMS.get(arguments.form)
    if path is None:
        raise Stop(f"--form is one of {', '.join(FORMS)}", USAGE)
    with with_gateway(settings, sources) as gateway:
        data = call(gateway, "GET", path)
    if arguments.json:
        show_json(msgspec.Raw(data))
    else:
        show(card_page(decoded(data, _Card)))
    return OK


def card_page(found: _Card) -> str:
    """Give a card as text."""
    versions = [one.protocol_version for one in found.supported_interfaces]
    if not versions and found.protocol_version is not None:
        versions = [found.protocol_version]
    can = [name for name, value in found.capabilities.items() if value is True]
    told = [
        ("agent", f"{found.name} {found.version}"),
        ("protocol", listed(versions)),
        ("can", listed(can)),
        ("needs a key", "yes" if found.security_schemes else "no"),
    ]
    if found.url is not None:
        told.insert(1, ("at", found.url))
    rows = [
        (
            *(one.id, listed(one.input_modes), listed(one.output_modes)),
            one.description.partition(". ")[0].rstrip("."),
        )
        for one in found.skills
    ]
    return fields(told) + "\n\n" + table(SKILL_HEADINGS, rows)
