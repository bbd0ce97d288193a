"""The advisories of LiteLLM, the gateway in Python that most people run.

The list: https://github.com/BerriAI/litellm/security/advisories, and the issues that are named;
read 2026-11-23.
"""

import ast
from pathlib import Path

import pytest

from tests.advisories.attacked import CHAT, INITIALIZE, MCP, SIMULATED, Attacked

pytestmark = pytest.mark.xdist_group("advisories")
ROOT = Path(__file__).parent.parent.parent
CLOSED = {401, 403, 404, 405, 410}
INJECTIONS = (
    "' OR '1'='1",
    "sk-omni-' OR 1=1 --",
    "sk-omni-aaaaaaaaaaaa' UNION SELECT digest FROM keys --",
    'x"; DROP TABLE keys; --',
    "sk-omni-$1",
    "sk-omni-%s%s%s%n",
    "\\x00' || pg_sleep(9) || '",
    "{{7*7}}",
)


@pytest.mark.parametrize("header", ["authorization", "x_api_key", "x_goog_api_key", "api_key"])
@pytest.mark.parametrize("text", INJECTIONS)
def test_a_key_is_never_part_of_a_statement(target: Attacked, header: str, text: str) -> None:
    """https://github.com/advisories/GHSA-r75f-5x8p-qvmc (CVE-2026-42208)."""
    sent = {header: f"Bearer {text}" if header == "authorization" else text}

    injected = target.ask("POST", "/v1/chat/completions", CHAT, **sent)
    plain = target.ask("POST", "/v1/chat/completions", CHAT, authorization="Bearer sk-fake")

    assert injected.status == plain.status == 401
    assert injected.body == plain.body
    assert target.ask("GET", "/api/keys", None, "admin").status == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/mcp-rest/test/connection", "/mcp-rest/test/tools/list", "/v1/mcp/server", "/api/mcp"),
        *("/mcp/test/connection", "/api/mcp/test", "/api/mcp/servers"),
    ],
)
def test_no_connection_is_tried_by_starting_a_program(
    target: Attacked, tmp_path: Path, path: str
) -> None:
    """https://github.com/advisories/GHSA-v4p8-mg3p-g94g (CVE-2026-42271)."""
    made = tmp_path / "made"
    body = {"transport": "stdio", "command": "touch", "args": [str(made)], "env": {}}

    statuses = {target.ask("POST", path, body, who).status for who in (None, "agent", "admin")}

    assert statuses <= CLOSED
    assert not made.exists()


TEMPLATES = (
    "{{7*191}}",
    "{% for x in ().__class__.__base__.__subclasses__() %}{{x}}{% endfor %}",
    "${7*191}",
    "{0.__class__}",
    "%(x)s",
    "#{7*191}",
)


@pytest.mark.parametrize("text", TEMPLATES)
@pytest.mark.parametrize("cve", ["GHSA-xqmj-j6mv-4862", "GHSA-46cm-pfwv-cgf8"])
def test_what_a_user_writes_is_no_template(target: Attacked, cve: str, text: str) -> None:
    """https://github.com/advisories/GHSA-xqmj-j6mv-4862 and .../GHSA-46cm-pfwv-cgf8."""
    tried = target.ask("POST", "/prompts/test", {"prompt": text}, "admin")
    body = {**CHAT, "messages": [{"role": "user", "content": text}], "chat_template": text}
    completion = {"model": "mine/m", "prompt": text}

    target.ask("POST", "/v1/chat/completions", body, "agent")
    chatted = target.provider.asked[-1][2]
    target.ask("POST", "/v1/completions", completion, "agent")
    completed = target.provider.asked[-1][2]

    assert cve.startswith("GHSA-")
    assert tried.status in CLOSED
    assert b"1337" not in chatted + completed
    assert text.encode() in chatted
    assert text.encode() in completed


