"""A Chat into a Gemini generateContent request.

Schemas go out as JSON Schema (`parametersJsonSchema`, `responseJsonSchema`), which needs no
cleaning. What has a URL goes out as `fileData`. What has no place is left out and named: who
asks, and whether calls may be parallel.

A signature goes back on the part that follows it in its turn, as Gemini gave it. Thoughts
themselves do not go back: Gemini does not ask for them. Gemini 3 refuses a call of the running
turn that has no signature; one that another vendor's model made, or whose client kept none, goes
out with the value that Google documents for history without signatures.

Images and files that a function answered stand in its response where the model takes them there,
and else behind it.

Source: Gemini API reference, "Generating content", "Function calling" and "Thought signatures",
read 2026-11.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from ...conversation import (
    Audio,
    Chat,
    Document,
    Image,
    Message,
    Part,
    Reasoning,
    Shown,
    Text,
    ToolCall,
    ToolResult,
)
from ..codec import Rendered
from ..dropped import Dropped
from ..fields import encode, present
from ..parts import arguments_object, own, own_block, refuse_foreign
from ..plain import plain
from ..signatures import NO_PROOF, unmarked
from ..turns import merged, regrouped, without_system
from .media import DIALECT, write_media
from .models import Facts, facts_of
from .thinking import write_thinking
from .tools import write_choice, write_tools

STOPS_MAX = 5
"""How many stop sequences are taken. Source: Gemini API reference, "GenerationConfig"."""

SEED_MAX = 2**31 - 1


def render_request(chat: Chat, *, model: str) -> Rendered:
    """Give the body for a provider of this dialect; the model stands in the path.

    Raises:
        BadRequest: the chat holds what this dialect cannot say; names it.
    """
    refuse_foreign(chat, DIALECT)
    facts, dropped = facts_of(model), Dropped()
    dropped.note_chat(chat, DIALECT)
    chat = plain(chat, DIALECT, dropped)
    rest = dict(own(chat.rest, DIALECT))
    writer = _Writer(chat, facts, dropped)
    body: dict[str, object] = {}
    system, turns = without_system(chat.messages)
    if system:
        body["systemInstruction"] = {
            "parts": [part for text in system for part in writer.text(text)]
        }
    body["contents"] = writer.contents(turns)
    if chat.tools:
        body["tools"] = write_tools(chat.tools, dropped)
    choice = chat.tool_choice if chat.tools else None
    tool_config = write_choice(choice, rest.pop("toolConfig", None), dropped)
    if tool_config:
        body["toolConfig"] = tool_config
    others = rest.pop("generationConfig", None)
    config = _generation_config(chat, facts, others if isinstance(others, Mapping) else {}, dropped)
    if config:
        body["generationConfig"] = config
    dropped.note_if("user", chat.user)
    return Rendered(encode({**rest, **body}), dropped.names)


class _Writer:
    """Writes the turns of one request."""

    def __init__(self, chat: Chat, facts: Facts, dropped: Dropped) -> None:
        self._facts = facts
        self._dropped = dropped
        self._names = {
            part.call_id: part.name
            for turn in chat.messages
            for part in turn.parts
            if isinstance(part, ToolCall)
        }

    def contents(self, turns: Sequence[Message]) -> list[dict[str, object]]:
        """Give alternating turns; one in which nothing is left to say is left out."""
        # What is empty goes first, so that the turns around it are joined.
        spoken = [turn for turn in regrouped(turns) if any(map(_is_said, turn.parts))]
        turns = merged(spoken)
        running = _running(turns) if self._facts.signed else len(turns)
        written: list[dict[str, object]] = []
        for place, turn in enumerate(turns):
            parts = list(self._parts(turn.parts))
            if place >= running:
                _sign(parts)
            role = "model" if turn.role == "assistant" else "user"
            written.append({"role": role, "parts": parts})
        return written

    def text(self, part: Text) -> Iterable[dict[str, object]]:
        """Give a text's part, none when it is empty."""
        block = own_block(part, DIALECT)
        if block is not None:
            whole = block.get("block")
            yield dict(whole) if isinstance(whole, Mapping) else {}
        elif part.text:
            self._dropped.note_part(part.rest, DIALECT)
            yield {**own(part.rest, DIALECT), "text": part.text}

    def _parts(self, parts: Iterable[Part]) -> Iterable[dict[str, object]]:
        proof: dict[str, object] = {}
        for part in parts:
            if isinstance(part, Reasoning):
                signature = unmarked(part.signature, DIALECT)
                if signature is not None:
                    proof = {"thoughtSignature": signature}
                if part.text or part.encrypted:
                    self._dropped.note("thoughts")
                continue
            for rendered in self._part(part):
                yield {**rendered, **proof}
                proof = {}
        if proof:
            yield {"text": "", **proof}

    def _part(self, part: Part) -> Iterable[dict[str, object]]:
        match part:
            case Text():
                yield from self.text(part)
            case Image() | Document() | Audio():
                yield self._media(part)
            case ToolCall():
                self._dropped.note_part(part.rest, DIALECT)
                arguments = arguments_object(part.arguments)
                call = {"id": part.call_id, "name": part.name, "args": arguments}
                yield {"functionCall": {**own(part.rest, DIALECT), **call}}
            case ToolResult():
                yield from self._result(part)
            case Reasoning():
                return
            case _:
                assert_never(part)

    def _media(self, part: Image | Document | Audio) -> dict[str, object]:
        self._dropped.note_part(part.rest, DIALECT)
        if isinstance(part, Document) and part.text is None:
            self._dropped.note_if("title", part.title)
        return write_media(part)

    def _result(self, part: ToolResult) -> Iterable[dict[str, object]]:
        self._dropped.note_part(part.rest, DIALECT)
        media = [one for one in part.parts if not _is_text(one)]
        written = [one for item in media for one in self._part(item)]
        text = "\n".join(_words(one) for one in part.parts if _is_text(one))
        answer: dict[str, object] = {
            **own(part.rest, DIALECT),
            "id": part.call_id,
            "name": self._names.get(part.call_id, part.call_id),
            "response": {"error" if part.is_error else "output": text},
        }
        if written and self._facts.media_in_results:
            yield {"functionResponse": {**answer, "parts": written}}
            return
        yield {"functionResponse": answer}
        yield from written


