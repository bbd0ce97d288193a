"""The table of providers against the reference, sections 5.1, 5.3 and 5.4."""

import msgspec
import pytest

from omniroute.routing.catalog.providers import (
    LOCAL_PROVIDERS,
    PROVIDERS,
    provider_named,
    read_rows,
)
from omniroute.routing.upstream.egress import parse_base_url

API_KEY_PROVIDERS = {
    # name, prefix or alias in 5.1, base URL, dialect
    "gemini": ("gemini", "https://generativelanguage.googleapis.com/v1beta", "gemini"),
    "openai": ("openai", "https://api.openai.com/v1", "openai_chat"),
    "anthropic": ("anthropic", "https://api.anthropic.com/v1", "anthropic"),
    "openrouter": ("openrouter", "https://openrouter.ai/api/v1", "openai_chat"),
    "glm": ("glm", "https://api.z.ai/api/anthropic/v1", "anthropic"),
    "kimi": ("kimi", "https://api.moonshot.ai/v1", "openai_chat"),
    "minimax": ("minimax", "https://api.minimax.io/anthropic/v1", "anthropic"),
    "minimax-cn": ("minimax-cn", "https://api.minimaxi.com/anthropic/v1", "anthropic"),
    "deepseek": ("ds", "https://api.deepseek.com/v1", "openai_chat"),
    "groq": ("groq", "https://api.groq.com/openai/v1", "openai_chat"),
    "blackbox": ("bb", "https://api.blackbox.ai/v1", "openai_chat"),
    "xai": ("xai", "https://api.x.ai/v1", "openai_chat"),
    "mistral": ("mistral", "https://api.mistral.ai/v1", "openai_chat"),
    "perplexity": ("pplx", "https://api.perplexity.ai", "openai_chat"),
    "together": ("together", "https://api.together.xyz/v1", "openai_chat"),
    "fireworks": ("fireworks", "https://api.fireworks.ai/inference/v1", "openai_chat"),
    "cerebras": ("cerebras", "https://api.cerebras.ai/v1", "openai_chat"),
    "ollama-cloud": ("ollamacloud", "https://ollama.com/v1", "openai_chat"),
    "cohere": ("cohere", "https://api.cohere.com/compatibility/v1", "openai_chat"),
    "nvidia": ("nvidia", "https://integrate.api.nvidia.com/v1", "openai_chat"),
    "nebius": ("nebius", "https://api.tokenfactory.nebius.com/v1", "openai_chat"),
    "siliconflow": ("siliconflow", "https://api.siliconflow.com/v1", "openai_chat"),
    "hyperbolic": ("hyp", "https://api.hyperbolic.xyz/v1", "openai_chat"),
}
LOCAL_SERVERS = {
    "ollama-local": ("ollama", 11434, "/v1"),
    "lm-studio": ("lmstudio", 1234, "/v1"),
    "vllm": ("vllm", 8000, "/v1"),
    "llama-cpp": ("llamacpp", 8080, "/v1"),
    "llamafile": ("llamafile", 8080, "/v1"),
    "lemonade": ("lemonade", 13305, "/api/v1"),
    "triton": ("triton", 8000, "/v1"),
    "docker-model-runner": ("dmr", 12434, "/engines/v1"),
    "xinference": ("xinference", 9997, "/v1"),
    "oobabooga": ("ooba", 5000, "/v1"),
}
SEEDS_AT_THE_BASELINE = (
    "gemini/gemini-3.1-pro gemini/gemini-3-pro-preview gemini/gemini-2.5-flash-lite "
    "openai/gpt-4o openai/gpt-4o-mini openai/gpt-4-turbo openai/o1 openai/o1-mini "
    "anthropic/claude-sonnet-4-20250514 anthropic/claude-3-5-sonnet-20241022 openrouter/auto "
    "glm/glm-4.7-flash glm/glm-4-32b kimi/kimi-k2.5-thinking kimi/kimi-for-coding "
    "minimax/MiniMax-M2.1 minimax-cn/MiniMax-M2.1 deepseek/deepseek-chat "
    "deepseek/deepseek-reasoner groq/llama-3.3-70b-versatile groq/qwen/qwen3-32b "
    "blackbox/blackboxai-pro xai/grok-code-fast-1 mistral/codestral-latest perplexity/sonar "
    "together/Qwen/Qwen3-235B-A22B fireworks/accounts/fireworks/models/deepseek-v3p1 "
    "cerebras/qwen-3-32b ollama-cloud/deepseek-r2:671b cohere/command-a-03-2025 "
    "nvidia/moonshotai/kimi-k2.5 nebius/meta-llama/Llama-3.3-70B-Instruct "
    "siliconflow/baidu/ERNIE-4.5-300B-A47B hyperbolic/NousResearch/Hermes-3-Llama-3.1-70B"
)
# Section 5.3 without the rows of 5.1: the name or an alias of each, as the reference has it.
LATER_PROVIDERS = (
    "agentrouter ai21 aiml ali ali-cn baichuan baidu baseten bzl bm bpm bytez chutes cf codestral "
    "crof databricks deepinfra dgrid dai doubao featherless friendli ghm glb glb-gmi glmcn heroku "
    "hf iflytek inet kie kg liquid llamagate llm7 lc meta monster moonshot morph nanogpt nous "
    "novita nscale oad opencode-go opencode-zen orcarouter ovh pn poe pol publicai qianfan reka "
    "samba scw sensenova snowflake sparkdesk stepfun synthetic tencent trk upstage v0 venice vag "
    "volcengine wafer wandb mimo yi zai zm "
    "clarifai datarobot digitalocean empower getgoapi laozhang maritalk modelscope oci qiniu "
    "requesty thebai"
)
# Docs/decisions/0040 says why each of these is left out.
LEFT_OUT = (
    "api-airforce bailian-coding-plan command-code coze dify factory freeaiapikey freemodel-dev "
    "galadriel gigachat glhf glmt hackclub inclusionai kluster lambda-ai modal nlpcloud predibase "
    "puter uncloseai"
)
SUBSCRIPTIONS = "claude codex gemini-cli antigravity github cursor kiro qwen iflow cline kilocode"


