"""The benchmark of MCP, as short as it can be."""

import re
import subprocess
import sys

WAIT_S = 120.0
WORDS = ("--rounds", "1", "--calls", "2", "--clients", "4", "--seconds", "1")


def test_calls_are_priced_by_transport_and_era_and_clients_are_held() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.mcp_calls", *WORDS],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    for transport in ("HTTP", "stdio"):
        for era in ("newer", "older"):
            for tool in ("omniroute_get_health", "omniroute_route_request"):
                priced = rf"{transport}, {era} era, {tool}: +\d+ us, CPU of the gateway +\d+ us"
                assert re.search(priced, done.stdout)
    assert "4 of 4 clients held, 0 streams ended, 0 calls failed" in done.stdout
