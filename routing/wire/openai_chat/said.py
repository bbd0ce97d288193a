"""What a chat message or a piece of it says: read from providers' fields, written for clients.

Compatible providers bend the format; what they are known to do is read: `reasoning` for
`reasoning_content` (OpenRouter, Groq), `reasoning_details` with signatures and encrypted
thoughts, `images` (OpenRouter), a signature at a call (Google's own endpoint), content as a
list of parts (Mistral).

Sources, read 2026-11: OpenAI API reference, "The chat completion object"; OpenRouter,
"Reasoning tokens" and "Image generation"; Google, "OpenAI compatibility" and "Thought
signatures"; Mistral, "Reasoning".
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from ...conversation import Delta, Image, TokenLogprob, ToolCall
from ...errors import BadRequest
from ..parts import image_of, image_url
from ..signatures import marked, unmarked
from .thoughts import proof_in


class Function(msgspec.Struct, gc=False):
    """A called function, whole or a piece of it."""

    name: str | None = None
    arguments: str | None = None


class Custom(msgspec.Struct, gc=False):
    """A called custom tool, whole or a piece of it."""

    name: str | None = None
    input: str | None = None


class Call(msgspec.Struct, gc=False):
    """A tool call, whole or a piece of it; only pieces have an index."""

    index: int | None = None
    id: str | None = None
    function: Function | None = None
    custom: Custom | None = None
    extra_content: Any = None


class Said(msgspec.Struct, gc=False):
    """A message or a delta. The untyped fields bend, or are only looked at for being there."""

    content: str | list[Any] | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    reasoning_details: Any = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Any = None
    audio: Any = None
    images: Any = None


def is_text_alone(said: Said) -> bool:
    """Whether a message or a delta has no field beside its content."""
    return (
        said.reasoning_content is None
        and said.reasoning is None
        and said.tool_calls is None
        and said.refusal is None
        and said.reasoning_details is None
        and said.images is None
        and said.function_call is None
        and said.audio is None
    )


def thought_of(said: Said) -> str:
    """Give the thought of a message or a delta, where it stands in a field of its own."""
    thought = said.reasoning_content or said.reasoning
    return thought if isinstance(thought, str) else ""


def spoken(
    said: Said, logprobs: tuple[TokenLogprob, ...] = (), *, told: bool = False
) -> list[Delta]:
    """Give the thoughts, the text and the images of a message or a delta, in this order.

    Args:
        said: the message or the delta.
        logprobs: of its tokens.
        told: earlier deltas have told the thoughts, which `reasoning_details` only prove.
    """
    thought = thought_of(said)
    if said.reasoning_details:
        deltas = _detailed(said.reasoning_details, thought, told=told)
    else:
        deltas = [Delta(reasoning=thought)] if thought else []
    content = said.content
    if isinstance(content, list):
        deltas += [delta for part in content for delta in _part(part)]
    elif content or logprobs:
        deltas.append(Delta(text=content or "", logprobs=logprobs))
    if said.refusal:
        deltas.append(Delta(refusal=said.refusal))
    if said.images:
        deltas += _images(said.images)
    if not deltas and (said.audio or said.images or said.function_call):
        deltas.append(Delta(content=True))  # seen by a client of this dialect, and no value
    return deltas


def logprobs_of(reported: object) -> tuple[TokenLogprob, ...]:
    """Give the probabilities of a choice's tokens; those of another shape are left out."""
    listed = reported.get("content") if isinstance(reported, dict) else None
    if not isinstance(listed, list):
        return ()
    found: list[TokenLogprob] = []
    for one in listed:
        weighed = _weighed(one)
        if weighed is not None:
            top = one.get("top_logprobs")
            others = [_weighed(item) for item in top] if isinstance(top, list) else []
            found.append(TokenLogprob(*weighed, tuple(item for item in others if item)))
    return tuple(found)


