"""The nginx and Caddy files of deploy/ in front of a whole gateway: tokens come as they are made.

Only names, ports and certificates are replaced; what the files say of a proxied request stays.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import foreign, processes, services
from tests.processes import RunningGateway
from tests.services import OURSELVES
from tests.upstream.authority import Authority, authority_in
from tests.upstream.intermediaries import listens, program_of, reserved_port

ROOT = Path(__file__).parents[2]
NAME = "gateway.example.com"
PACE_S = 0.2
STREAM = {
    "model": f"sim/fast@pace={PACE_S}",
    "stream": True,
    "messages": [{"role": "user", "content": "one two three four five six seven eight"}],
}


@dataclass(frozen=True)
class Proxied:
    """A gateway behind a proxy, and the address that the proxy listens on."""

    gateway: RunningGateway
    client: httpx.Client


def nginx(folder: Path, port: int, gateway_port: int, authority: Authority) -> list[str]:
    """Write what nginx runs: the file of deploy/ in the least configuration around it."""
    with reserved_port() as plain:
        text = (ROOT / "deploy/nginx.conf").read_text("utf-8")
        for old, new in (
            ("listen [::]:443 ssl;", ""),
            ("listen [::]:80;", ""),
            ("listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;"),
            ("listen 80;", f"listen 127.0.0.1:{plain};"),
            ("127.0.0.1:20128", f"127.0.0.1:{gateway_port}"),
            (f"/etc/letsencrypt/live/{NAME}/fullchain.pem", str(authority.server_pem(NAME))),
            (f"/etc/letsencrypt/live/{NAME}/privkey.pem", str(authority.server_pem(NAME))),
        ):
            assert old in text, old
            text = text.replace(old, new)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr warn;\n"
        "events { worker_connections 512; }\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body;"
        f" proxy_temp_path {folder}/proxy;\n{text}\n}}\n"
    )
    return [program_of("nginx"), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]


def caddy(folder: Path, port: int, gateway_port: int, authority: Authority) -> list[str]:
    """Write what Caddy runs: the file of deploy/ with a certificate of ours."""
    pem = authority.server_pem(NAME)
    text = (ROOT / "deploy/Caddyfile").read_text("utf-8")
    for old, new in (
        (f"\n{NAME} {{", f"\nhttps://{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {pem} {pem}\n"),
        ("127.0.0.1:20128", f"127.0.0.1:{gateway_port}"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    configuration = folder / "Caddyfile"
    configuration.write_text("{\n\tadmin off\n\tauto_https disable_redirects\n}\n" + text)
    program = foreign.python_of("deploy").with_name("caddy")
    return [str(program), "run", "--adapter", "caddyfile", "--config", str(configuration)]


PROXIES: dict[str, Callable[[Path, int, int, Authority], list[str]]] = {
    "nginx": nginx,
    "caddy": caddy,
}


@contextmanager
def behind(name: str, folder: Path) -> Iterator[Proxied]:
    """Run a gateway as docs/deploy.md says, and the proxy in front of it."""
    authority = authority_in(folder)
    with ExitStack() as opened:
        port = opened.enter_context(reserved_port())
        gateway = opened.enter_context(
            processes.gateway(
                folder / "gateway",
                *("--public-url", f"https://{NAME}", "--trusted-proxy", "127.0.0.1"),
            )
        )
        made = folder / name
        made.mkdir()
        held = opened.enter_context(
            services.held_server(
                PROXIES[name](made, port, gateway.port, authority),
                signal="TERM",
                folder=made,
                environment={"PATH": "/usr/bin:/bin", "HOME": str(made)},
                user=OURSELVES,
            )
        )
        services.await_start(held, made, lambda: listens(port))
        # The name is not in any DNS: the connection goes to loopback and asks for it by name.
        client = opened.enter_context(
            httpx.Client(
                base_url=f"https://127.0.0.1:{port}",
                headers={"host": NAME},
                verify=authority.trusted(),
                timeout=60,
                trust_env=False,
            )
        )
        yield Proxied(gateway, client)


@pytest.fixture(scope="module", params=sorted(PROXIES))
def proxied(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    """A gateway that needs a key, behind each proxy."""
    with behind(request.param, tmp_path_factory.mktemp("proxied")) as running:
        key = running.gateway.new_key("--name", "proxied")
        running.client.headers["authorization"] = f"Bearer {key}"
        yield running


def asked(proxied: Proxied, body: object, path: str = "/v1/chat/completions") -> httpx.Request:
    """Give a request whose TLS asks for the gateway's name."""
    request = proxied.client.build_request("POST", path, json=body)
    request.extensions["sni_hostname"] = NAME
    return request


def test_tokens_come_as_they_are_made(proxied: Proxied) -> None:
    answer = proxied.client.send(asked(proxied, STREAM), stream=True)
    came = [time.monotonic() for line in answer.iter_lines() if line.startswith("data: {")]

    # Held back by the proxy, they would all come at the end.
    assert answer.status_code == 200
    assert len(came) > 5
    assert came[-1] - came[0] > 3 * PACE_S


def test_the_gateway_says_itself_what_is_too_long(
    proxied: Proxied,
) -> None:
    def of(size: int) -> object:
        return {"model": "sim/fast", "messages": [{"role": "user", "content": "x" * size}]}

    large = proxied.client.send(asked(proxied, of(20 * 2**20)))
    larger = proxied.client.send(asked(proxied, of(40 * 2**20)))

    assert "too long for 'sim/fast'" in large.json()["error"]["message"]
    assert larger.status_code == 413
    assert larger.json()["error"]["type"] == "invalid_request_error"


def test_a_stranger_behind_the_proxy_is_no_local_caller(proxied: Proxied) -> None:
    request = asked(proxied, {**STREAM, "stream": False})
    del request.headers["authorization"]

    answer = proxied.client.send(request)

    assert answer.status_code == 401
    assert "needs a key" in json.dumps(answer.json())