def test_a_key_is_known_by_all_of_it(target: Attacked) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2026-35030: a cache knew tokens by 20 characters."""
    key = target.keys["agent"]
    others = [
        *(key[:at] + ("a" if key[at] != "a" else "b") + key[at + 1 :] for at in range(8, len(key))),
        *(key[:at] for at in range(20, len(key), 7)),
        key + "x",
        key.swapcase(),
    ]

    right = target.ask("GET", "/v1/models", authorization=f"Bearer {key}").status
    tried = [target.ask("GET", "/v1/models", authorization=f"Bearer {one}") for one in others]
    again = target.ask("GET", "/v1/models", authorization=f"Bearer {key}").status

    assert {answer.status for answer in tried} == {401}
    assert (right, again) == (200, 200)


@pytest.mark.parametrize(
    ("link", "path", "body"),
    [
        (
            "https://nvd.nist.gov/vuln/detail/CVE-2026-35029",
            "/config/update",
            {
                "general_settings": {
                    "pass_through_endpoints": [{"path": "/x", "target": "file:///"}]
                }
            },
        ),
        (
            "https://nvd.nist.gov/vuln/detail/CVE-2024-6825",
            "/api/settings",
            {"post_call_rules": "os.system"},
        ),
        (
            "https://nvd.nist.gov/vuln/detail/CVE-2026-40217",
            "/guardrails/test_custom_code",
            {"custom_code": "import os; os.system('id')"},
        ),
        (
            "https://nvd.nist.gov/vuln/detail/CVE-2026-40217",
            "/guardrails",
            {"guardrail": {"litellm_params": {"custom_code": "def apply(x): return x"}}},
        ),
    ],
)
def test_no_configuration_is_a_program(
    target: Attacked, link: str, path: str, body: object
) -> None:
    """The link is in the parameter: https://nvd.nist.gov/vuln/detail/... ."""
    statuses = {
        target.ask(method, path, body, who).status
        for method in ("POST", "PUT", "PATCH")
        for who in (None, "agent", "admin")
    }

    assert link.startswith("https://")
    assert not [one for one in statuses if one < 400 or one >= 500]


def test_nothing_that_is_shipped_runs_text() -> None:
    """https://www.obsidiansecurity.com/blog/litellm-privilege-escalation-rce (CVE-2026-40217)."""
    files = [
        path
        for room in ("routing", "tools", "a2a", "server")
        for path in (ROOT / room).rglob("*.py")
    ]

    found = [
        f"{path}:{node.lineno}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("exec", "eval", "compile", "__import__")
    ]

    assert len(files) > 300
    assert found == []


@pytest.mark.parametrize("cve", ["CVE-2026-12772", "CVE-2026-12796"])
def test_what_was_ended_is_ended_at_once(target: Attacked, cve: str) -> None:
    """https://github.com/BerriAI/litellm/issues/35541: sessions outlived their end."""
    made = target.ask("POST", "/api/keys", {"name": cve, "scopes": ["agent"]}, "admin").json()
    named = {"authorization": f"Bearer {made['secret']}"}
    before = target.ask("GET", "/v1/models", **named).status

    target.ask("DELETE", f"/api/keys/{made['key']['key_id']}", None, "admin")
    after = {target.ask("GET", path, **named).status for path in ("/v1/models", "/api/keys")}

    assert (before, after) == (200, {401})


def test_every_management_route_asks_who_it_is(target: Attacked) -> None:
    """https://github.com/BerriAI/litellm/issues/35541 (CVE-2026-12795)."""
    paths = target.ask("GET", "/openapi.json").json()["paths"]
    routes = [
        (method.upper(), path.replace("{", "").replace("}", ""))
        for path, methods in paths.items()
        for method, row in methods.items()
        if "x-omniroute-scope" in row
    ]

    statuses = {target.ask(method, path).status for method, path in routes}

    assert len(routes) > 50
    assert statuses == {401}


