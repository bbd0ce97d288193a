"""A chat in no provider's format, and an answer as it comes.

Every dialect parses into these values and renders from them: N parsers and N renderers,
never N times N translators. What we do not act on stays in `rest` and goes out again.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from .errors import FailureKind

Json = Mapping[str, object]
Role = Literal["system", "developer", "user", "assistant", "tool"]
Finish = Literal["stop", "length", "tool_calls", "content_filter", "stop_sequence"]


class Text(Struct, frozen=True, gc=False):
    """Plain text. `rest` keeps markers such as cache_control."""

    text: str
    rest: Json = {}


class Image(Struct, frozen=True, gc=False):
    """An image: exactly one of `url` and `data` (base64, with its media type) is set."""

    url: str | None = None
    media_type: str | None = None
    data: str | None = None
    rest: Json = {}


class Document(Struct, frozen=True, gc=False):
    """A file to read: exactly one of `text`, `url` and `data` (base64) is set."""

    media_type: str | None = None
    text: str | None = None
    url: str | None = None
    data: str | None = None
    title: str | None = None
    rest: Json = {}


class Audio(Struct, frozen=True, gc=False):
    """A sound: exactly one of `url` and `data` (base64, with its media type) is set."""

    url: str | None = None
    media_type: str | None = None
    data: str | None = None
    rest: Json = {}


class Reasoning(Struct, frozen=True, gc=False):
    """What a model thought aloud.

    `signature` is the provider's own proof and only valid there: it is kept or dropped,
    never made. `encrypted` holds a redacted block's opaque data.
    """

    text: str = ""
    signature: str | None = None
    encrypted: str | None = None


ToolKind = Literal["function", "custom"]
"""A function takes a JSON object; a custom tool takes free text, perhaps of a grammar."""


class ToolCall(Struct, frozen=True, gc=False):
    """A model's wish to run a tool.

    `arguments` is what the model wrote: JSON text, or the free text of a custom tool. `namespace`
    is the group of tools that the name belongs to, where the client's dialect knows groups.
    """

    call_id: str
    name: str
    arguments: str
    kind: ToolKind = "function"
    namespace: str | None = None
    rest: Json = {}


class ToolResult(Struct, frozen=True, gc=False):
    """What a tool answered to the call of that id."""

    call_id: str
    parts: tuple["Shown", ...]
    is_error: bool = False
    rest: Json = {}


Shown = Text | Image | Document | Audio
"""What a person can show a model, and a tool can answer."""

Part = Shown | Reasoning | ToolCall | ToolResult


class Message(Struct, frozen=True, gc=False):
    """One turn."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None
    rest: Json = {}


class Tool(Struct, frozen=True, gc=False):
    """A tool the model may call.

    Attributes:
        parameters: the JSON Schema of a function's arguments.
        grammar: of a custom tool's text; None takes any text.
        namespace: the group of tools it belongs to, where the client's dialect knows groups.
    """

    name: str
    description: str = ""
    parameters: Json = {}
    rest: Json = {}
    kind: ToolKind = "function"
    grammar: Json | None = None
    namespace: str | None = None


class ToolChoice(Struct, frozen=True, gc=False):
    """Whether tools are called. `name` only with mode "named"."""

    mode: Literal["auto", "none", "required", "named"]
    name: str | None = None
    parallel: bool | None = None


class Chat(Struct, frozen=True, gc=False):
    """A conversation and how it should be answered.

    `rest` holds every field of the body that we do not act on, keyed by the dialect it came
    in: it goes out again only to that dialect.

    Attributes:
        json_schema: {} means JSON of any shape.
        logprobs: how many alternatives are told for each token, beside the chosen one.
        user: the client's own name for the person who asks.
        reasoning_tokens_max: how much may be thought; 0 is not at all.
        reasoning_shown: whether thoughts, or a summary of them, are part of the answer.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    output_tokens_max: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    reasoning_effort: str | None = None
    json_schema: Json | None = None
    stream: bool = False
    rest: Json = {}
    top_k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logprobs: int | None = None
    user: str | None = None
    reasoning_tokens_max: int | None = None
    reasoning_shown: bool | None = None


UsageSource = Literal["reported", "estimated", "none", "suspect"]
"""Who says what was used: the provider, we, nobody, or a provider whom we do not believe."""


class Usage(Struct, frozen=True, gc=False):
    """Tokens of one answer, each counted once.

    `input_tokens` includes the cached and the cache-writing ones, `output_tokens` includes
    the reasoning ones, whatever the provider's own way of counting. `cache_write_1h_tokens` are
    those of `cache_write_tokens` that are kept for an hour, which cost more.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_1h_tokens: int = 0
    units: int = 0


class TokenLogprob(Struct, frozen=True, gc=False):
    """How likely a token was (natural logarithm), and the likeliest ones in its place."""

    token: str
    logprob: float
    top: tuple[tuple[str, float], ...] = ()


class ToolCallDelta(Struct, frozen=True, gc=False):
    """A piece of a tool call. `call_id`, `name` and `kind` come with the first of an index."""

    index: int
    call_id: str | None = None
    name: str | None = None
    arguments: str = ""
    kind: ToolKind = "function"


class AnswerError(Struct, frozen=True, gc=False):
    """An error that a provider reported inside a 200 answer."""

    kind: FailureKind
    message: str


class Delta(Struct, frozen=True, gc=False):
    """One step of an answer. A field that the step does not touch keeps its default.

    `content` is set where sniffing saw that content begins without reading it: a
    same-dialect stream is forwarded as bytes and gets no Delta per event.
    `usage` replaces what came before (some providers count from the start in every chunk).
    `refusal` is text in which the model says that it will not answer. `reasoning_encrypted` is a
    thought that only its provider can read; `stop_sequence` is the one that ended the answer.
    """

    text: str = ""
    reasoning: str = ""
    reasoning_signature: str | None = None
    tool_call: ToolCallDelta | None = None
    finish: Finish | None = None
    usage: Usage | None = None
    error: AnswerError | None = None
    model: str | None = None
    answer_id: str | None = None
    content: bool = False
    ended: bool = False
    refusal: str = ""
    reasoning_encrypted: str | None = None
    image: Image | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    stop_sequence: str | None = None

    @property
    def has_content(self) -> bool:
        """Whether the client would see something of the answer: from here on it is committed."""
        return bool(
            self.content
            or self.text
            or self.reasoning
            or self.tool_call
            or self.finish is not None
            or self.refusal
            or self.image is not None
        )
