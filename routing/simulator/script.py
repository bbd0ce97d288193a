"""What the simulated provider does for one request, as values that name no vendor.

A voice (`voices/`) speaks a Script in its dialect; `stage` adds time, chunking and the
fault. The same Script spoken by two voices says the same: text, tool calls, usage, finish.
"""

from dataclasses import dataclass
from typing import Literal

from ..conversation import Finish, Json, Usage
from ..errors import FailureKind

Reason = Literal[
    "bad_request",
    "bad_key",
    "forbidden",
    "not_found",
    "too_large",
    "context",
    "policy",
    "rate",
    "quota",
    "spend",
    "server",
    "overloaded",
]
Effect = Literal[
    "refuse_connection",
    "slow_head",
    "slow_event",
    "keep_alives",
    "stall",
    "reset",
    "hang_up",
    "stop_early",
    "bad_line",
    "bad_json",
    "short_body",
    "html",
    "html_502",
    "error_as_200",
    "gzip",
    "early_hints",
    "close_after_head",
]
ToolChoice = Literal["auto", "none", "required"]
Thinking = Literal["none", "hidden", "shown"]
Saying = Literal["refusal", "image", "secret", "tags"]
"""What a model says beside, or instead of, its text: see Directives.says."""


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A function the client offers; `parameters` is its JSON Schema."""

    name: str
    parameters: Json


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks, in whatever dialect it came.

    Attributes:
        model: as written, with its directives.
        said: the text of the last user turn.
        results: what tools answered, when that is what the conversation ends with.
        input_bytes: UTF-8 bytes of everything that was said and offered: equal for the same
            conversation in every dialect.
        named: the tool that must be called, None when any may.
        stream_usage: whether a stream reports usage.
        sse: False for Gemini's streams without `alt=sse`, which are one JSON array.
    """

    model: str
    said: str
    input_bytes: int
    results: tuple[str, ...] = ()
    tools: tuple[OfferedTool, ...] = ()
    tool_choice: ToolChoice = "auto"
    named: str | None = None
    parallel: bool = True
    stream: bool = False
    stream_usage: bool = True
    sse: bool = True
    output_tokens_max: int | None = None
    stop: tuple[str, ...] = ()
    thinking: Thinking = "none"
    json_schema: Json | None = None
    logprobs: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer with an error status. Voices find the vendor's own words for the reason.

    Attributes:
        retry: the form of the Retry-After header, None for no header.
        field: of the request, when that is what is wrong.
    """

    reason: Reason
    status: int
    message: str
    retry: Literal["seconds", "date"] | None = None
    retry_after_s: int = 7
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """Reasoning, in the pieces it is streamed in. Hidden reasoning is counted, not shown.

    Attributes:
        secret: it is sent as data that only the provider can read.
        tagged: it stands in the text, between tags, where the dialect is OpenAI's chats.
    """

    pieces: tuple[str, ...]
    shown: bool = True
    secret: bool = False
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Speech:
    """Text, in the pieces it is streamed in; `refuses` says that it is a refusal."""

    pieces: tuple[str, ...]
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Picture:
    """A generated image; its one piece is base64."""

    pieces: tuple[str, ...]
    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call; the pieces join to the JSON text of its arguments."""

    name: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Breakdown:
    """The provider reports an error inside an answer that began well. Nothing follows."""

    refusal: Refusal


Step = Thought | Speech | Picture | ToolUse | Breakdown

LOGPROB = -0.25
"""What every simulated token weighs, and the one alternative to it twice as much."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds until the first byte, and before each further piece."""

    first_byte_s: float = 0.0
    piece_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A fault of the connection: what happens, after how many pieces, for how long."""

    effect: Effect
    after: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Script:
    """Everything the provider does for one request.

    Attributes:
        model: the name that the answer carries.
        usage: None when none is reported.
        chunk_bytes: cut what is sent into pieces of so many bytes; None sends whole events.
        refusal: answered instead of the steps.
        kind: how a gateway should class the fault, None when the answer stays usable.
        stop_sequence: the client's own text that ended the answer.
        endings: how often a stream says that it finished.
        terminated: whether a stream has the dialect's last event.
        logprobs: whether the tokens of the text, its pieces, are weighed.
    """

    model: str
    steps: tuple[Step, ...]
    finish: Finish
    usage: Usage | None
    timing: Timing = Timing()
    chunk_bytes: int | None = None
    refusal: Refusal | None = None
    disturbance: Disturbance | None = None
    kind: FailureKind | None = None
    stop_sequence: str | None = None
    endings: int = 1
    terminated: bool = True
    logprobs: bool = False

    @property
    def text(self) -> str:
        """What is said, without thoughts."""
        return "".join(
            piece for step in self.steps if isinstance(step, Speech) for piece in step.pieces
        )

    @property
    def breakdown(self) -> Breakdown | None:
        """The step at which the provider fails, if there is one."""
        return next((step for step in self.steps if isinstance(step, Breakdown)), None)

    @property
    def pieces(self) -> int:
        """How many pieces are streamed."""
        return sum(len(step.pieces) for step in self.steps if not isinstance(step, Breakdown))
