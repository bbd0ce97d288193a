"""The values that flow through a request, in the order they are born.

    Caller + Operation -> RouteRequest -> Snapshot -> Decision -> Attempt... -> Piece... -> Outcome

Every value is frozen; a stage returns a new one and never edits what it was given. Money is
integer nano-dollars, tokens are integers, time is seconds of a passed Clock, sizes are bytes.
"""

from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from .content import ContentRules, Finding
from .conversation import Delta, Usage, UsageSource
from .guard import Guard
from .moment import CandidateState, Expected, Moment
from .preference import FitnessRule, Preference, ProfileName
from .rates import Rates
from .shaping import Shaping

Dialect = Literal["openai_chat", "openai_responses", "anthropic", "gemini"]
Strategy = Literal[
    "priority",
    "weighted",
    "round-robin",
    "random",
    "least-used",
    "cost-optimized",
    "fill-first",
    "p2c",
    "last-known-good",
    "headroom",
    "context-fit",
    "auto",
]
Medium = Literal["image", "audio", "speech", "transcription", "video", "music"]
Capability = Literal["chat", "embedding", "rerank", "moderation", Medium]
Door = Literal["v1", "mcp", "a2a", "cli", "api"]


class Caller(Struct, frozen=True, gc=False):
    """Who asks: one key and what it may do.

    Attributes:
        key_id: the key's public id; "local" in keyless mode.
        scopes: expanded, see access.SCOPES.
        models: allowed targets, `*` as wildcard; empty allows all.
        budget_ids: the budgets every request of this key is charged to.
        keep_content: False for a no-log key: nothing of its prompts is stored anywhere.
        log_content: True keeps what it asks and is answered in the call log.
        rates: what it may ask for in a minute and at once; None bounds nothing.
    """

    key_id: str
    scopes: frozenset[str]
    models: tuple[str, ...] = ()
    budget_ids: tuple[str, ...] = ()
    keep_content: bool = True
    log_content: bool = False
    rates: Rates | None = None


class Features(Struct, frozen=True, gc=False, omit_defaults=True):
    """What a decision reads of an operation. Holds nothing of the prompt's text.

    `input_tokens_max` holds for every byte-level tokenizer: bytes plus a fixed overhead;
    `input_tokens` is an estimate. `output_tokens_max` is for all `choices`; a chat has no units.
    """

    stream: bool = False
    input_tokens: int = 0
    input_tokens_max: int = 0
    output_tokens_max: int | None = None
    tools: bool = False
    images: bool = False
    json_schema: bool = False
    family: str = "general"
    choices: int = 1
    units_max: int = 0


class Operation(Struct, frozen=True, gc=False, omit_defaults=True):
    """What to do, as the client wrote it.

    `body` stays as it is: the same `dialect` gets it with the name spliced in, others a rendering.

    Attributes:
        model_in_body: the name that splicing replaces.
        model_at: where its value begins in this body; None where splicing has to look for it.
        wants_usage: whether a stream is to tell its usage; None where the body has to be read.
        forward: the door forwards bytes of its dialect; False where it reads every Delta (MCP).
        headers, query: of the client's, for a provider of its dialect; never a credential.
        endpoint: of what is no chat, below `/v1`.
    """

    kind: Capability
    dialect: Dialect
    body: bytes
    features: Features
    model_in_body: str = ""
    forward: bool = True
    model_at: int | None = None
    wants_usage: bool | None = None
    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    endpoint: str = ""


class RouteRequest(Struct, frozen=True, gc=False, omit_defaults=True):
    """What to answer, for whom and under which limits.

    Attributes:
        request_id, client_request_id: ours keys the draws; the client's own is only recorded.
        target, at_s: what it names; its arrival by the engine's Clock, a decision's only time.
        spend_usd_nanos_max, allowed, via: what it may cost; the caller's models; past gateways.
        session_id: of its conversation: a door writes the client's name, the engine the key's id.
        moment, guard, findings: the engine's to fill: counts, budgets' tier, what guards found.
        role, mode, trace: kind of task, mode of `auto`, the span that it is asked for in; or None.
    """

    request_id: str
    target: str
    operation: Operation
    at_s: float
    door: Door = "v1"
    spend_usd_nanos_max: int | None = None
    allowed: tuple[str, ...] = ()
    session_id: str | None = None
    client_request_id: str | None = None
    role: str | None = None
    via: str = ""
    moment: Moment | None = None
    guard: Guard | None = None
    mode: str | None = None
    findings: tuple[Finding, ...] | None = None
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars per million tokens, and of one unit; None of a part is `input` or `output`."""

    input: int
    output: int
    cached_input: int | None = None
    cache_write: int | None = None
    unit: int | None = None


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What is known of a model; None is unknown, never "unlimited" or "free"."""

    context_tokens_max: int | None = None
    output_tokens_max: int | None = None
    price: Price | None = None
    capabilities: tuple[Capability, ...] = ("chat",)
    tools: bool | None = None
    images: bool | None = None
    price_source: str | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """One credential at one provider, the way there included; in the configuration only.

    Attributes:
        provider: the provider's name, the first part of `provider/model`.
        base_url: up to where the dialect's own path begins.
        credential: the provider's key; None for a server that needs none.
        models: model names it serves; empty means the provider's catalogue.
        shared_proxy: its provider's or everybody's, for an account that has none of its own.
    """

    account_id: str
    provider: str
    dialect: Dialect
    base_url: str
    credential: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    models: tuple[str, ...] = ()
    enabled: bool = True
    simulated: bool = False
    local: bool = False
    source: Literal["environment", "database", "probe", "builtin"] = "database"
    name: str = ""
    proxy: str | None = field(default=None, repr=False)
    http2: bool = False
    shared_proxy: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ComboModel:
    """One entry of a combo: `provider/model`, a model's name, or another combo's name."""

    target: str
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Combo:
    """A named, ordered list of models with a strategy. An inactive one neither routes nor lists.

    Attributes:
        attempts_max: candidates that are tried; a limit of None is the gateway's own.
        retries, retry_delay_s: further calls of one candidate after failures that pass.
        concurrency_per_model: calls that may be under way to one candidate.
        queue_s: how long a request waits for its turn there before it tries the next one.
        hedge_percentile: of the first bytes of a candidate: after it a second one is called.
        preference: makes it a user-made auto: its models are then its pool, empty for all.
        session_s: how long a session stays with who answered it; 0 is never.
    """

    combo_id: str
    name: str
    models: tuple[ComboModel, ...]
    strategy: Strategy = "priority"
    active: bool = True
    attempts_max: int | None = None
    first_byte_s: float | None = None
    total_s: float | None = None
    description: str = ""
    retries: int | None = None
    retry_delay_s: float | None = None
    concurrency_per_model: int | None = None
    queue_s: float | None = None
    hedge_percentile: int | None = None
    preference: Preference | None = None
    session_s: float | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to serve a target: a model at an account. Holds no secret.

    `fitness` pairs a kind of task with how fit the model is for it, 0 to 1, for `auto` alone. Those
    of one `step` are equals, accounts of one model. `expected` is there where costs count.
    """

    account_id: str
    provider: str
    model: str
    dialect: Dialect
    facts: ModelFacts = ModelFacts()
    weight: int = 0
    simulated: bool = False
    local: bool = False
    fitness: tuple[tuple[str, float], ...] = ()
    step: int | None = None
    expected: Expected | None = None

    @property
    def name(self) -> str:
        """`provider/model`, as people write it."""
        return f"{self.provider}/{self.model}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a decision may know beside its request. Content-addressed and stored once."""

    target: str
    combo: str | None
    strategy: Strategy
    candidates: tuple[Candidate, ...]
    states: tuple[CandidateState, ...]
    config_version: int
    attempts_max: int = 3
    mode: str = "balanced"
    preference: Preference | None = None


