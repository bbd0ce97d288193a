"""The providers we know: one row each, and everything said about one is said in its row.

A row is a convenience, not a border: users add endpoints of their own as accounts with their
own provider name (see accounts.py). `models` are names to begin with, for listing and for
`auto`; a provider serves whatever model its account names, also one that is not listed.

Sources: OmniRoute's reference, sections 5.1 (rows and models), 5.3 (newer models; Cohere's
compatibility URL, Ollama Cloud's address) and 5.4 (local servers). Anthropic's model names
are in the vendor's own spelling (dashes), Fireworks' with the path its API wants, and Docker
Model Runner's address is the one of its own manual. Key and base URL variables are those of
the vendors' own SDKs and documentation, as of 2026-11.
"""

from dataclasses import dataclass

from ..model import Dialect

CACHE_S = 300.0
"""The shortest that providers with a prompt cache name: Anthropic's, and OpenAI's 5 to 10 minutes.

DeepSeek names hours. Source: their guides on prompt caching, read 2026-11.
"""


@dataclass(frozen=True, slots=True)
class Provider:
    """One upstream service.

    Attributes:
        name: what stands before the slash in `provider/model`.
        base_url: up to where the dialect's own path begins (`/chat/completions`,
            `/messages`, `/models/{model}:...`).
        key_variables: environment variables that hold its key; the first one set counts.
        url_variables: environment variables that hold another base URL for it.
        url_suffix: what the vendor's SDK itself adds to such a base URL.
        price_list: its list in prices.json, None where no list is known.
        port: the usual port of a local server, None for a service in the network.
        streams_usage: False where a request with `stream_options.include_usage` is refused
            or hangs, so that it must not be sent.
        runs_on: a stream that is left is written to its end all the same, and billed whole.
        cache_s: how long it likely keeps a prompt that is not used, to read it again for less.
    """

    name: str
    title: str
    base_url: str
    key_variables: tuple[str, ...] = ()
    dialect: Dialect = "openai_chat"
    aliases: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    price_list: str | None = None
    url_variables: tuple[str, ...] = ()
    url_suffix: str = ""
    port: int | None = None
    streams_usage: bool = True
    cache_s: float = CACHE_S
    runs_on: bool = False

    @property
    def local(self) -> bool:
        """Whether it is a server on the user's own machine."""
        return self.port is not None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PROVIDERS: tuple[Provider, ...] = (
    Provider(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        price_list="openai",
        url_variables=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
        models=_names(
            "gpt-5.5 gpt-5.5-pro gpt-5.4 gpt-5.4-pro gpt-5.4-mini gpt-5.4-nano gpt-4.1 "
            "gpt-4.1-mini gpt-4.1-nano gpt-4o gpt-4o-mini gpt-4-turbo o1 o1-mini"
        ),
    ),
    Provider(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com/v1",
        ("ANTHROPIC_API_KEY",),
        "anthropic",
        price_list="anthropic",
        url_variables=("ANTHROPIC_BASE_URL",),
        url_suffix="/v1",
        models=_names(
            "claude-opus-5-5 claude-sonnet-5-5 claude-haiku-5-5 claude-fable-5 claude-sonnet-5 "
            "claude-opus-4-8 claude-opus-4-7 claude-opus-4-6 claude-opus-4-5 claude-sonnet-4-6 "
            "claude-sonnet-4-5 claude-haiku-4-5 claude-sonnet-4-20250514 "
            "claude-opus-4-20250514 claude-3-5-sonnet-20241022"
        ),
    ),
    Provider(
        "gemini",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY", "GOOGLE_GENERATIVE_AI_API_KEY"),
        "gemini",
        aliases=("google",),
        price_list="google",
        url_variables=("GOOGLE_GEMINI_BASE_URL", "GEMINI_BASE_URL"),
        url_suffix="/v1beta",
        models=_names(
            "gemini-3.5-flash gemini-3.1-pro-preview gemini-3.1-flash-lite "
            "gemini-3-flash-preview gemini-2.5-pro gemini-2.5-flash gemini-2.5-flash-lite "
            "gemini-3.1-pro gemini-3.1-flash gemini-3-pro-preview"
        ),
        runs_on=True,
    ),
    Provider(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        price_list="openrouter",
        models=("auto",),
        runs_on=True,
    ),
    Provider(
        "glm",
        "GLM (Z.AI)",
        "https://api.z.ai/api/anthropic/v1",
        ("ZAI_API_KEY", "Z_AI_API_KEY", "GLM_API_KEY"),
        "anthropic",
        aliases=("zai",),
        price_list="zai",
        models=_names(
            "glm-5.2 glm-5.1 glm-5 glm-5-turbo glm-4.7-flash glm-4.7 glm-4.6v glm-4.6 glm-4.5v "
            "glm-4.5 glm-4.5-air glm-4-32b"
        ),
    ),
    Provider(
        "kimi",
        "Kimi (Moonshot AI)",
        "https://api.moonshot.ai/v1",
        ("MOONSHOT_API_KEY", "KIMI_API_KEY"),
        aliases=("moonshot",),
        price_list="moonshotai",
        models=_names("kimi-k2.6 kimi-k2.5 kimi-k2.5-thinking kimi-latest kimi-for-coding"),
    ),
    Provider(
        "minimax",
        "MiniMax",
        "https://api.minimax.io/anthropic/v1",
        ("MINIMAX_API_KEY",),
        "anthropic",
        price_list="minimax",
        models=_names(
            "MiniMax-M3 MiniMax-M2.7 MiniMax-M2.7-highspeed MiniMax-M2.5 MiniMax-M2.5-highspeed "
            "MiniMax-M2.1"
        ),
        runs_on=True,
    ),
    Provider(
        "minimax-cn",
        "MiniMax (China)",
        "https://api.minimaxi.com/anthropic/v1",
        ("MINIMAX_CN_API_KEY",),
        "anthropic",
        price_list="minimax",
        models=_names(
            "MiniMax-M3 MiniMax-M2.7 MiniMax-M2.7-highspeed MiniMax-M2.5 MiniMax-M2.5-highspeed "
            "MiniMax-M2.1"
        ),
        runs_on=True,
    ),
    Provider(
        "deepseek",
        "DeepSeek",
        "https://api.deepseek.com/v1",
        ("DEEPSEEK_API_KEY",),
        aliases=("ds",),
        cache_s=3600.0,
        price_list="deepseek",
        models=_names("deepseek-v4-pro deepseek-v4-flash deepseek-chat deepseek-reasoner"),
    ),
    Provider(
        "groq",
        "Groq",
        "https://api.groq.com/openai/v1",
        ("GROQ_API_KEY",),
        price_list="groq",
        url_variables=("GROQ_BASE_URL",),
        url_suffix="/openai/v1",
        models=_names(
            "llama-3.3-70b-versatile openai/gpt-oss-120b openai/gpt-oss-20b qwen/qwen3-32b "
            "qwen/qwen3.6-27b meta-llama/llama-4-scout-17b-16e-instruct "
            "meta-llama/llama-4-maverick-17b-128e-instruct openai/gpt-oss-safeguard-20b"
        ),
        runs_on=True,
    ),
    Provider(
        "blackbox",
        "Blackbox AI",
        "https://api.blackbox.ai/v1",
        ("BLACKBOX_API_KEY",),
        aliases=("bb",),
        models=_names(
            "claude-fable-5 claude-opus-4.8 claude-sonnet-5 claude-sonnet-4.6 gpt-5.5 "
            "gpt-5.4-pro gpt-5.4 gpt-5.3-codex gpt-5.4-nano deepseek-v4-flash gpt-4o "
            "gemini-2.5-flash claude-sonnet-4 deepseek-v3 blackboxai blackboxai-pro"
        ),
    ),
    Provider(
        "xai",
        "xAI (Grok)",
        "https://api.x.ai/v1",
        ("XAI_API_KEY",),
        price_list="x-ai",
        models=_names(
            "grok-4.3 grok-build-0.1 grok-4.20-multi-agent-0309 grok-4.20-0309-reasoning "
            "grok-4.20-0309-non-reasoning grok-4 grok-4-fast-reasoning grok-code-fast-1 grok-3"
        ),
    ),
    Provider(
        "mistral",
        "Mistral",
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        price_list="mistral",
        models=_names(
            "mistral-large-latest mistral-medium-3-5 mistral-medium-latest mistral-small-latest "
            "devstral-latest codestral-latest"
        ),
        # Usage comes unasked; the option itself answers 422 (openai-agents-python#442).
        streams_usage=False,
        runs_on=True,
    ),
    Provider(
        "perplexity",
        "Perplexity",
        "https://api.perplexity.ai",
        ("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        aliases=("pplx",),
        price_list="perplexity",
        models=_names("sonar-pro sonar sonar-reasoning-pro sonar-deep-research"),
        runs_on=True,
    ),
    Provider(
        "together",
        "Together AI",
        "https://api.together.xyz/v1",
        ("TOGETHER_API_KEY", "TOGETHERAI_API_KEY"),
        price_list="together",
        models=_names(
            "meta-llama/Llama-3.3-70B-Instruct-Turbo deepseek-ai/DeepSeek-R1 "
            "Qwen/Qwen3-235B-A22B meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8 "
            "meta-llama/Llama-3.3-70B-Instruct-Turbo-Free meta-llama/Llama-Vision-Free "
            "deepseek-ai/DeepSeek-R1-Distill-Llama-70B-Free"
        ),
    ),
    Provider(
        "fireworks",
        "Fireworks AI",
        "https://api.fireworks.ai/inference/v1",
        ("FIREWORKS_API_KEY",),
        price_list="fireworks",
        models=tuple(
            f"accounts/fireworks/models/{name}"
            for name in _names(
                "deepseek-v4-flash deepseek-v4-pro glm-5p1 gpt-oss-120b gpt-oss-20b kimi-k2p5 "
                "kimi-k2p6 minimax-m2p5 minimax-m2p7 qwen3p6-plus deepseek-v3p1 "
                "llama-v3p3-70b-instruct qwen3-235b-a22b"
            )
        ),
    ),
    Provider(
        "cerebras",
        "Cerebras",
        "https://api.cerebras.ai/v1",
        ("CEREBRAS_API_KEY",),
        price_list="cerebras",
        models=_names(
            "gpt-oss-120b zai-glm-4.7 gemma-4-31b llama-3.3-70b llama-4-scout-17b-16e-instruct "
            "qwen-3-235b-a22b-instruct-2507 qwen-3-32b"
        ),
    ),
    Provider(
        "ollama-cloud",
        "Ollama Cloud",
        "https://ollama.com/v1",
        ("OLLAMA_API_KEY",),
        aliases=("ollamacloud",),
        models=_names(
            "deepseek-v4-pro deepseek-v4-flash kimi-k2.6 glm-5.1 minimax-m3 minimax-m2.7 "
            "gemma4:31b nemotron-3-super qwen3.5:397b gemma3:27b llama3.3:70b qwen3:72b "
            "devstral:24b deepseek-r2:671b phi4:14b mistral-small3.2:24b"
        ),
    ),
    Provider(
        "cohere",
        "Cohere",
        "https://api.cohere.com/compatibility/v1",
        ("COHERE_API_KEY", "CO_API_KEY"),
        price_list="cohere",
        models=_names(
            "command-a-03-2025 command-a-reasoning-08-2025 command-a-vision-07-2025 "
            "command-r7b-12-2024 command-r-plus-08-2024 command-r-08-2024"
        ),
    ),
    Provider(
        "nvidia",
        "NVIDIA NIM",
        "https://integrate.api.nvidia.com/v1",
        ("NVIDIA_API_KEY", "NVIDIA_NIM_API_KEY"),
        models=_names(
            "z-ai/glm-5.2 minimaxai/minimax-m2.7 google/gemma-4-31b-it "
            "mistralai/mistral-small-4-119b-2603 mistralai/mistral-large-3-675b-instruct-2512 "
            "mistralai/devstral-2-123b-instruct-2512 qwen/qwen3.5-397b-a17b "
            "qwen/qwen3.5-122b-a10b stepfun-ai/step-3.5-flash stepfun-ai/step-3.7-flash "
            "moonshotai/kimi-k2.5 z-ai/glm4.7 deepseek-ai/deepseek-v3.2 "
            "nvidia/llama-3.3-70b-instruct meta/llama-4-maverick-17b-128e-instruct "
            "deepseek/deepseek-r1"
        ),
        # A stream that is asked for its usage never answers (HKUDS/DeepTutor#420).
        streams_usage=False,
    ),
    Provider(
        "nebius",
        "Nebius AI",
        "https://api.tokenfactory.nebius.com/v1",
        ("NEBIUS_API_KEY",),
        price_list="huggingface_nebius",
        models=("meta-llama/Llama-3.3-70B-Instruct",),
        runs_on=True,
    ),
    Provider(
        "siliconflow",
        "SiliconFlow",
        "https://api.siliconflow.com/v1",
        ("SILICONFLOW_API_KEY",),
        models=_names(
            "deepseek-ai/DeepSeek-V3.2 deepseek-ai/DeepSeek-V3.2-Exp deepseek-ai/DeepSeek-V3.1 "
            "deepseek-ai/DeepSeek-V3.1-Terminus deepseek-ai/DeepSeek-V3 deepseek-ai/DeepSeek-R1 "
            "deepseek-ai/deepseek-vl2 nex-agi/DeepSeek-V3.1-Nex-N1 Qwen/Qwen3.6-35B-A3B "
            "Qwen/Qwen3.6-27B Qwen/Qwen3-235B-A22B-Instruct-2507 "
            "Qwen/Qwen3-Coder-480B-A35B-Instruct Qwen/Qwen3-32B moonshotai/Kimi-K2.5 "
            "zai-org/GLM-4.7 openai/gpt-oss-120b baidu/ERNIE-4.5-300B-A47B"
        ),
    ),
    Provider(
        "hyperbolic",
        "Hyperbolic",
        "https://api.hyperbolic.xyz/v1",
        ("HYPERBOLIC_API_KEY",),
        aliases=("hyp",),
        price_list="huggingface_hyperbolic",
        models=_names(
            "Qwen/QwQ-32B deepseek-ai/DeepSeek-R1 deepseek-ai/DeepSeek-V3 "
            "meta-llama/Llama-3.3-70B-Instruct meta-llama/Llama-3.2-3B-Instruct "
            "Qwen/Qwen2.5-72B-Instruct Qwen/Qwen2.5-Coder-32B-Instruct "
            "NousResearch/Hermes-3-Llama-3.1-70B"
        ),
    ),
    # Servers on the user's own machine: no key, no price, models as the server lists them.
    # Where two share a port, a server found there is taken for the first of them.
    Provider(
        "ollama-local",
        "Ollama",
        "http://127.0.0.1:11434/v1",
        aliases=("ollama",),
        url_variables=("OLLAMA_HOST",),
        url_suffix="/v1",
        port=11434,
    ),
    Provider(
        "lm-studio", "LM Studio", "http://127.0.0.1:1234/v1", aliases=("lmstudio",), port=1234
    ),
    Provider("vllm", "vLLM", "http://127.0.0.1:8000/v1", port=8000),
    Provider(
        "llama-cpp", "llama.cpp", "http://127.0.0.1:8080/v1", aliases=("llamacpp",), port=8080
    ),
    Provider("llamafile", "llamafile", "http://127.0.0.1:8080/v1", port=8080),
    Provider("lemonade", "Lemonade", "http://127.0.0.1:13305/api/v1", port=13305),
    Provider("triton", "Triton", "http://127.0.0.1:8000/v1", port=8000),
    Provider(
        "docker-model-runner",
        "Docker Model Runner",
        "http://127.0.0.1:12434/engines/v1",
        aliases=("dmr",),
        port=12434,
    ),
    Provider("xinference", "Xinference", "http://127.0.0.1:9997/v1", port=9997),
    Provider("oobabooga", "oobabooga", "http://127.0.0.1:5000/v1", aliases=("ooba",), port=5000),
)

LOCAL_PROVIDERS = tuple(one for one in PROVIDERS if one.local)

_BY_NAME = {name: one for one in PROVIDERS for name in (one.name, *one.aliases)}


def provider_named(name: str) -> Provider | None:
    """Give the row of a provider's name or alias, whatever its case; None when unknown."""
    return _BY_NAME.get(name.lower())