def _is_text(part: Shown) -> bool:
    """Whether it stands in a response's text: a text, and a document that is one."""
    if isinstance(part, Text):
        return own_block(part, DIALECT) is None
    return isinstance(part, Document) and part.text is not None


def _words(part: Shown) -> str:
    if isinstance(part, Text):
        return part.text
    return str(write_media(part)["text"])


def _is_said(part: Part) -> bool:
    """Whether a part has a place in a turn."""
    if isinstance(part, Text):
        return bool(part.text or own_block(part, DIALECT))
    if isinstance(part, Reasoning):
        return unmarked(part.signature, DIALECT) is not None
    return True


def _running(turns: Sequence[Message]) -> int:
    """Give where the running turn begins: behind the last of the user's that says something."""
    for place in range(len(turns) - 1, -1, -1):
        turn = turns[place]
        if turn.role == "user" and not all(isinstance(one, ToolResult) for one in turn.parts):
            return place
    return 0


def _sign(parts: list[dict[str, object]]) -> None:
    """Say of a step's first call that it has no signature, if it has none."""
    for place, part in enumerate(parts):
        if "functionCall" in part:
            if "thoughtSignature" not in part:
                parts[place] = {**part, "thoughtSignature": NO_PROOF[0]}
            return


def _generation_config(
    chat: Chat, facts: Facts, others: Mapping[str, object], dropped: Dropped
) -> dict[str, object]:
    if len(chat.stop) > STOPS_MAX:
        dropped.note("stop")
    seed = chat.seed
    if seed is not None and not -SEED_MAX <= seed <= SEED_MAX:
        dropped.note("seed")
        seed = None
    config: dict[str, object] = dict(others) | present(
        maxOutputTokens=chat.output_tokens_max,
        temperature=chat.temperature,
        topP=chat.top_p,
        topK=chat.top_k,
        seed=seed,
        frequencyPenalty=chat.frequency_penalty,
        presencePenalty=chat.presence_penalty,
        stopSequences=list(chat.stop[:STOPS_MAX]) or None,
    )
    thinking = write_thinking(chat, facts, config.pop("thinkingConfig", None), dropped)
    if thinking:
        config["thinkingConfig"] = thinking
    if chat.logprobs is not None:
        config |= {"responseLogprobs": True, "logprobs": chat.logprobs}
    if chat.json_schema is not None:
        config["responseMimeType"] = "application/json"
        schema = chat.json_schema.get("schema")
        if schema is not None:
            config["responseJsonSchema"] = schema
    return config