class Verdict(Struct, frozen=True, gc=False):
    """What the decision thought of one candidate.

    Attributes:
        reason: a code, "ok" when it may be tried; `detail` says it in words with its numbers.
        first_q32: the probability, times 2**32, with which it could have been first.
        score: the strategy's own figure, None where it has none.
    """

    candidate: Candidate
    kept: bool
    reason: str
    detail: str = ""
    first_q32: int = 0
    score: float | None = None


class Decision(Struct, frozen=True, gc=False):
    """The order in which candidates will be tried, with a verdict on each."""

    request_id: str
    target: str
    strategy: Strategy
    combo: str | None
    snapshot_id: str
    order: tuple[Candidate, ...]
    verdicts: tuple[Verdict, ...]


class Limits(Struct, frozen=True, gc=False):
    """Times and bounds of one upstream call, in seconds and bytes."""

    connect_s: float = 3.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
    total_s: float = 600.0
    answer_bytes_max: int = 64 * 2**20
    event_bytes_max: int = 2**20


class Call(Struct, frozen=True, gc=False):
    """One attempt, ready to go out: everything the upstream seam needs."""

    request_id: str
    attempt: int
    candidate: Candidate
    account: Account
    operation: Operation
    limits: Limits
    headers: tuple[tuple[str, str], ...] = ()


class Piece(Struct, frozen=True, gc=False):
    """A step of an upstream answer.

    In the same dialect `raw` goes on as it is, and `delta` is set only where sniffing found first
    content, usage, a finish or an error. From another one `delta` carries it, and `raw` is empty.
    """

    raw: bytes
    delta: Delta | None = None


class Attempt(Struct, frozen=True, gc=False):
    """One call to a provider. `failure` is None when it answered well; `swapped`: another model."""

    number: int
    candidate: Candidate
    started_s: float
    ended_s: float
    first_byte_s: float | None = None
    failure: str | None = None
    detail: str = ""
    provider_status: int | None = None
    model_served: str | None = None
    swapped: bool = False


Status = Literal["answered", "failed", "refused", "client_gone"]


class Outcome(Struct, frozen=True, gc=False):
    """The whole story of one request: one stored row, one log event, one explanation.

    Attributes:
        at_unix_s, reserved_usd_nanos: the wall clock at its arrival; what was held before the call.
        cost_usd_nanos: None when the price is unknown: unknown is never free.
        error, output_tokens_clamp: a code of errors.py; what the last answer was clamped to.
    """

    request: RouteRequest
    key_id: str
    decision: Decision | None
    attempts: tuple[Attempt, ...]
    status: Status
    usage: Usage
    usage_source: UsageSource
    cost_usd_nanos: int | None
    reserved_usd_nanos: int
    at_unix_s: float
    first_content_s: float | None
    total_s: float
    winner: Candidate | None = None
    model_served: str | None = None
    finish: str | None = None
    error: str | None = None
    error_detail: str = ""
    output_tokens_clamp: int | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """Everything configured, at one version. Replaced whole on a change, never edited."""

    version: int
    accounts: tuple[Account, ...] = ()
    combos: tuple[Combo, ...] = ()
    aliases: tuple[tuple[str, str], ...] = ()
    seed: bytes = b"omniroute"
    mode: str = "balanced"
    resilience: ProfileName = "balanced"
    fitness: tuple[FitnessRule, ...] = ()
    shaping: Shaping | None = None
    prices: tuple[tuple[str, Price], ...] = ()
    content: ContentRules | None = None
