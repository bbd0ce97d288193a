"""The advisories and reports of OmniRoute, the program whose documented API this one keeps.

The lists: https://github.com/diegosouzapw/OmniRoute/pull/11028, .../pull/11261 and .../issues;
read 2026-11-23.
"""

from pathlib import Path

import pytest

from omniroute.server.discovery import accounts_from_environment
from tests.advisories.attacked import CHAT, INITIALIZE, MCP, METADATA, SIMULATED, Attacked
from tests.processes import RunningGateway, gateway

pytestmark = pytest.mark.xdist_group("advisories")
CLOSED = {401, 403, 404, 405, 410}
"""Refused, or not there at all."""


@pytest.mark.parametrize("advisory", ["GHSA-jphr-2gw7-xrwp", "GHSA-hf57-cqmx-p4gr"])
def test_no_command_is_taken_for_a_version_probe(
    target: Attacked, tmp_path: Path, advisory: str
) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-hf57-cqmx-p4gr."""
    made = tmp_path / advisory
    agent = {
        "id": advisory,
        "name": "x",
        "binary": "python3",
        "versionCommand": f"python3 -c \"open({str(made)!r}, 'w')\"",
        "versionArgs": ["-c", f"open({str(made)!r}, 'w')"],
        "spawnArgs": ["-c", f"open({str(made)!r}, 'w')"],
    }

    statuses = {
        target.ask(method, path, agent, "admin").status
        for method in ("POST", "PUT", "PATCH")
        for path in ("/api/acp/agents", "/api/acp/agents/x", "/api/cli-tools/detect")
    }

    assert statuses <= CLOSED
    assert not made.exists()


@pytest.mark.parametrize(
    "path",
    [
        *("/V1/chat/completions", "/v1/Chat/completions", "/V1/MESSAGES", "/API/keys"),
        *("/Api/Providers", "/V1BETA/models/x:generateContent", "/MCP", "/A2A", "/%561/models"),
    ],
)
def test_another_case_of_a_path_is_not_another_door(target: Attacked, path: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-jvqc-mp9f-q936."""
    statuses = {target.ask(method, path, CHAT).status for method in ("GET", "POST", "PUT")}

    assert statuses <= CLOSED


