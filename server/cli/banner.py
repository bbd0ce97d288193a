"""What `omniroute` says when it has started: where everything is, and a first request."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..home import first_request
from ..management import AccountJson, GatewayFacts
from ..settings import Settings, Sources
from .output import fields, listed, one_line


@dataclass(frozen=True, slots=True)
class StartFacts:
    """What the start found out.

    Attributes:
        gateway: what the gateway knows of itself.
        sources: where its settings came from.
        url: where this machine reaches it, with the port that it got.
        mcp_url: where MCP alone is served besides, None without --dev.
    """

    gateway: GatewayFacts
    sources: Sources
    url: str
    mcp_url: str | None = None


def banner(settings: Settings, facts: StartFacts) -> str:
    """Give the text for a person who has just started the gateway."""
    url, gateway = facts.url, facts.gateway
    rows = [
        ("dashboard", f"{url}/dashboard"),
        ("OpenAI clients", f"{url}/v1"),
        ("other clients", f"{url} (Anthropic's, Google's, Ollama's)"),
        ("MCP", f"{url}/mcp"),
        ("A2A", f"{url}/a2a"),
        ("agent card", f"{url}/.well-known/agent-card.json"),
        ("data folder", str(settings.data_dir)),
        ("providers", _providers(gateway.accounts)),
        (
            "keys",
            "every request needs one"
            if gateway.needs_key
            else "none needed from this machine, until one is made",
        ),
    ]
    if facts.mcp_url is not None:
        rows.insert(4, ("MCP alone", facts.mcp_url))
    if settings.public_url is not None:
        rows.insert(0, ("from outside", settings.public_url))
    if facts.sources.env_file is not None:
        rows.append(("settings also from", str(facts.sources.env_file)))
    parts = [f"OmniRoute {gateway.version} is running.", fields(rows, indent=2)]
    parts += [f"Warning: {one_line(words)}" for words in _warnings(facts)]
    parts.append("A first request:\n" + first_request(url, key_needed=gateway.needs_key))
    parts.append(
        "Claude Code, Cursor and others are told of it by `omniroute setup`, which lists them."
    )
    return "\n\n".join(parts)


def _providers(accounts: Sequence[AccountJson]) -> str:
    found = [
        f"{one.provider} ({one.key_from or one.name or one.source})"
        for one in accounts
        if one.enabled and not one.simulated
    ]
    return listed(found, empty="no provider key found: answers come from the simulator")


def _warnings(facts: StartFacts) -> list[str]:
    warnings = [note.words for note in facts.sources.notes if note.level == "warning"]
    count = len(facts.gateway.ignored)
    if count:
        those = "variable was" if count == 1 else "variables were"
        warnings.append(f"{count} provider {those} not taken; `omniroute doctor` says why")
    return warnings
