"""`omniroute top`: the figures of Overview and the newest requests, in a terminal."""

import json
import os
import pty
import signal
import subprocess
import sys
import time

from tests.cli.test_health import HELLO
from tests.processes import RunningGateway

DRAWN = b"\x1b[H"
WAITED_S_MAX = 60.0


def test_top_tells_once_what_was_used_and_who_answered(running_gateway: RunningGateway) -> None:
    unused = running_gateway.command("top")
    for model in ("sim/fast", "sim/smart", "sim/fast@fault=model_gone"):
        running_gateway.call("POST", "/v1/chat/completions", {"model": model, "messages": HELLO})

    once = running_gateway.command("top", "--once", "--range", "1h")
    told = json.loads(running_gateway.command("top", "--json").stdout)
    wrong = running_gateway.command("top", "--every", "0")

    assert "No request yet." in unused.stdout
    assert "requests     3 since " in once.stdout
    assert "66.7%" in once.stdout
    assert "sim/smart" in once.stdout
    assert "model_gone" in once.stdout
    assert told["overview"]["whole"]["requests"] == 3
    assert len(told["requests"]) == 3
    assert (wrong.returncode, "--every is a number from 0.5" in wrong.stderr) == (2, True)


def test_top_is_drawn_anew_until_it_is_interrupted(running_gateway: RunningGateway) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "omniroute.server.cli.main", "top", "--every", "0.5"]
    words += ["--data-dir", str(running_gateway.data_dir)]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        seen = b""
        until = time.monotonic() + WAITED_S_MAX
        while seen.count(DRAWN) < 3 and time.monotonic() < until:
            seen += os.read(ours, 65_536)
        process.send_signal(signal.SIGINT)
        while b"\x1b[?25h" not in seen and time.monotonic() < until:
            seen += os.read(ours, 65_536)
        status = process.wait(WAITED_S_MAX)
    finally:
        process.kill()
        process.wait()
        os.close(ours)

    assert seen.count(DRAWN) >= 3
    assert seen.index(b"\x1b[?25l") < seen.rindex(b"\x1b[?25h")
    assert b"Traceback" not in seen
    assert status == 0
