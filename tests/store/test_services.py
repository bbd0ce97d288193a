"""The servers that tests bring themselves."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests import services
from tests.services import Postgres, ServiceMissing

WAIT_S = 10

HOLDER = """
import sys
from pathlib import Path
from tests import services
with services.valkey_in(Path(sys.argv[1])) as url:
    print(url, flush=True)
    input()
"""


def ping(path: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(WAIT_S)
        client.connect(path)
        client.sendall(b"PING\r\n")
        return client.recv(16)


@pytest.mark.anyio
async def test_postgres_is_real_and_every_database_is_its_own(
    postgres: Postgres, postgres_url: str
) -> None:
    connection = await asyncpg.connect(postgres_url)
    version = await connection.fetchval("SHOW server_version_num")
    await connection.execute("CREATE TABLE mine (name TEXT)")
    await connection.close()

    assert int(version) >= 150_000
    assert postgres_url != postgres.admin_url


def test_valkey_is_real(valkey_url: str) -> None:
    assert ping(urlsplit(valkey_url).path) == b"+PONG\r\n"


def test_a_server_ends_with_the_tests_that_hold_it_even_when_they_are_killed(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent.parent,
    ) as holder:
        assert holder.stdout is not None
        path = urlsplit(holder.stdout.readline().strip()).path
        answered = ping(path)
        os.kill(holder.pid, signal.SIGKILL)

    limit_s = time.monotonic() + WAIT_S
    while True:
        try:
            ping(path)
        except OSError:
            break
        assert time.monotonic() < limit_s
    assert answered == b"+PONG\r\n"


def test_without_binaries_one_line_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "wheel_folder", lambda package: None)
    monkeypatch.setattr(services, "DEBIAN_POSTGRES", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ServiceMissing, match="OMNIROUTE_TEST_PG_URL") as no_postgres:
        services.postgres_binaries(tmp_path, services.OURSELVES)
    with pytest.raises(ServiceMissing, match="OMNIROUTE_TEST_VALKEY_URL") as no_valkey:
        services.valkey_binary()

    assert "\n" not in f"{no_postgres.value}{no_valkey.value}"
