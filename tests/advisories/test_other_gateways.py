"""Advisories of other programs that stand between clients and models. Read 2026-11-23."""

import re
from pathlib import Path

import pytest

from tests.advisories.attacked import CHAT, INITIALIZE, MCP, SIMULATED, Attacked
from tests.processes import RunningGateway

pytestmark = pytest.mark.xdist_group("advisories")
ROOT = Path(__file__).parent.parent.parent
CLOSED = {401, 403, 404, 405, 410}


@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/v1/models", b"//v1/models"])
@pytest.mark.parametrize("host", [b"127.0.0.1/x?", b"127.0.0.1/health?y=", b"localhost#"])
def test_a_host_does_not_take_the_path_out_of_v1(
    target: Attacked, path: bytes, host: bytes
) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2026-48746 (vLLM)."""
    for method in (b"GET", b"POST"):
        sent = b"%b %b HTTP/1.1\r\nhost: %b\r\ncontent-length: 0\r\n\r\n" % (method, path, host)
        assert target.status(sent) in (400, 421)


def test_keys_are_compared_in_constant_time() -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2025-59425 (vLLM): == on a key."""
    guarded = [ROOT / "server/auth.py", *(ROOT / "server/store").glob("key*.py")]
    plain = re.compile(r"(?:digest|token|secret|presented)\w*\s*[!=]=\s*(?!None)")
    texts = {path.name: path.read_text() for path in guarded}

    assert sum("compare_digest(" in text for text in texts.values()) >= 2
    assert [name for name, text in texts.items() if plain.search(text)] == []


def test_a_wrong_key_is_refused_in_the_same_words_wherever_it_is_wrong(target: Attacked) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2025-59425 (vLLM): what a guess can learn."""
    key = target.keys["agent"]
    wrong = (
        key[:-1] + ("a" if key[-1] != "a" else "b"),
        "sk-omni-" + "z" * 12 + key[20:],
        "sk-omni-fake",
        "x",
    )

    answers = [target.ask("POST", "/v1/messages", CHAT, x_api_key=one) for one in wrong]

    shown = {re.sub(rb'"req_[^"]+"', b"", answer.body) for answer in answers}
    assert {answer.status for answer in answers} == {401}
    assert len(shown) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", "/api/tags"), ("POST", "/api/show"), ("POST", "/api/chat")),
        *(("POST", "/api/generate"), ("POST", "/api/embed"), ("POST", "/api/pull")),
        *(("DELETE", "/api/delete"), ("POST", "/api/create"), ("POST", "/api/push")),
        *(("POST", "/api/copy"), ("GET", "/api/ps"), ("POST", "/api/blobs/sha256:x")),
    ],
)
def test_ollama_s_paths_need_a_key_or_are_not_there(
    target: Attacked, method: str, path: str
) -> None:
    """https://github.com/advisories/GHSA-f6mr-38g8-39rg (Ollama, CVE-2025-63389)."""
    body = {"model": "sim/fast", "name": "../../etc/passwd"}

    assert target.ask(method, path, body).status in CLOSED


@pytest.mark.parametrize("host", ["evil.example", "evil.example:11434", "localhost.evil.example"])
def test_a_web_page_cannot_rebind_its_name_to_ollama_s_paths(
    keyless: RunningGateway, host: str
) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2024-28224 (Ollama)."""
    for method, path in (("GET", "/api/tags"), ("POST", "/api/chat"), ("GET", "/api/keys")):
        assert keyless.call(method, path, SIMULATED, headers={"host": host}).status == 421


@pytest.mark.parametrize(
    "header",
    ["x-portkey-custom-host", "x-portkey-config", "helicone-target-url", "x-target-url", "x-host"],
)
def test_no_header_names_the_upstream(target: Attacked, header: str) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2025-66405 (Portkey)."""
    named = {header.replace("-", "_"): f"{target.trap.url}/v1"}

    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        body = {**CHAT, "input": "hello", "max_tokens": 5}
        target.ask("POST", path, body, "agent", **named)
        assert header not in target.provider.asked[-1][1]

    assert target.trap.asked == []


@pytest.mark.parametrize("path", ["/v1/proxy/chat/completions", "/proxy/x", "/v1/http://x/y"])
def test_no_older_route_goes_past_the_checks(target: Attacked, path: str) -> None:
    """https://github.com/Portkey-AI/gateway/issues/1718."""
    named = {"x_portkey_custom_host": target.trap.url, "x_portkey_provider": "openai"}

    statuses = {target.ask("POST", path, CHAT, who, **named).status for who in (None, "agent")}

    assert statuses <= CLOSED
    assert target.trap.asked == []


def test_the_default_is_not_to_let_everyone_in(target: Attacked) -> None:
    """https://github.com/Helicone/ai-gateway/issues/307."""
    asked = len(target.provider.asked)

    statuses = {
        target.ask("POST", path, CHAT).status
        for path in (
            "/ai/v1/chat/completions",
            "/v1/chat/completions",
            "/router/x",
            "/v1/embeddings",
        )
    }

    assert statuses <= {401, 404}
    assert len(target.provider.asked) == asked


@pytest.mark.parametrize("header", ["x_api_key", "x_goog_api_key", "api_key"])
def test_a_key_s_limits_hold_for_each_header(target: Attacked, header: str) -> None:
    """https://github.com/advisories/GHSA-57q6-fvp4-pqmm (Open WebUI)."""
    for path in ("/api/keys", "/api/providers", "/api/doctor"):
        assert target.ask("GET", path, **{header: target.keys["narrow"]}).status == 403
    assert target.ask("POST", "/v1/messages", CHAT, **{header: target.keys["reader"]}).status == 403


@pytest.mark.parametrize("path", ["/v1/mcp/tools", "/v1/mcp/servers", "/v1/mcp/execute", "/mcp"])
def test_tools_are_behind_the_same_key(target: Attacked, path: str) -> None:
    """https://github.com/jundot/omlx/issues/923."""
    for method in ("GET", "POST"):
        assert target.ask(method, path, INITIALIZE, **MCP).status in CLOSED


@pytest.mark.parametrize("key", ["sk-ant-fabricated", "sk-fake", "placeholder"])
def test_a_fabricated_vendor_s_key_buys_no_answer(target: Attacked, key: str) -> None:
    """https://github.com/github/gh-aw-firewall/issues/2025."""
    asked = len(target.provider.asked)

    models = target.ask("GET", "/v1/models", x_api_key=key)
    answer = target.ask("POST", "/v1/messages", {**CHAT, "max_tokens": 5}, x_api_key=key)

    assert [models.status, answer.status] == [401, 401]
    assert len(target.provider.asked) == asked


@pytest.mark.parametrize(
    "bytes_sent", [b"\r\nx-admin: 1", b"\nset-cookie: a=b", b"\x00", b"\rx: y"]
)
def test_a_name_makes_no_line_of_a_header(target: Attacked, bytes_sent: bytes) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2024-6587: its sequel put lines into requests."""
    model = "mine/m" + bytes_sent.decode("latin-1")

    answer = target.ask("POST", "/v1/chat/completions", {**CHAT, "model": model}, "agent")

    assert 400 <= answer.status < 500
    assert not {"x-admin", "set-cookie"} & {name.lower() for name in answer.headers}
