"""A task as a value and as a state machine, in no dialect's words.

    submitted -> working -> completed | failed | canceled | rejected
    submitted -> canceled | failed | rejected
    working -> input-required -> working | failed | canceled | rejected

A task that has ended never changes again. While one waits for its client nobody works on it;
the client's answer begins its next attempt. No skill asks for credentials, so no edge leads to
`auth-required`.
The dialects of `dialects/` spell these values; nothing here knows how.

Times are seconds since 1970, money is integer nano-dollars.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Json = Mapping[str, object]

State = Literal[
    "submitted",
    "working",
    "input-required",
    "auth-required",
    "completed",
    "failed",
    "canceled",
    "rejected",
]
TERMINAL: frozenset[State] = frozenset({"completed", "failed", "canceled", "rejected"})
WAITING: State = "input-required"
EDGES: Mapping[State, frozenset[State]] = {
    "submitted": frozenset({"working", "failed", "canceled", "rejected"}),
    "working": TERMINAL | {WAITING},
    WAITING: frozenset({"working", "failed", "canceled", "rejected"}),
}

SMART_ROUTING = "smart-routing"
ANSWER_ID = "answer"
"""Id, within its task, of the one artifact that a skill writes."""
ANSWER_NAME = "answer"

RANDOM_BYTES = 10
"""What a request's id has beside its time."""
KEPT_S = 86_400.0
"""How long after its last change a task can be asked for, unless it is said otherwise."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of content. `kind` says what `value` is.

    Attributes:
        value: the text itself; a URL; base64 (standard alphabet, padded); or JSON text.
    """

    kind: Literal["text", "url", "raw", "data"]
    value: str
    media_type: str | None = None
    filename: str | None = None
    metadata: Json = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Message:
    """What the client or the agent said."""

    message_id: str
    role: Literal["user", "agent"]
    parts: tuple[Part, ...]
    context_id: str | None = None
    task_id: str | None = None
    metadata: Json = field(default_factory=dict[str, object])
    extensions: tuple[str, ...] = ()
    reference_task_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Artifact:
    """A result."""

    artifact_id: str
    name: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Turn:
    """One entry of a conversation that came whole, as chat clients write it."""

    role: Literal["system", "developer", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Options:
    """How the client wants its task done. `turns` is the conversation when it came whole.

    Attributes:
        replay: it is done again when the gateway died over it, at the price of a second answer.
        output_modes: the media types that the client takes; none named means all.
    """

    skill: str = SMART_ROUTING
    model: str = "auto"
    combo: str | None = None
    budget_usd_nanos: int | None = None
    role: str | None = None
    turns: tuple[Turn, ...] = ()
    replay: bool = False
    output_modes: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """What the gateway is asked for."""
        return self.combo or self.model

    def takes(self, media_type: str) -> bool:
        """Whether the client takes content of this type."""
        general = media_type.partition("/")[0]
        names = {media_type, general, f"{general}/*", "*/*", "*"}
        return not self.output_modes or not names.isdisjoint(map(str.lower, self.output_modes))


@dataclass(frozen=True, slots=True)
class Step:
    """One step on the way to an answer: a candidate was taken, or had to be left."""

    event: Literal["primary_selected", "fallback_needed"]
    provider: str
    model: str
    at_unix_s: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """How a task was routed, as the gateway's Outcome tells it.

    Attributes:
        request_id: the gateway's own id, under which it explains the request.
        estimated_usd_nanos: what the first candidate was expected to cost; None when unknown.
        actual_usd_nanos: what it cost; None when the price is unknown.
        allowed: whether keys, models and budgets allowed it, judged before any call.
    """

    request_id: str
    explanation: str
    estimated_usd_nanos: int | None
    actual_usd_nanos: int | None
    steps: tuple[Step, ...]
    allowed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Task:
    """A unit of work.

    Attributes:
        owner: id of the key that sent it.
        at_unix_s: when it reached its state.
        said: what the agent says about its state, None when the state says it all.
        attempt: counts the processes that worked on it, from 1.
        history: the messages exchanged, oldest first.
        kept_s: how long after its last change it can be asked for; None is for ever.
    """

    task_id: str
    context_id: str
    owner: str
    skill: str
    state: State
    created_unix_s: float
    at_unix_s: float
    options: Options
    history: tuple[Message, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    said: str | None = None
    routing: Routing | None = None
    attempt: int = 1
    kept_s: float | None = KEPT_S

    @property
    def ended(self) -> bool:
        return self.state in TERMINAL

    @property
    def rests(self) -> bool:
        """Whether nobody works on it: it has ended, or waits for its client."""
        return self.ended or self.state == WAITING

    @property
    def request_id(self) -> str:
        """What the gateway knows this attempt as, in the form of its own ids.

        An attempt has one and the same everywhere, so its holds are set aside and settled once,
        and what it was charged can be found by the task alone.
        """
        attempt = hashlib.blake2b(
            f"{self.task_id}:{self.attempt}".encode(), digest_size=RANDOM_BYTES
        )
        return f"req_{int(self.created_unix_s * 1000):012x}{attempt.hexdigest()}"

    @property
    def expires_unix_s(self) -> float:
        """When it may be forgotten."""
        return math.inf if self.kept_s is None else self.at_unix_s + self.kept_s


def answer_of(text: str, data: str | None = None) -> tuple[Artifact, ...]:
    """Give the artifact that holds an answer's text so far, and its data as JSON text."""
    told = () if data is None else (data_part(data),)
    said = (Part("text", text),) if text or data is None else ()
    return (Artifact(ANSWER_ID, ANSWER_NAME, (*said, *told)),)


def data_part(data: str) -> Part:
    """Give the part that holds an answer for programs."""
    return Part("data", data, "application/json")


def text_of(task: Task) -> str:
    """Give the text of a task's answer."""
    parts = (part for one in task.artifacts for part in one.parts)
    return "".join(part.value for part in parts if part.kind == "text")


def data_of(task: Task) -> str | None:
    """Give the data of a task's answer, as JSON text."""
    parts = (part for one in task.artifacts for part in one.parts)
    return next((part.value for part in parts if part.kind == "data"), None)


def words_of(task: Task) -> tuple[Message, ...]:
    """Give what the agent says about a task's state as its message, if it says anything."""
    if task.said is None:
        return ()
    # A state says one thing, so its message needs no id of its own in the store; only the state
    # in which a task waits can come again, in another attempt.
    again = f"-{task.attempt}" if task.state == WAITING else ""
    message = Message(
        message_id=f"{task.task_id}-{task.state}{again}",
        role="agent",
        parts=(Part("text", task.said),),
        context_id=task.context_id,
        task_id=task.task_id,
    )
    return (message,)


def moved(task: Task, state: State, *, at_unix_s: float, said: str | None = None) -> Task:
    """Give the task in its next state.

    Raises:
        ValueError: no edge leads there.
    """
    if state not in EDGES.get(task.state, frozenset()):
        raise ValueError(f"a task that is {task.state} cannot become {state}")
    return replace(task, state=state, at_unix_s=at_unix_s, said=said)


def recent(history: tuple[Message, ...], length: int | None) -> tuple[Message, ...]:
    """Give the newest messages: all for None, none for 0.

    Source: A2A 1.0, section 3.2.4.
    """
    if length is None:
        return history
    return history[-length:] if length else ()
