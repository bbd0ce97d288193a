"""What the documented trials of accounts and combos speak, as values; see management.py."""

from typing import Literal

from msgspec import Struct, field

BatchMode = Literal["provider", "oauth", "free", "apikey", "compatible", "all"]


class ValidateWish(Struct, frozen=True, rename="camel"):
    """A provider's key to try, which is stored nowhere; `model` is who is asked."""

    provider: str
    api_key: str = field(default="")
    base_url: str | None = None
    model: str = ""

    def __repr__(self) -> str:
        return f"ValidateWish(provider={self.provider!r})"


class ValidJson(Struct, frozen=True):
    """Whether the provider took the key."""

    valid: bool
    error: str | None


class BatchWish(Struct, frozen=True, rename="camel"):
    """Which accounts to try: those of a provider, or of a kind."""

    mode: BatchMode
    provider_id: str | None = None


class TriedAccountJson(Struct, frozen=True, rename="camel"):
    """How a short real call to an account went."""

    provider: str
    connection_id: str
    connection_name: str
    valid: bool
    model: str
    latency_ms: int | None
    error: str | None
    tested_at: str


class BatchSummaryJson(Struct, frozen=True):
    """How many calls went well."""

    total: int
    passed: int
    failed: int


class BatchJson(Struct, frozen=True, rename="camel"):
    """How the calls to several accounts went, in the order of the accounts."""

    mode: BatchMode
    provider_id: str | None
    results: tuple[TriedAccountJson, ...]
    tested_at: str
    summary: BatchSummaryJson


class ComboTestWish(Struct, frozen=True, rename="camel"):
    """Which combo to try."""

    combo_name: str


class TriedModelJson(Struct, frozen=True, rename="camel"):
    """How a short real call to a model of a combo went."""

    model: str
    status: Literal["ok", "error"]
    error: str | None
    latency_ms: int
    request_id: str


class ComboTestJson(Struct, frozen=True, rename="camel"):
    """How each model of a combo answered; `resolvedBy` is the first in its order that did."""

    combo_name: str
    strategy: str
    resolved_by: str | None
    results: tuple[TriedModelJson, ...]
    tested_at: str