@pytest.mark.parametrize("name", API_KEY_PROVIDERS)
def test_every_api_key_provider_of_the_reference_has_a_row(name: str) -> None:
    alias, base_url, dialect = API_KEY_PROVIDERS[name]

    row = provider_named(alias)

    assert row is not None
    assert (row.name, row.base_url, row.dialect) == (name, base_url, dialect)
    assert row.key_variables
    assert row.models
    assert not row.local


@pytest.mark.parametrize("name", LOCAL_SERVERS)
def test_every_local_chat_server_of_the_reference_has_a_row(name: str) -> None:
    alias, port, path = LOCAL_SERVERS[name]

    row = provider_named(alias)

    assert row is not None
    assert row.name == name
    assert row.base_url == f"http://127.0.0.1:{port}{path}"
    assert row.local
    assert not row.key_variables


@pytest.mark.parametrize("name", LATER_PROVIDERS.split())
def test_every_later_provider_of_the_reference_has_a_row(name: str) -> None:
    row = provider_named(name)

    assert row is not None
    assert row.key_variables
    assert not row.local


@pytest.mark.parametrize("name", LEFT_OUT.split())
def test_what_may_not_or_cannot_be_used_has_no_row(name: str) -> None:
    assert provider_named(name) is None


def test_only_the_references_local_servers_are_looked_for() -> None:
    assert {one.name for one in LOCAL_PROVIDERS} == set(LOCAL_SERVERS)


def test_a_row_needs_no_code() -> None:
    text = (
        b'[{"name": "new", "title": "New", "base_url": "https://new.example/v1", '
        b'"source": "https://new.example/docs", "auth": "api-key"}]'
    )

    (row,) = read_rows(text)

    assert (row.name, row.dialect, row.auth) == ("new", "openai_chat", "api-key")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (b'[{"name": "new", "title": "New", "base_url": "https://x"}]', "source"),
        (b'[{"name": "a", "title": "A", "base_url": "b", "source": "c", "naem": 1}]', "naem"),
        (b'[{"name": "a", "title": "A", "base_url": 7, "source": "c"}]', "base_url"),
    ],
)
def test_a_row_that_is_wrong_is_refused_by_name(text: bytes, word: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=word):
        read_rows(text)


def test_a_name_or_variable_that_stands_in_two_rows_is_refused() -> None:
    text = msgspec.json.encode(
        [
            {
                "name": name,
                "title": "T",
                "base_url": f"https://{name}.example/v1",
                "source": "s",
                "key_variables": ["KEY"],
            }
            for name in ("one", "two")
        ]
    )

    with pytest.raises(ValueError, match="'KEY' stands twice"):
        read_rows(text)


@pytest.mark.parametrize("target", SEEDS_AT_THE_BASELINE.split())
def test_the_models_of_the_baseline_are_seeded(target: str) -> None:
    provider, _, model = target.partition("/")

    row = provider_named(provider)

    assert row is not None
    assert model in row.models


@pytest.mark.parametrize(
    ("alias", "name"),
    [("google", "gemini"), ("ds", "deepseek"), ("moonshot", "kimi"), ("OpenAI", "openai")],
)
def test_documented_names_are_aliases(alias: str, name: str) -> None:
    row = provider_named(alias)

    assert row is not None
    assert row.name == name


@pytest.mark.parametrize("name", SUBSCRIPTIONS.split())
def test_no_subscription_is_offered_as_a_provider(name: str) -> None:
    assert provider_named(name) is None


def test_names_and_aliases_are_of_one_row_and_a_key_goes_to_one_server() -> None:
    names = [name for one in PROVIDERS for name in (one.name, *one.aliases)]
    places = {
        (variable, row.base_url.split("/")[2]) for row in PROVIDERS for variable in row.variables
    }

    assert len(names) == len(set(names))
    assert len(places) == len({variable for variable, _ in places})


def test_every_base_url_can_be_connected_to_and_ends_without_a_slash() -> None:
    for row in PROVIDERS:
        url = row.base_url.replace("{", "").replace("}", "")
        base = parse_base_url(url)

        assert not url.endswith("/")
        assert base.origin.scheme == ("http" if row.local else "https")


def test_a_provider_names_no_model_twice() -> None:
    for row in PROVIDERS:
        assert len(row.models) == len(set(row.models))