HOSTS = (
    b"127.0.0.1/health?",
    b"127.0.0.1/v1?",
    b"localhost/health#",
    b"127.0.0.1:20128/health?x=",
    b"user@127.0.0.1",
    b"127.0.0.1\\health",
    b"127.0.0.1%2fhealth",
    b"[::1]/health",
)


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_says_nothing_of_the_path(target: Attacked, host: bytes) -> None:
    """https://github.com/BerriAI/litellm/security/advisories/GHSA-4xpc-pv4p-pm3w (49468)."""
    for path in (b"/api/keys", b"/v1/models", b"/api/providers"):
        status = target.status(b"GET %b HTTP/1.1\r\nhost: %b\r\n\r\n" % (path, host))
        assert status in (400, 421)


@pytest.mark.parametrize(
    "told",
    [
        *("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.", "Bearer fake-oauth-token"),
        *("Basic YWRtaW46YWRtaW4=", "Token x", "Bearer", "bearer  ", "DPoP x", "Bearer ya29.x"),
    ],
)
def test_a_made_up_authorization_is_no_way_into_mcp(target: Attacked, told: str) -> None:
    """https://github.com/BerriAI/litellm/security/advisories/GHSA-7488-6r32-c95q (59822)."""
    for path in ("/mcp", "/api/mcp/stream"):
        answer = target.ask("POST", path, INITIALIZE, **MCP, authorization=told)
        assert answer.status == 401
        assert "mcp-session-id" not in {name.lower() for name in answer.headers}


@pytest.mark.parametrize(
    "name", ["api_base", "base_url", "baseURL", "azure_endpoint", "custom_llm_provider", "proxy"]
)
def test_a_request_never_names_the_address_that_gets_our_key(target: Attacked, name: str) -> None:
    """https://github.com/advisories/GHSA-g26j-5385-hhw3 (CVE-2024-6587)."""
    asked = len(target.provider.asked)

    for path in ("/v1/chat/completions", "/v1/messages", "/v1/responses"):
        body = {**CHAT, "input": "hello", "max_tokens": 5, name: f"{target.trap.url}/v1"}
        target.ask("POST", path, body, "agent")

    assert target.trap.asked == []
    assert len(target.provider.asked) > asked


@pytest.mark.parametrize("link", ["issues/37053", "issues/31467"])
def test_nor_does_it_with_credentials_of_its_own(target: Attacked, link: str) -> None:
    """https://github.com/BerriAI/litellm/issues/37053 and .../issues/31467."""
    more = {
        "api_key": "sk-fake-of-the-caller",
        "litellm_params": {"api_base": target.trap.url},
        "extra_headers": {"host": "evil.example"},
        "model_info": {"base_url": target.trap.url},
        "fallbacks": [{"model": "mine/m", "api_base": target.trap.url}],
    }

    answer = target.ask("POST", "/v1/chat/completions", {**CHAT, **more}, "agent")

    assert link.startswith("issues/")
    assert answer.status == 200
    headers = target.provider.asked[-1][1]
    assert headers["authorization"].endswith("that-nobody-may-see")
    assert "evil" not in headers["host"]
    assert target.trap.asked == []


def test_a_caller_s_key_never_reaches_a_provider(target: Attacked) -> None:
    """https://github.com/BerriAI/litellm/issues/31467, the other way round: no passthrough."""
    named = {"x_api_key": target.keys["agent"], "cookie": "a=b", "proxy_authorization": "Basic x"}

    target.ask("POST", "/v1/chat/completions", CHAT, "agent", **named)

    _, headers, body = target.provider.asked[-1]
    told = repr(headers).encode() + body
    assert target.keys["agent"].encode() not in told
    assert not {"cookie", "proxy-authorization", "x-api-key"} & set(headers)


@pytest.mark.parametrize(
    "wish",
    [
        {"scopes": ["admin"]},
        {"scopes": ["*"], "allowed_routes": ["/*"]},
        {"scopes": ["full"], "user_role": "proxy_admin"},
    ],
)
def test_a_key_makes_no_key_that_may_more(target: Attacked, wish: dict[str, object]) -> None:
    """https://github.com/advisories/GHSA-qrc4-49gv-mv9m (CVE-2026-47101)."""
    for who in ("agent", "reader", "other", "narrow"):
        assert target.ask("POST", "/api/keys", wish, who).status == 403


