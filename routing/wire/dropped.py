"""What a translation leaves out, so that it can be told to who asked.

A hint that the provider's dialect has no word for is left out, and named. What would change the
meaning of the request is refused instead (parts.inexpressible).

A field that only one dialect has is named as that dialect spells it. One that several have is a
value of the Chat, and named as the value is: `spelled` gives the client's own word for it.
"""

from collections.abc import Collection, Iterable, Mapping

from ..conversation import Chat, Json
from ..model import Dialect

NAMES_MAX = 32
"""How many names are told of one request."""
NAME_CHARS_MAX = 64

_PARTS: dict[str, str] = {
    "openai_chat": "messages.content",
    "anthropic": "messages.content",
    "openai_responses": "input.content",
    "gemini": "contents.parts",
}
"""Where the parts of a turn stand."""

_TOOLS: dict[str, str] = {"gemini": "tools.functionDeclarations"}

# Objects that say nothing themselves: what is in them is named.
_OUTER = (
    *("function", "generationConfig", "image_url", "metadata", "output_config"),
    *("reasoning", "text"),
)

# What is so anyway, or is done by us whatever the provider's dialect: None stands for any value.
_NEUTRAL: dict[str, tuple[object, ...] | None] = {
    "candidateCount": (1,),
    "include": (["reasoning.encrypted_content"],),
    "modalities": (["text"],),
    "n": (1,),
    "namespace": None,
    "responseMimeType": ("text/plain",),
    "responseModalities": (["TEXT"], ["text"]),
    "service_tier": ("auto", "default"),
    "serviceTier": ("unspecified", "standard"),
    "stream_options": None,
    "truncation": ("disabled",),
}

_THINKING = "generationConfig.thinkingConfig"
_SPELLINGS: dict[Dialect, dict[str, str]] = {
    "openai_chat": {
        "json_schema": "response_format",
        "output_tokens_max": "max_completion_tokens",
        "reasoning_tokens_max": "reasoning.max_tokens",
        "reasoning_shown": "reasoning.exclude",
        "thoughts": "messages.reasoning_content",
        "title": "messages.content.file.filename",
        "parallel": "parallel_tool_calls",
    },
    "openai_responses": {
        "json_schema": "text.format",
        "logprobs": "top_logprobs",
        "output_tokens_max": "max_output_tokens",
        "reasoning_effort": "reasoning.effort",
        "reasoning_tokens_max": "reasoning.max_tokens",
        "reasoning_shown": "reasoning.summary",
        "thoughts": "input.reasoning",
        "title": "input.content.filename",
        "parallel": "parallel_tool_calls",
    },
    "anthropic": {
        "json_schema": "output_config.format",
        "output_tokens_max": "max_tokens",
        "reasoning_effort": "output_config.effort",
        "reasoning_tokens_max": "thinking.budget_tokens",
        "reasoning_shown": "thinking.display",
        "stop": "stop_sequences",
        "thoughts": "messages.content.thinking",
        "title": "messages.content.title",
        "parallel": "tool_choice.disable_parallel_tool_use",
        "user": "metadata.user_id",
    },
    "gemini": {
        "frequency_penalty": "generationConfig.frequencyPenalty",
        "json_schema": "generationConfig.responseJsonSchema",
        "logprobs": "generationConfig.logprobs",
        "output_tokens_max": "generationConfig.maxOutputTokens",
        "presence_penalty": "generationConfig.presencePenalty",
        "reasoning_effort": f"{_THINKING}.thinkingLevel",
        "reasoning_tokens_max": f"{_THINKING}.thinkingBudget",
        "reasoning_shown": f"{_THINKING}.includeThoughts",
        "seed": "generationConfig.seed",
        "stop": "generationConfig.stopSequences",
        "temperature": "generationConfig.temperature",
        "thoughts": "contents.parts.thought",
        "top_k": "generationConfig.topK",
        "top_p": "generationConfig.topP",
    },
}
"""What a dialect calls a value, where it is another word than ours. Each is its API reference's."""


class Dropped:
    """Collects the names of what is left out, each once, in the order of their coming."""

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def note(self, name: str) -> None:
        """Note a field by its path in the client's own spelling, or a value by its own name."""
        if len(self._names) < NAMES_MAX:
            self._names[name[:NAME_CHARS_MAX]] = None

    def note_if(self, name: str, value: object) -> None:
        """Note a field that has a value."""
        if value is not None:
            self.note(name)

    def note_rest(
        self, rest: Json, dialect: Dialect, *, within: str = "", told: Collection[str] = ()
    ) -> None:
        """Note what a rest keeps for another dialect than the provider's.

        What is absent, off or empty is nothing to note.

        Args:
            rest: keyed by the dialect it came in.
            dialect: the provider's.
            within: what the fields belong to, as `tools`.
            told: fields that the provider is told all the same.
        """
        for source, fields in rest.items():
            if source != dialect and isinstance(fields, Mapping) and "type" not in fields:
                self._note_fields(fields, within, told)

    def note_part(self, rest: Json, dialect: Dialect, *, told: Collection[str] = ()) -> None:
        """Note what a part of a turn has for another dialect than the provider's."""
        for source in rest:
            if source != dialect:
                within = _PARTS.get(source, source)
                self.note_rest({source: rest[source]}, dialect, within=within, told=told)

    def note_tool(self, rest: Json, dialect: Dialect, *, told: Collection[str] = ()) -> None:
        """Note what a tool has for another dialect than the provider's."""
        for source in rest:
            if source != dialect:
                within = _TOOLS.get(source, "tools")
                self.note_rest({source: rest[source]}, dialect, within=within, told=told)

    def note_chat(self, chat: Chat, dialect: Dialect) -> None:
        """Note the fields of a chat that only another dialect knows."""
        if chat.rest:
            told = ("effort",) if chat.reasoning_effort is not None else ()
            told = (*told, "summary") if chat.reasoning_shown is not None else told
            self.note_rest(chat.rest, dialect, told=told)

    @property
    def names(self) -> tuple[str, ...]:
        """What was left out."""
        return tuple(self._names)

    def _note_fields(
        self, fields: Mapping[str, object], within: str, told: Collection[str]
    ) -> None:
        for name, value in fields.items():
            if name in told or value is None or value is False or value in ({}, []):
                continue
            neutral = _NEUTRAL.get(name, ())
            if neutral is None or value in neutral:
                continue
            path = f"{within}.{name}" if within else name
            if name in _OUTER and isinstance(value, Mapping):
                self._note_fields(value, path, told)
            else:
                self.note(path)


def spelled(names: Iterable[str], dialect: Dialect) -> tuple[str, ...]:
    """Give the names in the client's spelling: a value's own name is replaced by its word there."""
    words = _SPELLINGS[dialect]
    return tuple(dict.fromkeys(words.get(name, name) for name in names))
