"""Thoughts in OpenAI chat completions, which have no field of OpenAI's own for them.

Compatible servers have three: `reasoning_content` (DeepSeek and most others), `reasoning`
(OpenRouter, newer vLLM), both the text alone, and `reasoning_details` (OpenRouter), a list whose
entries carry the vendor's proof: a signature, or data that only the vendor reads. Such an entry
travels whole as a marked signature, so that it comes back as it was to servers of this dialect,
and nowhere else. Google's compatible endpoint and ours put a Gemini signature beside the call that
it is of, as `extra_content`.

Source: OpenRouter, "Reasoning tokens"; DeepSeek, "Reasoning model"; Google, "OpenAI
compatibility", "Thought signatures", all read 2026-11.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from ...conversation import Part, Reasoning
from ...model import Dialect
from ..fields import Fields, encode_text
from ..signatures import marked, unmarked

DIALECT: Dialect = "openai_chat"

FORMAT = "omniroute-v1"
"""What our own details say of themselves: their proofs say whose they are."""

_GEMINI_PATH = ("google", "thought_signature")
_TEXTS = ("text", "summary")


class Wish(Struct, frozen=True):
    """How a body asks its model to think."""

    effort: str | None = None
    tokens_max: int | None = None
    shown: bool | None = None


def read_wish(fields: Fields) -> Wish:
    """Give how a request asks to think, in whichever field it says so.

    OpenAI has `reasoning_effort`, OpenRouter an object `reasoning`; `thinking` is Anthropic's, as
    other gateways take it in this dialect, and that of GLM and DeepSeek.

    Raises:
        BadRequest: a field is not valid; names it.
    """
    effort = fields.text_or_none("reasoning_effort")
    tokens_max: int | None = None
    shown: bool | None = None
    reasoning, thinking = fields.child_or_none("reasoning"), fields.child_or_none("thinking")
    if reasoning is not None:
        effort = effort or reasoning.text_or_none("effort") or _switched(reasoning)
        tokens_max = reasoning.tokens_or_none("max_tokens")
        excluded = reasoning.flag_or_none("exclude")
        shown = None if excluded is None else not excluded
    if thinking is not None:
        tokens_max = thinking.tokens_or_none("budget_tokens")
        if thinking.text_or_none("type") == "disabled":
            tokens_max = 0
    return Wish(effort, tokens_max, shown)


def _switched(reasoning: Fields) -> str | None:
    """Give the effort of thinking that is only switched on or off, as OpenRouter takes it."""
    enabled = reasoning.flag_or_none("enabled")
    if enabled is None or reasoning.has("max_tokens"):
        return None
    return "medium" if enabled else "none"


def read_thoughts(fields: Fields) -> list[Part]:
    """Give the thoughts of an assistant's message, in whichever field they stand."""
    details = fields.items("reasoning_details")
    # Two names for one thing, and of the texts beside details they say nothing new.
    thought = fields.text_or_none("reasoning_content") or fields.text_or_none("reasoning")
    if details:
        return [part for detail in details for part in _detail(detail)]
    return [Reasoning(thought)] if thought else []


def read_thinking(part: Fields) -> Reasoning:
    """Give the thought of a part of an assistant's content, as Mistral's clients keep it.

    Source: Mistral, "Reasoning", read 2026-11.
    """
    pieces = part.value("thinking")
    if isinstance(pieces, list):
        return Reasoning("".join(piece.text("text") for piece in part.items("thinking")))
    return Reasoning(part.text("thinking"))


def read_signature(call: Fields) -> list[Part]:
    """Give the signature that stands beside a call, as the thought before it."""
    value: object = call.value("extra_content")
    for name in _GEMINI_PATH:
        value = value.get(name) if isinstance(value, Mapping) else None
    return [Reasoning(signature=marked(value, "gemini"))] if isinstance(value, str) else []


def detail_json(thought: Reasoning, index: int) -> dict[str, object]:
    """Give a thought with its proof as an answer holds it.

    Args:
        thought: with a signature, or data that only its provider reads.
        index: its place among an answer's details.
    """
    for detail in _details(thought):
        if detail.keys() != {"type", "text"}:
            return {**detail, "index": index}
    own: dict[str, object] = {"format": FORMAT, "index": index}
    if thought.encrypted is not None:
        return {"type": "reasoning.encrypted", "data": thought.encrypted, **own}
    text, signature = thought.text, thought.signature
    return {"type": "reasoning.text", "text": text, "signature": signature, **own}


def proof_in(detail: Mapping[str, object]) -> tuple[str | None, str | None]:
    """Give the signature and the unreadable data that a detail of an answer holds, as they travel.

    Raises:
        BadRequest: it is nested too deeply.
    """
    signature, data = (_text_in(detail, name) for name in ("signature", "data"))
    if detail.get("format") == FORMAT or not (signature or data):
        return signature, data
    proof = {name: value for name, value in detail.items() if name not in _TEXTS}
    whole = marked(encode_text(proof), DIALECT)
    return (None, whole) if data else (whole, None)


def thought_fields(thoughts: Sequence[Reasoning]) -> dict[str, object]:
    """Give the fields that say the thoughts: details where they have proofs of this dialect."""
    details = [detail for thought in thoughts for detail in _details(thought)]
    text = "".join(thought.text for thought in thoughts)
    if any(one.keys() != {"type", "text"} for one in details):
        return {"reasoning_details": details}
    return {"reasoning_content": text} if text else {}


def signature_field(thought: Reasoning | None) -> dict[str, object]:
    """Give what stands beside a call of a Gemini model that was signed."""
    signature = None if thought is None else unmarked(thought.signature, "gemini")
    outer, inner = _GEMINI_PATH
    return {"extra_content": {outer: {inner: signature}}} if signature else {}


def _detail(fields: Fields) -> Iterable[Reasoning]:
    text = next((one for name in _TEXTS if (one := fields.text_or_none(name))), "")
    proof = {name: value for name, value in fields.values.items() if name not in _TEXTS}
    kind = fields.text("type").rpartition(".")[2]
    if fields.value("format") == FORMAT:
        signature, encrypted = proof_in(fields.values)
        yield Reasoning(text, signature=signature, encrypted=encrypted)
    elif fields.has("data"):
        yield Reasoning(text, encrypted=marked(encode_text(proof), DIALECT))
    elif kind == "summary" or fields.has("signature"):
        yield Reasoning(text, signature=marked(encode_text(proof), DIALECT))
    elif text:
        yield Reasoning(text)


def _details(thought: Reasoning) -> Iterable[dict[str, object]]:
    proof = unmarked(thought.signature, DIALECT) or unmarked(thought.encrypted, DIALECT)
    if proof is None:
        if thought.text:
            yield {"type": "reasoning.text", "text": thought.text}
        return
    try:
        detail = msgspec.json.decode(proof)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        detail = None
    if isinstance(detail, dict):
        kind = str(detail.get("type", "")).rpartition(".")[2]
        text = {kind if kind in _TEXTS else "text": thought.text} if thought.text else {}
        yield {**detail, **text}


def _text_in(detail: Mapping[str, object], name: str) -> str | None:
    value = detail.get(name)
    return value if isinstance(value, str) and value else None
