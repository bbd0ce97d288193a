"""What a start says."""

from dataclasses import replace
from pathlib import Path

from omniroute.server.cli.banner import StartFacts, banner
from omniroute.server.management import AccountJson, GatewayFacts, NoteJson
from omniroute.server.settings import Note, Settings, Sources

SETTINGS = Settings(data_dir=Path("/home/someone/.omniroute"))
FRESH = StartFacts(
    gateway=GatewayFacts("0.1.0", needs_key=False, keys=0, accounts=()),
    sources=Sources({}),
    url="http://127.0.0.1:20128",
)


def test_a_fresh_start_says_where_everything_is_and_that_answers_are_simulated() -> None:
    text = banner(SETTINGS, FRESH)

    assert text.splitlines()[:12] == [
        "OmniRoute 0.1.0 is running.",
        "",
        "  dashboard       http://127.0.0.1:20128/dashboard",
        "  OpenAI clients  http://127.0.0.1:20128/v1",
        "  other clients   http://127.0.0.1:20128 (Anthropic's, Google's, Ollama's)",
        "  MCP             http://127.0.0.1:20128/mcp",
        "  A2A             http://127.0.0.1:20128/a2a",
        "  agent card      http://127.0.0.1:20128/.well-known/agent-card.json",
        "  data folder     /home/someone/.omniroute",
        "  providers       no provider key found: answers come from the simulator",
        "  keys            none needed from this machine, until one is made",
        "",
    ]
    assert "curl http://127.0.0.1:20128/v1/chat/completions" in text
    assert "by `omniroute setup`" in text


def test_a_start_with_providers_and_keys_says_so() -> None:
    groq = AccountJson("a", "groq", "openai_chat", "u", "environment", key_from="GROQ_API_KEY")
    sim = AccountJson("s", "sim", "openai_chat", "u", "builtin", simulated=True)
    gateway = GatewayFacts(
        "0.1.0",
        needs_key=True,
        keys=1,
        accounts=(groq, sim),
        ignored=(NoteJson("OPENAI_API_KEY", "it is ours"),),
    )
    notes = (Note("warning", "X", "X in the environment has no effect"), Note("note", "Y", "quiet"))
    facts = replace(
        FRESH,
        gateway=gateway,
        sources=Sources({}, Path("/there/.env"), notes),
        mcp_url="http://127.0.0.1:20130/mcp",
    )

    text = banner(replace(SETTINGS, public_url="https://gateway.example"), facts)

    assert "providers           groq (GROQ_API_KEY)\n" in text
    assert "keys                every request needs one\n" in text
    assert "from outside        https://gateway.example\n" in text
    assert "MCP alone           http://127.0.0.1:20130/mcp\n" in text
    assert "settings also from  /there/.env\n" in text
    assert "Warning: X in the environment has no effect" in text
    assert "Warning: 1 provider variable was not taken" in text
    assert "Authorization: Bearer sk-omni-..." in text
    assert "quiet" not in text