@pytest.mark.parametrize(
    "path", ["/api/db-backups", "/api/db-backups/export", "/api/db-backups/1", "/api/backup"]
)
def test_the_database_is_given_to_no_stranger(target: Attacked, path: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-mghq-58h3-qcqj."""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for who in (None, "agent", "reader"):
            assert target.ask(method, path, {}, who).status in CLOSED, (method, who)


@pytest.mark.parametrize(
    "path",
    ["/api/settings/export-json", "/api/settings/import-json", "/api/settings", "/api/export"],
)
def test_what_stands_beside_the_backups_is_as_closed(target: Attacked, path: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-v7g9-7f55-5g46."""
    for method in ("GET", "POST", "PUT"):
        for who in (None, "agent"):
            assert target.ask(method, path, {}, who).status in CLOSED, (method, who)


@pytest.mark.parametrize(
    "advisory", ["GHSA-mg76-rhpx-gvw3", "GHSA-gxv4-955v-v6cm", "GHSA-wgwc-crjm-pmwv"]
)
def test_credentials_are_imported_by_nobody(target: Attacked, advisory: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/pull/11028: the three on importing credentials."""
    paths = (
        *("/api/oauth/kiro/import", "/api/oauth/cursor/auto-import", "/api/oauth/codex/import"),
        *("/api/providers/import", "/api/providers/auto-import", f"/api/oauth/{advisory}/import"),
    )

    for path in paths:
        for who in (None, "agent", "reader"):
            for method in ("GET", "POST"):
                status = target.ask(method, path, {"path": "/etc/passwd"}, who).status
                assert status in CLOSED, (path, who)


@pytest.mark.parametrize("url", METADATA)
def test_no_provider_leads_to_a_metadata_service(target: Attacked, url: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-4f49-hj64-448x."""
    wish = {"provider": "cloud", "base_url": url, "dialect": "openai_chat", "models": ["m"]}
    added = target.ask("POST", "/api/providers", wish, "admin")
    told = added.body.decode()
    if added.status == 201:
        account = added.json()["account_id"]
        told = target.ask("POST", f"/api/providers/{account}/test", None, "admin").json()["error"]
        target.ask("DELETE", f"/api/providers/{account}", None, "admin")

    assert added.status in (201, 400, 422)
    assert "no account may reach" in told


@pytest.mark.parametrize(
    "region",
    ["evil.example/#", "x@evil.example/", "us-east-1.evil.example", "..", "a b", "x/../.."],
)
def test_a_region_is_a_region_and_no_part_of_a_host(region: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-7x63-xvp5-w2jc."""
    environment = {"AWS_BEARER_TOKEN_BEDROCK": "fake", "AWS_REGION": region}

    accounts, notes = accounts_from_environment(environment, own_urls=())

    assert not [one for one in accounts if "evil" in one.base_url or region in one.base_url]
    assert notes


@pytest.mark.parametrize(
    "path", ["/api/settings/mitm", "/api/cli-tools/antigravity-mitm", "/api/tools/agent-bridge"]
)
def test_nothing_is_intercepted_here(target: Attacked, path: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-x7vm-hp44-9p79."""
    for who in (None, "agent", "admin"):
        assert target.ask("POST", path, {"enabled": True}, who).status in CLOSED


def test_no_request_says_where_it_is_answered(target: Attacked) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-j7j4-g9qc-q69c."""
    asked = len(target.provider.asked)
    body = {**CHAT, "provider_options": {"baseUrl": target.trap.url}, "baseUrl": target.trap.url}

    answer = target.ask("POST", "/v1/chat/completions", body, "agent")
    searched = target.ask("POST", "/v1/search", body, "agent")

    assert (answer.status, len(target.provider.asked)) == (200, asked + 1)
    assert searched.status in CLOSED
    assert target.trap.asked == []


def sent_task(target: Attacked, who: str) -> str:
    params = {
        "skill": "smart-routing",
        "messages": [{"role": "user", "content": "CANARY of its owner"}],
        "metadata": {"model": "sim/fast"},
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": params}
    return str(target.ask("POST", "/a2a", body, who).json()["result"]["task"]["id"])


def test_another_s_task_is_as_one_that_never_was(target: Attacked) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-jcm5-6wpp-wjj8."""
    task = sent_task(target, "agent")

    for method, path in (
        ("GET", "/api/a2a/tasks/{}"),
        ("GET", "/api/a2a/tasks/{}/events"),
        ("POST", "/api/a2a/tasks/{}/cancel"),
    ):
        others, missing = (
            target.ask(method, path.format(one), None, "other") for one in (task, "0" * 36)
        )
        nobody = target.ask(method, path.format(task))
        assert (others.status, others.body) == (missing.status, missing.body) == (404, missing.body)
        assert nobody.status == 401
    for path in ("/a2a/tasks", f"/a2a/tasks/{task}", "/api/a2a/tasks"):
        assert target.ask("GET", path).status in CLOSED
    listed = target.ask("GET", "/api/a2a/tasks", None, "other")
    assert b"CANARY" not in listed.body
    assert target.ask("GET", f"/api/a2a/tasks/{task}", None, "agent").status == 200


def test_who_opens_the_gateway_to_others_gets_a_key_for_it(tmp_path: Path) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-wmgv-ph3p-rv57.

    Also https://github.com/diegosouzapw/OmniRoute/issues/12568, where REQUIRE_API_KEY was false.
    """
    with gateway(tmp_path, "--host", "0.0.0.0", REQUIRE_API_KEY="false") as running:
        told = (tmp_path / "gateway.log").read_text()
        status = running.call("POST", "/v1/chat/completions", SIMULATED).status

    assert "every request needs a key" in told
    assert status == 401


@pytest.mark.parametrize(
    "key",
    ["", "noauth", "dummy", "sk-dummy", "sk-omni-" + "a" * 12 + "b" * 43, "null", "undefined"],
)
def test_a_made_up_key_reaches_no_provider(target: Attacked, key: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/issues/10103 and .../issues/10630."""
    asked = len(target.provider.asked)

    answers = [
        target.ask("POST", "/v1/chat/completions", CHAT, **{header: value})
        for header, value in (("authorization", f"Bearer {key}"), ("x_api_key", key))
    ]

    assert {answer.status for answer in answers} == {401}
    assert len(target.provider.asked) == asked


@pytest.mark.parametrize(
    "path",
    [
        "/home",
        "/home/x",
        "/dashboard/restart",
        "/dashboard/shutdown",
        "/api/restart",
        "/api/shutdown",
        "/api/system/update",
    ],
)
def test_a_page_ends_or_restarts_nothing(target: Attacked, path: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/issues/2712."""
    statuses = {
        target.ask(method, path, None, who).status
        for method in ("GET", "POST")
        for who in (None, "admin")
    }

    assert statuses <= CLOSED
    assert target.is_well


@pytest.mark.parametrize("path", ["/mcp", "/mcp/", "/api/mcp/stream", "/api/mcp/sse", "//mcp"])
def test_mcp_needs_a_key_by_every_name(target: Attacked, path: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/issues/1970."""
    for method in ("POST", "GET", "DELETE"):
        assert target.ask(method, path, INITIALIZE, **MCP).status in CLOSED


@pytest.mark.parametrize(
    ("report", "tool", "scope"),
    [
        ("issues/7895", "omniroute_set_budget_guard", "write:config"),
        ("issues/7895", "omniroute_switch_combo", "write:combos"),
        ("issues/7895", "omniroute_set_resilience_profile", "write:config"),
    ],
)
def test_scopes_are_the_key_s_and_not_the_process_s(
    target: Attacked, report: str, tool: str, scope: str
) -> None:
    """https://github.com/diegosouzapw/OmniRoute/issues/7895."""
    params = {"name": tool, "arguments": {}}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}

    answer = target.ask("POST", "/mcp", call, "agent", **MCP, mcp_scopes="write:config,admin")

    assert (report, answer.status) == ("issues/7895", 403)
    assert answer.json()["error"]["data"]["required_scopes"] == [scope]


def test_a_tool_acts_as_its_caller(target: Attacked) -> None:
    """https://github.com/diegosouzapw/OmniRoute/issues/5211: no server key stands behind tools."""
    begun = target.ask("POST", "/mcp", INITIALIZE, "narrow", **MCP)
    session = {"mcp_session_id": dict(begun.headers)["mcp-session-id"]}
    told = {"model": "mine/m", "messages": [{"role": "user", "content": "hello"}]}
    params = {"name": "omniroute_route_request", "arguments": told}
    call = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params}
    asked = len(target.provider.asked)

    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    target.ask("POST", "/mcp", ready, "narrow", **MCP, **session)
    answer = target.ask("POST", "/mcp", call, "narrow", **MCP, **session)

    assert answer.status == 200
    assert b'"isError":true' in answer.body.replace(b" ", b"")
    assert len(target.provider.asked) == asked


def test_a_key_is_no_administrator_by_being_one(target: Attacked) -> None:
    """https://github.com/diegosouzapw/OmniRoute/issues/1353."""
    for who in ("agent", "reader", "other", "narrow"):
        for method, path in (
            ("GET", "/api/keys"),
            ("GET", "/api/providers"),
            ("POST", "/api/providers"),
            ("DELETE", f"/api/keys/{target.ids['admin']}"),
        ):
            assert target.ask(method, path, {}, who).status == 403, (who, path)


@pytest.mark.parametrize(
    "known", ["CHANGEME", "123456", "omniroute-default-secret-change-me", "admin", "endpoint-proxy"]
)
def test_nothing_that_is_printed_somewhere_lets_anyone_in(target: Attacked, known: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/issues/13679 and .../issues/14486."""
    login = target.ask("POST", "/api/auth/login", {"password": known})
    cookie = target.ask("GET", "/api/keys", cookie=f"auth_token={known}; session={known}")
    bearer = target.ask("GET", "/api/keys", authorization=f"Bearer {known}")
    machine = target.ask("GET", "/api/keys", x_omniroute_cli_token=known, x_machine_id=known)

    assert login.status in CLOSED
    assert "set-cookie" not in {name.lower() for name in login.headers}
    assert [cookie.status, bearer.status, machine.status] == [401, 401, 401]


@pytest.mark.parametrize(
    "path",
    [
        *("/api/cli-tools/runtime/x", "/api/services/x/start", "/api/plugins/x", "/api/local/run"),
        *(
            "/api/tools/traffic-inspector",
            "/api/headroom/x",
            "/api/cli/connect",
            "/api/mcp/servers",
        ),
    ],
)
def test_no_route_starts_a_program(target: Attacked, path: str) -> None:
    """https://github.com/advisories/GHSA-fhh6-4qxv-rpqj."""
    body = {"command": "id", "args": ["-a"], "path": "/bin/sh"}

    statuses = {target.ask("POST", path, body, who).status for who in (None, "agent", "admin")}

    assert statuses <= CLOSED


def test_a_picture_s_address_is_never_fetched(target: Attacked) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-cmhj-wh2f-9cgx."""
    link = f"{target.trap.url}/picture.png"
    content = [{"type": "image_url", "image_url": {"url": link}}, {"type": "text", "text": "what?"}]
    body = {**CHAT, "messages": [{"role": "user", "content": content}]}
    beta = {"contents": [{"role": "user", "parts": [{"fileData": {"fileUri": link}}]}]}

    target.ask("POST", "/v1/chat/completions", body, "agent")
    target.ask("POST", "/v1beta/models/mine/m:generateContent", beta, "agent")
    target.ask("POST", "/v1/chat/completions", {**body, "model": "sim/fast"}, "agent")

    assert target.trap.asked == []


@pytest.mark.parametrize("header", ["authorization", "x_api_key", "x_goog_api_key", "api_key"])
def test_a_key_is_bound_by_its_list_however_it_is_sent(target: Attacked, header: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/pull/11028: a bare x-api-key skipped policy."""
    key = target.keys["narrow"]
    sent = {header: f"Bearer {key}" if header == "authorization" else key}

    refused = target.ask("POST", "/v1/chat/completions", CHAT, **sent)
    allowed = target.ask("POST", "/v1/chat/completions", SIMULATED, **sent)

    assert (refused.status, allowed.status) == (403, 200)


def test_another_s_request_and_session_are_as_missing_ones(target: Attacked) -> None:
    """https://github.com/diegosouzapw/OmniRoute/pull/11040: ids that a caller names."""
    answered = target.ask("POST", "/v1/chat/completions", SIMULATED, "agent")
    request = {name.lower(): value for name, value in answered.headers.items()}["x-request-id"]

    mine = target.ask("GET", f"/api/requests/{request}", None, "agent")
    theirs = target.ask("GET", f"/api/requests/{request}", None, "other")
    missing = target.ask("GET", "/api/requests/" + "0" * len(request), None, "other")

    assert theirs.status == missing.status != 200
    assert theirs.body.replace(request.encode(), b"") == missing.body.replace(
        b"0" * len(request), b""
    )
    assert mine.status != 401


@pytest.mark.parametrize(
    "header", ["x_forwarded_for", "x_real_ip", "forwarded", "via", "cf_connecting_ip"]
)
def test_a_proxy_on_this_machine_makes_no_stranger_local(
    keyless: RunningGateway, header: str
) -> None:
    """https://github.com/diegosouzapw/OmniRoute/pull/11040: a loopback socket was trusted."""
    named = {header.replace("_", "-"): "127.0.0.1"}

    statuses = [keyless.call("GET", "/api/keys", headers=one).status for one in ({}, named)]

    assert statuses == [200, 401]


@pytest.mark.parametrize("header", ["x-relay-path", "x-relay-target", "x-omniroute-base-url"])
def test_no_header_says_where_a_request_goes(target: Attacked, header: str) -> None:
    """https://github.com/diegosouzapw/OmniRoute/pull/11040: x-relay-path."""
    named = {header.replace("-", "_"): f"{target.trap.url}/latest/meta-data"}

    answer = target.ask("POST", "/v1/chat/completions", CHAT, "agent", **named)

    assert answer.status == 200
    path, headers, _ = target.provider.asked[-1]
    assert path == "/v1/chat/completions"
    assert header not in headers
    assert target.trap.asked == []


def test_a_secret_given_once_is_never_given_back(target: Attacked) -> None:
    """https://github.com/diegosouzapw/OmniRoute/security/advisories/GHSA-mghq-58h3-qcqj, too."""
    paths = (
        "/api/providers",
        "/api/keys",
        "/api/doctor",
        "/api/status",
        "/openapi.json",
        "/metrics",
    )

    for path in paths:
        body = target.ask("GET", path, None, "admin").body
        assert b"that-nobody-may-see" not in body, path
        assert not [key for key in target.keys.values() if key.encode() in body], path