@pytest.mark.parametrize("change", [{"scopes": ["admin"]}, {"models": []}, {"role": "admin"}])
def test_a_key_does_not_promote_itself(target: Attacked, change: dict[str, object]) -> None:
    """https://www.obsidiansecurity.com/blog/litellm-privilege-escalation-rce (CVE-2026-47102)."""
    own = f"/api/keys/{target.ids['narrow']}"

    statuses = {
        target.ask(method, path, change, "narrow").status
        for method in ("PATCH", "PUT", "POST")
        for path in (own, f"{own}/roll", "/api/keys/me", "/user/update", "/user/bulk_update")
    }

    assert statuses <= CLOSED
    assert target.ask("POST", "/v1/chat/completions", CHAT, "narrow").status == 403


def test_nobody_manages_the_keys_of_others(target: Attacked) -> None:
    """https://github.com/advisories/GHSA-qqcv-vg9f-5rr3."""
    statuses = {
        target.ask(method, f"/api/keys/{target.ids['admin']}", {}, who).status
        for method in ("GET", "PATCH", "PUT", "DELETE")
        for who in ("agent", "other", "reader")
    }

    assert statuses <= {403, 405}
    assert target.ask("GET", "/api/keys", None, "admin").status == 200


@pytest.mark.parametrize("boundary", ["-" * 60_000, "a" * 60_000, "x\x00y", '"' * 100, ""])
def test_a_boundary_is_cheap_to_refuse(target: Attacked, boundary: str) -> None:
    """https://github.com/advisories/GHSA-fh2c-86xm-pm2x (CVE-2024-8984)."""
    kind = f"multipart/form-data; boundary={boundary}".encode("latin-1")
    body = b"-" * 100_000
    key = target.keys["agent"].encode()
    head = b"POST /v1/audio/transcriptions HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n"
    sized = head + b"content-type: %b\r\ncontent-length: %d\r\n" % (kind, len(body))

    stranger = target.status(sized + b"\r\n" + body)
    known = target.status(sized + b"authorization: Bearer " + key + b"\r\n\r\n" + body)

    assert stranger in (400, 401, 431)
    assert 400 <= known < 500
    assert target.is_well


def test_no_file_of_ours_runs_when_python_starts() -> None:
    """https://github.com/BerriAI/litellm/issues/24518: a release that held a .pth file."""
    rooms = ("routing", "tools", "a2a", "server", "src", "requirements")
    starts = [
        path
        for room in rooms
        for name in ("*.pth", "sitecustomize.py", "usercustomize.py")
        for path in (ROOT / room).rglob(name)
    ]
    locks = list((ROOT / "requirements").glob("*.txt"))
    unpinned = [
        f"{lock.name}: {line}"
        for lock in locks
        for line in lock.read_text().splitlines()
        if line and not line.startswith((" ", "#", "-")) and "==" not in line
    ]

    assert starts == []
    assert locks
    assert unpinned == []
    assert all("--hash=sha256:" in lock.read_text() for lock in locks)


def test_keys_are_in_no_log_of_the_gateway(target: Attacked) -> None:
    """https://nvd.nist.gov/vuln/detail/CVE-2024-9606: a key was masked but for most of it."""
    target.ask("POST", "/v1/chat/completions", SIMULATED, "agent")
    target.ask("GET", "/v1beta/models?key=" + target.keys["agent"])
    target.ask("POST", "/v1/chat/completions", {**CHAT, "messages": 5}, "agent")

    log = (target.running.home / "gateway.log").read_text()

    assert log
    assert "that-nobody-may-see" not in log
    assert not [key for key in target.keys.values() if key[8:30] in log]
