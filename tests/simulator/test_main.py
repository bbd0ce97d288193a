"""The command that serves the simulator, as a process of its own."""

import signal
import socket
import subprocess
import sys
from urllib.request import urlopen

import pytest

from omniroute.server.simulator.main import run

COMMAND = (sys.executable, "-m", "omniroute.server.simulator.main")
LIMIT_S = 20


def test_it_says_where_it_is_and_ends_well_on_a_signal() -> None:
    with subprocess.Popen([*COMMAND, "--port", "0"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(7)]
        url = lines[0].split()[5]
        with urlopen(f"{url}/v1/models", timeout=LIMIT_S) as answer:
            status = answer.status
        process.send_signal(signal.SIGTERM)
        code = process.wait(LIMIT_S)

    assert status == 200
    assert lines[1].split() == ["openai_chat", f"{url}/v1"]
    assert lines[3].split() == ["anthropic", f"{url}/v1"]
    assert lines[5].startswith(f"Anthropic SDKs   {url} ")
    assert code == 0


def test_a_port_in_use_is_said_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code = run("127.0.0.1", port)

    assert code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
