"""One row of the catalogue in the words of each vendor's clients.

`row_json` is the union of what OpenAI's and Anthropic's clients read, with ours beside it. The
two agree in every name but one: Anthropic's `capabilities` is an object that is only there
when all of it is known, ours is a list of kinds; so a client of Anthropic's is told null.

What is not known is null, or left out where a vendor's clients know no null: never 0.

Sources: OpenAI's and Anthropic's API references, "Models"; Google's Gemini API reference,
"models"; the fields that Codex 0.169 requires of a catalogue's entry, as it was seen to read
them, and its public source, codex-rs/protocol; all read 2026-11.
"""

import re
from datetime import UTC, datetime

from omniroute.routing.catalog.listing import ModelRow
from omniroute.routing.model import Price

CREATED_UNIX_S = 1_763_769_600
"""A fixed date for rows whose own is unknown: a list must not change from call to call."""
CREATED_AT = datetime.fromtimestamp(CREATED_UNIX_S, UTC).isoformat().replace("+00:00", "Z")

GEMINI_METHODS = {
    "chat": ("generateContent", "streamGenerateContent", "countTokens"),
    "embedding": ("embedContent", "batchEmbedContents"),
}
"""How a model of each kind is called under /v1beta."""

TOOL_OUTPUT_TOKENS_MAX = 10_000
"""How much of one tool's output Codex is told to keep: what it keeps for models it knows."""
CODEX_INSTRUCTIONS = (
    "You are a coding agent. You work in the user's own terminal, in the current folder, with "
    "the tools that you are given, and you go on until the task is done.\n\n"
    "Look before you change: read the files that matter, and follow the instructions and the "
    "style of the project. Make the smallest change that does the whole task, and leave "
    "alone what is not part of it. Run the project's tests or the code itself to see that it "
    "works, and say so honestly when you could not. Ask before you do what cannot be undone. "
    "When a plan tool is there, keep your plan in it for work of several steps.\n\n"
    "Answer briefly: what you changed, where, how you know that it works, and what is left."
)
"""What Codex tells a model of ours first: a catalogue's entry has to bring it."""

_TAKES_EFFORT = re.compile(
    r"gpt-[56]|(?<![a-z0-9])o[134](?![a-z0-9])|claude-(?:opus|sonnet|haiku|fable)-[45]|"
    r"gemini-(?:2\.5|3)"
)
"""Names of models whose vendors document an effort; others may refuse a request that has one."""
_EFFORTS = (
    ("low", "Quick answers with little thinking"),
    ("medium", "Thinks as much as most tasks need"),
    ("high", "Thinks long about hard tasks"),
)

Shape = dict[str, object]


def row_json(row: ModelRow, *, for_anthropic: bool = False) -> Shape:
    """Give one row of GET /v1/models."""
    facts = row.facts
    return {
        "id": row.model_id,
        "object": "model",
        "created": CREATED_UNIX_S,
        "owned_by": row.owned_by,
        "type": "model",
        "display_name": row.model_id,
        "created_at": CREATED_AT,
        "lifecycle": "active",
        "kind": row.kind,
        "capabilities": None if for_anthropic else list(facts.capabilities),
        "supports": {"tools": facts.tools, "images": facts.images},
        "context_length": facts.context_tokens_max,
        "max_input_tokens": facts.context_tokens_max,
        "max_output_tokens": facts.output_tokens_max,
        "max_tokens": facts.output_tokens_max,
        "pricing": None if facts.price is None else _pricing(facts.price),
        "simulated": row.simulated,
    }


def gemini_json(row: ModelRow) -> Shape:
    """Give one row of GET /v1beta/models."""
    facts = row.facts
    methods = [one for kind in facts.capabilities for one in GEMINI_METHODS.get(kind, ())]
    shape: Shape = {
        "name": f"models/{row.model_id}",
        "baseModelId": row.model_id,
        "version": "001",
        "displayName": row.model_id,
        "description": row.description or f"{row.model_id}, served by {row.owned_by}",
        "supportedGenerationMethods": methods,
    }
    if facts.context_tokens_max is not None:
        shape["inputTokenLimit"] = facts.context_tokens_max
    if facts.output_tokens_max is not None:
        shape["outputTokenLimit"] = facts.output_tokens_max
    return shape


def codex_json(row: ModelRow, *, priority: int) -> Shape:
    """Give one entry of Codex's catalogue; the lowest priority is its default."""
    facts = row.facts
    efforts = _EFFORTS if row.kind == "model" and _TAKES_EFFORT.search(row.model_id.lower()) else ()
    shape: Shape = {
        "slug": row.model_id,
        "display_name": row.model_id,
        "description": row.description or f"Served by {row.owned_by}",
        "supported_reasoning_levels": [
            {"effort": effort, "description": words} for effort, words in efforts
        ],
        "shell_type": "unified_exec",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "upgrade": None,
        "base_instructions": CODEX_INSTRUCTIONS,
        "supports_reasoning_summaries": bool(efforts),
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": None,
        "truncation_policy": {"mode": "tokens", "limit": TOOL_OUTPUT_TOKENS_MAX},
        "supports_parallel_tool_calls": True,
        "experimental_supported_tools": [],
        "input_modalities": ["text"] if facts.images is False else ["text", "image"],
    }
    if efforts:
        shape["default_reasoning_level"] = "medium"
    if facts.context_tokens_max is not None:
        shape["context_window"] = facts.context_tokens_max
    return shape


def _pricing(price: Price) -> Shape:
    """Give US dollars per million tokens; a part that is not priced of its own is null.

    `unit_usd` is only there for what is not paid by tokens: a picture, a spoken character, ...
    """
    unit = {} if price.unit is None else {"unit_usd": _usd(price.unit)}
    return {
        "input_usd_per_mtok": price.input / 1e9,
        "output_usd_per_mtok": price.output / 1e9,
        "cached_input_usd_per_mtok": _usd(price.cached_input),
        "cache_write_usd_per_mtok": _usd(price.cache_write),
        **unit,
    }


def _usd(nanos: int | None) -> float | None:
    return None if nanos is None else nanos / 1e9
