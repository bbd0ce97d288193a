"""What providers serve beside chats: one row for each provider and kind.

A provider without a row for a kind is asked in OpenAI's shape below its account's own base URL,
which is where most have it: so a row is only needed for models that should be listed, for a
provider that has a shape, a place or a price of its own, or for a credential that stands elsewhere.

`base` leads from the account's base URL to the service's, as a relative URL does: `../../v2`. It
may be a whole URL where the service has a host of its own; an account that was given a base URL of
its own is then called there, at that URL's path: no credential goes where nobody has sent it.

Prices are of one unit in nano-dollars, the vendors' list prices as they were known when this was
written; they were not compared with the price pages since. Where none is known there is none:
unknown is never free.

Sources: OmniRoute's reference, section 5.5; the vendors' API references, which the adapters name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..model import Capability, Dialect, ModelFacts, Price
from ..wire.services.table import AdapterName
from .providers import SERVICE_PROVIDERS

PRICES_OF = "the vendor's list price, not compared with its page"


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
        "gemini",
        "embedding",
        _names("gemini-embedding-2 gemini-embedding-001"),
        adapter="gemini-embed",
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
        "deepinfra",
        "embedding",
        _names(
            "Qwen/Qwen3-Embedding-8B Qwen/Qwen3-Embedding-4B Qwen/Qwen3-Embedding-0.6B BAAI/bge-m3"
        ),
    ),
    Service("upstage", "embedding", _names("embedding-query embedding-passage")),
    Service("vercel-ai-gateway", "embedding", _names("openai/text-embedding-3-small")),
    Service(
        "voyage-ai",
        "embedding",
        _names("voyage-4-large voyage-4 voyage-4-lite voyage-code-3"),
        drops=("encoding_format",),
        renames={"dimensions": "output_dimension"},
    ),
    Service(
        "jina-ai",
        "embedding",
        _names("jina-embeddings-v4 jina-embeddings-v5-text-small jina-code-embeddings-1.5b"),
        drops=("encoding_format",),
    ),
    Service(
        "cohere",
        "embedding",
        _names(
            "embed-v4.0 embed-english-v3.0 embed-multilingual-v3.0 embed-english-light-v3.0 "
            "embed-multilingual-light-v3.0"
        ),
        adapter="cohere-embed",
        base="../../v2",
    ),
)

MODERATIONS = (
    Service("openai", "moderation", _names("omni-moderation-latest text-moderation-latest")),
    Service("mistral", "moderation", ("mistral-moderation-latest",)),
)

RERANKS = (
    Service(
        "cohere",
        "rerank",
        _names("rerank-v4.0-pro rerank-v4.0-fast rerank-v3.5 rerank-multilingual-v3.0"),
        adapter="rerank",
        base="../../v2",
        prices={"rerank-v3.5": 2_000_000, "rerank-multilingual-v3.0": 2_000_000},
    ),
    Service("together", "rerank", ("Salesforce/Llama-Rank-V2",), adapter="rerank"),
    Service("nvidia", "rerank", ("nvidia/nv-rerankqa-mistral-4b-v3",), adapter="rerank-nvidia"),
    Service(
        "fireworks",
        "rerank",
        _names("accounts/fireworks/models/qwen3-reranker-8b"),
        adapter="rerank",
    ),
    Service("voyage-ai", "rerank", _names("rerank-2.5 rerank-2.5-lite"), adapter="rerank-voyage"),
    Service("jina-ai", "rerank", _names("jina-reranker-v3 jina-reranker-m0"), adapter="rerank"),
    Service(
        "siliconflow",
        "rerank",
        _names("Qwen/Qwen3-Reranker-8B Qwen/Qwen3-Reranker-4B BAAI/bge-reranker-v2-m3"),
        adapter="rerank",
    ),
    Service(
        "deepinfra",
        "rerank",
        _names("Qwen/Qwen3-Reranker-8B Qwen/Qwen3-Reranker-4B Qwen/Qwen3-Reranker-0.6B"),
        adapter="rerank-deepinfra",
        base="../inference",
    ),
    # Self-hosted servers that follow Cohere.
    *(Service(name, "rerank", adapter="rerank") for name in ("vllm", "llama-cpp", "xinference")),
)

IMAGES = (
    Service("openai", "image", _names("gpt-image-2 gpt-image-1.5 gpt-image-1-mini gpt-image-1")),
    Service("xai", "image", _names("grok-imagine-image-quality grok-imagine-image")),
    Service(
        "together",
        "image",
        _names("black-forest-labs/FLUX.2-pro black-forest-labs/FLUX.2-dev Wan-AI/Wan2.6-image"),
    ),
    Service("fireworks", "image", _names("accounts/fireworks/models/flux-1-dev-fp8")),
    Service("nebius", "image", ("black-forest-labs/flux-schnell",)),
    Service("hyperbolic", "image", ("SDXL1.0-base",), adapter="hyperbolic-image"),
    Service("sdwebui", "image", adapter="sdwebui-image"),
    Service("comfyui", "image", adapter="comfyui-image"),
)

SPEECH = (
    Service(
        "openai",
        "speech",
        _names("gpt-4o-mini-tts tts-1 tts-1-hd"),
        prices={"tts-1": 15_000, "tts-1-hd": 30_000},
    ),
    Service(
        "together",
        "speech",
        _names("cartesia/sonic-2 hexgrad/Kokoro-82M canopylabs/orpheus-3b-0.1-ft"),
    ),
    Service("hyperbolic", "speech", ("melo-tts",), adapter="hyperbolic-speech"),
    Service(
        "deepgram",
        "speech",
        _names("aura-2-thalia-en aura-asteria-en aura-luna-en aura-stella-en"),
        adapter="deepgram-speak",
        header="authorization",
        prefix="Token ",
    ),
    Service(
        "elevenlabs",
        "speech",
        _names("eleven_v3 eleven_multilingual_v2 eleven_turbo_v2_5 eleven_flash_v2_5"),
        adapter="elevenlabs",
        header="xi-api-key",
        prefix="",
    ),
    Service(
        "inworld",
        "speech",
        _names("inworld-tts-2 inworld-tts-1.5-max inworld-tts-1.5-mini"),
        adapter="inworld",
        header="authorization",
        prefix="Basic ",
    ),
    Service(
        "cartesia",
        "speech",
        _names("sonic-3 sonic-2"),
        adapter="cartesia",
        header="x-api-key",
        prefix="",
        headers=(("cartesia-version", "2024-06-10"),),
    ),
    Service(
        "playht",
        "speech",
        _names("PlayDialog Play3.0-mini"),
        adapter="playht",
        prefix="",
        header="authorization",
    ),
    Service(
        "minimax",
        "speech",
        _names("speech-2.8-hd speech-2.6-hd speech-2.6-turbo"),
        adapter="minimax-speech",
        base="../../v1",
        header="authorization",
    ),
    Service("coqui", "speech", adapter="coqui"),
)

TRANSCRIPTIONS = (
    Service(
        "openai",
        "transcription",
        _names("gpt-4o-transcribe gpt-4o-mini-transcribe whisper-1"),
        prices={"whisper-1": 100_000},
    ),
    Service("groq", "transcription", _names("whisper-large-v3 whisper-large-v3-turbo")),
    Service("together", "transcription", ("openai/whisper-large-v3",)),
    Service(
        "deepgram",
        "transcription",
        _names("nova-3 nova-2 whisper-large"),
        adapter="deepgram-listen",
        header="authorization",
        prefix="Token ",
    ),
    Service(
        "assemblyai",
        "transcription",
        _names("universal-3-pro universal-2"),
        adapter="assemblyai",
        header="authorization",
        prefix="",
    ),
)

FILMS_AND_MUSIC = (
    Service(
        "minimax",
        "video",
        _names("MiniMax-Hailuo-2.3 MiniMax-Hailuo-02 T2V-01-Director"),
        adapter="minimax-video",
        base="../../v1",
        header="authorization",
    ),
    Service("comfyui", "video", adapter="comfyui-video"),
    Service("sdwebui", "video", adapter="sdwebui-video"),
    Service(
        "minimax",
        "music",
        ("music-2.6",),
        adapter="minimax-music",
        base="../../v1",
        header="authorization",
    ),
    Service("comfyui", "music", adapter="comfyui-music"),
)

SERVICES: tuple[Service, ...] = (
    *EMBEDDINGS,
    *MODERATIONS,
    *RERANKS,
    *IMAGES,
    *SPEECH,
    *TRANSCRIPTIONS,
    *FILMS_AND_MUSIC,
)

_BY_PLACE = {(one.provider, one.kind): one for one in SERVICES}
_KINDS = {(one.provider, model): one for one in SERVICES for model in one.models}


_KINDS_WITHOUT_CHATS: Mapping[str, tuple[Capability, ...]] = {
    row.name: tuple(one.kind for one in SERVICES if one.provider == row.name)
    for row in SERVICE_PROVIDERS
}


def service_of(provider: str, kind: Capability, dialect: Dialect) -> Service:
    """Give how a provider serves a kind.

    One without a row does it in OpenAI's shape, but for vectors of whoever speaks as Gemini does.
    """
    found = _BY_PLACE.get((provider, kind))
    if found is None and (dialect, kind) == ("gemini", "embedding"):
        found = Service(provider, kind, adapter="gemini-embed")
    return found or Service(provider, kind)


def served_models(provider: str) -> tuple[str, ...]:
    """Give the models of a provider that are listed for something else than chats."""
    return tuple(model for one in SERVICES if one.provider == provider for model in one.models)


def with_service(facts: ModelFacts, provider: str, model: str) -> ModelFacts:
    """Give the facts of a model with what its row says of its kind and its unit's price.

    A model that no row lists, at a provider of no chats, may do whatever that provider does.
    """
    service = _KINDS.get((provider, model))
    if service is None:
        kinds = _KINDS_WITHOUT_CHATS.get(provider)
        return facts if kinds is None else replace(facts, capabilities=kinds)
    unit = service.prices.get(model)
    price = facts.price if unit is None else Price(0, 0, unit=unit)
    source = facts.price_source if unit is None else PRICES_OF
    return replace(facts, price=price, capabilities=(service.kind,), price_source=source)