def logprobs_json(logprobs: Sequence[TokenLogprob]) -> dict[str, object]:
    """Give probabilities as a choice holds them."""
    content = [
        {
            **_token_json(one.token, one.logprob),
            "top_logprobs": [_token_json(token, logprob) for token, logprob in one.top],
        }
        for one in logprobs
    ]
    return {"content": content, "refusal": None}


def proof_of(call: Call) -> str | None:
    """Give the signature that Google's endpoint sends with a call, None where there is none."""
    google = call.extra_content.get("google") if isinstance(call.extra_content, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return marked(signature, "gemini") if isinstance(signature, str) and signature else None


def google_proof(signature: str) -> str | None:
    """Give a signature as Google made it, None when another one did."""
    return unmarked(signature, "gemini")


def image_json(image: Image, index: int) -> dict[str, object]:
    """Give a generated image."""
    return {"type": "image_url", "image_url": {"url": image_url(image)}, "index": index}


def call_json(call: ToolCall, *, proof: str | None = None) -> dict[str, object]:
    """Give a whole call, or the beginning of one.

    Args:
        call: with all its arguments, or those that its first piece has.
        proof: Google's signature of it.
    """
    written: dict[str, object] = {"id": call.call_id}
    if call.kind == "custom":
        written |= {"type": "custom", "custom": {"name": call.name, "input": call.arguments}}
    else:
        function = {"name": call.name, "arguments": call.arguments}
        written |= {"type": "function", "function": function}
    if proof is not None:
        written["extra_content"] = {"google": {"thought_signature": proof}}
    return written


def _detailed(details: object, thought: str, *, told: bool) -> list[Delta]:
    """Give thoughts that come with their proofs; the text may stand beside them once more.

    A proof holds for its own text alone: it is left out where the text is another one.
    """
    listed = details if isinstance(details, list) else []
    items = [item for item in listed if isinstance(item, dict)]
    texts = [_text_of(item, "text") or _text_of(item, "summary") for item in items]
    others = bool(thought) and "".join(texts) != thought
    deltas = [Delta(reasoning=thought)] if others else []
    for item, text in zip(items, texts, strict=True):
        try:
            signature, data = proof_in(item)
        except BadRequest:
            continue  # nested past all reason: no proof of anything
        delta = Delta(
            reasoning="" if others or told else text,
            reasoning_signature=None if others and text and not told else signature,
            reasoning_encrypted=data,
        )
        if delta != _NOTHING:
            deltas.append(delta)
    return deltas


_NOTHING = Delta()


def _text_of(item: dict[str, Any], name: str) -> str:
    value = item.get(name)
    return value if isinstance(value, str) else ""


def _part(part: object) -> list[Delta]:
    if not isinstance(part, dict):
        return []
    text = part.get("text")
    if isinstance(text, str) and text:
        return [Delta(text=text)]
    thinking = part.get("thinking")
    pieces = thinking if isinstance(thinking, list) else []
    found = [piece.get("text") for piece in pieces if isinstance(piece, dict)]
    return [Delta(reasoning=thought) for thought in found if isinstance(thought, str) and thought]


def _images(images: object) -> list[Delta]:
    found: list[Delta] = []
    for item in images if isinstance(images, list) else ():
        place = item.get("image_url") if isinstance(item, dict) else None
        url = place.get("url") if isinstance(place, dict) else place
        if not isinstance(url, str) or not url:
            continue
        try:
            found.append(Delta(image=image_of(url, {}, "images")))
        except BadRequest:
            found.append(Delta(content=True))  # a data URL that is none
    return found


def _weighed(item: object) -> tuple[str, float] | None:
    if not isinstance(item, dict):
        return None
    token, logprob = item.get("token"), item.get("logprob")
    if not isinstance(token, str) or isinstance(logprob, bool):
        return None
    return (token, logprob) if isinstance(logprob, int | float) else None


def _token_json(token: str, logprob: float) -> dict[str, object]:
    return {
        "token": token,
        "logprob": logprob,
        "bytes": list(token.encode("utf-8", "surrogatepass")),
    }
