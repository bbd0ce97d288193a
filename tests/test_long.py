"""What takes minutes: run by `make test-long`."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import check
from tests import processes
from tests.processes import RunningGateway
from tests.replay import audited

pytestmark = [pytest.mark.long, pytest.mark.anyio]

REQUESTS = 50_000
ABORTED = 5_000
AT_ONCE = 50
GROWTH_KB_MAX = 12_000
LOAD_S_MAX = 600


def load(gateway: RunningGateway, body: Path, requests: int) -> dict[str, float]:
    """Send requests on 16 connections and give the load's figures."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.load", str(gateway.port)),
            *("/v1/chat/completions", "16", str(requests), str(body)),
        ],
        capture_output=True,
        text=True,
        timeout=LOAD_S_MAX,
        check=True,
    )
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def rss_kb(gateway: RunningGateway) -> int:
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def open_files(gateway: RunningGateway) -> int:
    return len(list(Path(f"/proc/{gateway.process.pid}/fd").iterdir()))


def test_a_hundred_thousand_decisions_replay_in_a_second_process(tmp_path: Path) -> None:
    assert audited(tmp_path, 100_000) == {"decisions": 100_000, "equal": 100_000, "different": 0}


async def test_memory_and_open_files_stay_flat_over_many_requests_and_aborted_streams(
    tmp_path: Path,
) -> None:
    port = processes.free_port()
    upstream = subprocess.Popen([sys.executable, "-m", "benchmarks.upstream", str(port)])
    started = processes.gateway(
        tmp_path, OPENAI_API_KEY="sk-fake", OPENAI_BASE_URL=f"http://127.0.0.1:{port}/v1"
    )
    body = tmp_path / "body.json"
    body.write_text(json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": "x"}]}))
    gateway = await asyncio.to_thread(started.__enter__)
    try:
        # The first round fills every bounded queue and cache; the second must add nothing.
        await asyncio.to_thread(load, gateway, body, REQUESTS)
        await _abort_streams(gateway)
        await asyncio.sleep(2)
        before_kb, files_before = rss_kb(gateway), open_files(gateway)

        figures = await asyncio.to_thread(load, gateway, body, REQUESTS)
        await _abort_streams(gateway)
        await asyncio.sleep(2)
        after_kb, files_after = rss_kb(gateway), open_files(gateway)
    finally:
        await asyncio.to_thread(started.__exit__, None, None, None)
        upstream.terminate()
        upstream.wait()

    assert figures["errors"] == 0
    assert after_kb - before_kb < GROWTH_KB_MAX
    assert files_after - files_before < 32


async def _abort_streams(gateway: RunningGateway) -> None:
    body = b'{"model":"gpt-4o","stream":true,"messages":[]}'
    request = (
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: %d\r\n\r\n"
        % len(body)
        + body
    )
    room = asyncio.Semaphore(AT_ONCE)

    async def abort() -> None:
        async with room, asyncio.timeout(60):
            reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            writer.write(request)
            assert (await reader.read(100)).startswith(b"HTTP/1.1 200 ")
            writer.transport.abort()

    await asyncio.gather(*(abort() for _ in range(ABORTED)))


def test_the_budget_check_fails_when_a_request_costs_half_as_much_again(tmp_path: Path) -> None:
    with check.pair(tmp_path / "as it is") as two:
        as_it_is = two.series()
    ours_us, _ = check.medians(as_it_is)
    slowed = (sys.executable, "-m", "benchmarks.slowed", str(ours_us / 2))
    with check.pair(tmp_path / "slowed", slowed) as two:
        dearer = two.series()

    assert not check.too_dear(check.ratio(as_it_is))
    assert check.too_dear(check.ratio(dearer))
