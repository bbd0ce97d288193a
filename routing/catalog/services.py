"""What providers serve beside chats: one row for each provider and kind.

A provider without a row for a kind is asked in OpenAI's shape below its account's own base URL,
which is where most have it: so a row is only needed for models that should be listed, for a
provider that has a shape, a place or a price of its own, or for a credential that stands elsewhere.

`base` leads from the account's base URL to the service's, as a relative URL does: `../../v2`. It
may be a whole URL where the service has a host of its own; an account that was given a base URL of
its own is then called there, at that URL's path: no credential goes where nobody has sent it.

Prices are of one unit in nano-dollars, as the vendors' price pages say on 2026-11-22; where a
price is not known from there, there is none: unknown is never free.

Sources: OmniRoute's reference, section 5.5; the vendors' API references, which the adapters name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..model import Capability, ModelFacts, Price
from ..wire.services.table import AdapterName

PRICES_OF = "the vendor's price page on 2026-11-22"


@dataclass(frozen=True, slots=True)
class Service:
    """How one provider serves one kind of what is no chat.

    Attributes:
        models: those that are listed; others are passed through.
        prices: nano-dollars of one unit, by model.
        header: where the credential stands, None for where the account's dialect has it.
        prefix: what stands before the credential there.
        headers: what every call carries.
        drops: fields of OpenAI's body that are left out, and named to the client.
        renames: fields that have another name there.
    """

    provider: str
    kind: Capability
    models: tuple[str, ...] = ()
    adapter: AdapterName = "openai"
    base: str = ""
    prices: Mapping[str, int] = field(default_factory=dict[str, int])
    header: str | None = None
    prefix: str = "Bearer "
    headers: tuple[tuple[str, str], ...] = ()
    drops: tuple[str, ...] = ()
    renames: Mapping[str, str] = field(default_factory=dict[str, str])


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


EMBEDDINGS = (
    Service(
        "openai",
        "embedding",
        _names("text-embedding-3-small text-embedding-3-large text-embedding-ada-002"),
    ),
    Service(
        "gemini", "embedding", _names("gemini-embedding-2 gemini-embedding-001"), adapter="gemini"
    ),
    Service("mistral", "embedding", ("mistral-embed",), renames={"dimensions": "output_dimension"}),
    Service(
        "together",
        "embedding",
        _names("BAAI/bge-large-en-v1.5 togethercomputer/m2-bert-80M-8k-retrieval"),
        drops=("encoding_format", "dimensions"),
    ),
    Service(
        "fireworks",
        "embedding",
        _names("nomic-ai/nomic-embed-text-v1.5 accounts/fireworks/models/qwen3-embedding-8b"),
    ),
    Service("nvidia", "embedding", ("nvidia/nv-embedqa-e5-v5",)),
    Service("nebius", "embedding", ("Qwen/Qwen3-Embedding-8B",)),
    Service(
        "openrouter",
        "embedding",
        _names("openai/text-embedding-3-small openai/text-embedding-3-large"),
    ),
    Service(
        "cohere",
        "embedding",
        _names(
            "embed-v4.0 embed-english-v3.0 embed-multilingual-v3.0 embed-english-light-v3.0 "
            "embed-multilingual-light-v3.0"
        ),
        adapter="cohere",
        base="../../v2",
    ),
)

SERVICES: tuple[Service, ...] = (*EMBEDDINGS,)

_BY_PLACE = {(one.provider, one.kind): one for one in SERVICES}
_KINDS = {(one.provider, model): one for one in SERVICES for model in one.models}


def service_of(provider: str, kind: Capability) -> Service:
    """Give how a provider serves a kind; one without a row does it in OpenAI's shape."""
    return _BY_PLACE.get((provider, kind)) or Service(provider, kind)


def served_models(provider: str) -> tuple[str, ...]:
    """Give the models of a provider that are listed for something else than chats."""
    return tuple(model for one in SERVICES if one.provider == provider for model in one.models)


def with_service(facts: ModelFacts, provider: str, model: str) -> ModelFacts:
    """Give the facts of a model with what its row says of its kind and its unit's price."""
    service = _KINDS.get((provider, model))
    if service is None:
        return facts
    unit = service.prices.get(model)
    price = facts.price if unit is None else Price(0, 0, unit=unit)
    source = facts.price_source if unit is None else PRICES_OF
    return replace(facts, price=price, capabilities=(service.kind,), price_source=source)
