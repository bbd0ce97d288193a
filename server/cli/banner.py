"""What `omniroute` says when it has started: where everything is, and a first request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..home import first_request
from ..management import AccountJson
from ..settings import Settings
from .output import fields, listed, one_line


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What the start found out.

    Attributes:
        url: where this machine reaches the gateway, with the port that it got.
        accounts: every account in force.
        key_needed: whether a request from this machine needs a key.
        new_key: a key that this start made, None when it made none; shown this once.
        mcp_url: where MCP alone is served besides, None without --dev.
        env_file: the `.env` file that was read.
        warnings: what the settings should be looked at for.
    """

    version: str
    url: str
    accounts: Sequence[AccountJson]
    key_needed: bool
    new_key: str | None = field(default=None, repr=False)
    mcp_url: str | None = None
    env_file: Path | None = None
    warnings: Sequence[str] = ()


def banner(settings: Settings, facts: StartFacts) -> str:
    """Give the text for a person who has just started the gateway."""
    url = facts.url
    rows = [
        ("OpenAI clients", f"{url}/v1"),
        ("MCP", f"{url}/mcp"),
        ("A2A", f"{url}/a2a"),
        ("agent card", f"{url}/.well-known/agent-card.json"),
        ("data folder", str(settings.data_dir)),
        ("providers", _providers(facts.accounts)),
        ("keys", _keys(settings, facts)),
    ]
    if facts.mcp_url is not None:
        rows.insert(2, ("MCP alone", facts.mcp_url))
    if settings.public_url is not None:
        rows.insert(0, ("from outside", settings.public_url))
    if facts.env_file is not None:
        rows.append(("settings also from", str(facts.env_file)))
    parts = [f"OmniRoute {facts.version} is running.", fields(rows, indent=2)]
    if facts.new_key is not None:
        parts.append(
            f"A key was made, as others than this machine can reach the gateway:\n"
            f"  {facts.new_key}\nIt is shown this once. `omniroute keys add` makes others."
        )
    parts += [f"Warning: {one_line(words)}" for words in facts.warnings]
    parts.append("A first request:\n" + first_request(url, key_needed=facts.key_needed))
    return "\n\n".join(parts)


def _providers(accounts: Sequence[AccountJson]) -> str:
    found = [
        f"{one.provider} ({one.key_from or one.name or one.source})"
        for one in accounts
        if one.enabled and not one.simulated
    ]
    return listed(found, empty="no provider key found: answers come from the simulator")


def _keys(settings: Settings, facts: StartFacts) -> str:
    if facts.key_needed:
        return "every request needs one"
    if settings.on_loopback:
        return "none needed from this machine, until one is made"
    return "none needed from this machine"
