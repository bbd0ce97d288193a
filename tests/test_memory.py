"""A gateway that is short of memory begins nothing new, says so, and takes requests again."""

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omniroute.routing.pressure import Pressure
from omniroute.server.memory import Held, MemoryWatch, groups
from tests.processes import RunningGateway, gateway
from tests.v1.whole import client, opened

MIB = 2**20
WAIT_S = 30.0
MODEL = "sim/fast@latency=0"
HELLO = [{"role": "user", "content": "hello"}]
CONTENTS = [{"role": "user", "parts": [{"text": "hello"}]}]
CALL = {"name": "omniroute_route_request", "arguments": {"model": MODEL, "messages": HELLO}}
MCP = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
V1 = "4:memory:/docker/abc\n1:cpu:/docker/abc\n0::/docker/abc\n"


def held(watch: MemoryWatch, pressure: Pressure) -> tuple[bool, bool]:
    """Look; gives whether memory is short and whether that is said."""
    return watch.look(), pressure.why is not None


def grown(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, words in files.items():
        (folder / name.replace("__", ".")).write_text(words)


def machine(root: Path, cgroup: str) -> Path:
    grown(root / "proc/self", cgroup=cgroup)
    return root


def test_memory_is_short_from_nine_tenths_on_until_enough_is_free_again() -> None:
    used, pressure, let_go = [0], Pressure(), list[int]()
    watch = MemoryWatch([lambda: Held(used[0], 1000)], pressure, lambda: let_go.append(used[0]))

    seen = []
    for used[0] in (890, 900, 901, 870, 851, 850, 900, 950):
        seen.append(held(watch, pressure))

    short = [False, False, True, True, True, False, False, True]
    assert seen == [(one, one) for one in short]
    assert let_go == [901, 870, 851, 950]


def test_the_fullest_of_all_bounds_counts_and_one_that_is_gone_does_not() -> None:
    pressure = Pressure()
    bounds: list[Callable[[], Held | None]] = [
        lambda: Held(10, 1000),
        lambda: None,
        lambda: Held(95, 100),
    ]

    full = MemoryWatch(bounds, pressure, lambda: None).look()
    gone = MemoryWatch(bounds[:2], pressure, lambda: None).look()

    assert (full, gone) == (True, False)
    assert pressure.why is None


def test_who_holds_no_bytes_but_may_hold_none_is_not_short() -> None:
    assert not MemoryWatch([lambda: Held(0, 0)], Pressure(), lambda: None).look()


def test_a_group_of_the_second_version_counts_all_but_pages_of_files(tmp_path: Path) -> None:
    root = machine(tmp_path, "0::/pods/gateway\n")
    stat = "anon 500\nfile 300\ninactive_file 100\nactive_file 200\nworkingset 9\n"
    grown(
        root / "sys/fs/cgroup/pods/gateway",
        memory__max="1000\n",
        memory__current="800\n",
        memory__stat=stat,
    )

    found = [one() for one in groups(root)]

    assert found == [Held(used_bytes=500, bytes_max=1000)]


def test_a_group_around_ours_bounds_us_too_and_max_is_no_bound(tmp_path: Path) -> None:
    root, mount = machine(tmp_path, "0::/pods/gateway\n"), tmp_path / "sys/fs/cgroup"
    grown(mount / "pods/gateway", memory__max="max\n", memory__current="1", memory__stat="")
    grown(mount / "pods", memory__max="2000", memory__current="1900", memory__stat="anon 1")

    found = [one() for one in groups(root)]

    assert found == [None, Held(used_bytes=1900, bytes_max=2000)]


def test_a_group_of_the_first_version_is_found_where_a_container_shows_it(tmp_path: Path) -> None:
    root = machine(tmp_path, V1)
    stat = "cache 300\ninactive_file 7\ntotal_inactive_file 100\ntotal_active_file 150\n"
    grown(
        root / "sys/fs/cgroup/memory",
        memory__limit_in_bytes="1000",
        memory__usage_in_bytes="800",
        memory__stat=stat,
    )

    assert [one() for one in groups(root)] == [Held(used_bytes=550, bytes_max=1000)]


def test_a_group_of_the_first_version_without_a_bound_has_none(tmp_path: Path) -> None:
    root = machine(tmp_path, V1)
    endless = {"memory__limit_in_bytes": "9223372036854771712", "memory__usage_in_bytes": "8"}
    grown(root / "sys/fs/cgroup/memory/docker/abc", memory__stat="", **endless)

    assert [one() for one in groups(root)] == [None]


def test_a_machine_without_control_groups_has_none(tmp_path: Path) -> None:
    assert groups(tmp_path) == ()


@pytest.mark.anyio
async def test_what_would_cost_is_refused_by_every_door_in_its_own_words(tmp_path: Path) -> None:
    """So little may be held that this process is over it."""
    asked: dict[str, Any] = {
        "/v1/chat/completions": {"model": MODEL, "messages": HELLO, "stream": True},
        "/v1/responses": {"model": MODEL, "input": "hello"},
        "/v1/messages": {"model": MODEL, "messages": HELLO, "max_tokens": 9},
        f"/v1beta/models/{MODEL}:generateContent": {"contents": CONTENTS},
        "/v1/embeddings": {"model": "sim/embed", "input": "hello"},
        "/mcp": {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": CALL},
    }
    little = {"OMNIROUTE_MEMORY_MAX": "64MiB", "OMNIROUTE_WORKERS": "2"}

    async with opened(tmp_path, **little) as here, client(here) as http:
        keeping = asyncio.create_task(here.keep_up())
        async with asyncio.timeout(WAIT_S):
            while (ready := await http.get("/ready")).status_code != 503:
                await asyncio.sleep(0.01)
        told = {path: await http.post(path, json=body, headers=MCP) for path, body in asked.items()}
        models, figures = await http.get("/v1/models"), await http.get("/metrics")
        requests = (await http.get("/api/requests")).text
        keeping.cancel()

    anthropics, mcps = told.pop("/v1/messages"), told.pop("/mcp")
    assert "short of memory" in ready.json()["reason"]
    assert [one.status_code for one in told.values()] == [503] * len(told)
    assert anthropics.status_code == 529
    assert anthropics.json()["error"]["type"] == "overloaded_error"
    assert all(one.headers["retry-after"] == "5" for one in (*told.values(), anthropics))
    assert told["/v1/chat/completions"].json()["error"]["code"] == "gateway_busy"
    assert told[f"/v1beta/models/{MODEL}:generateContent"].json()["error"]["status"] == (
        "UNAVAILABLE"
    )
    assert mcps.status_code == 200
    assert "gateway_busy" in mcps.text
    assert models.status_code == 200
    assert "omniroute_memory_short" in figures.text
    assert told["/v1/chat/completions"].headers["x-request-id"] in requests


def test_bodies_that_fill_the_memory_have_others_refused_until_they_are_gone(
    tmp_path: Path,
) -> None:
    with gateway(tmp_path, OMNIROUTE_MEMORY_MAX="256MiB") as running:
        before = chat(running)
        filling = [held_body(running.port, 30 * MIB) for _ in range(8)]
        refused = until(503, running)
        ready = running.call("GET", "/ready")
        for one in filling:
            one.close()
        after = until(200, running)
        ready_again = running.call("GET", "/ready")
    log = (tmp_path / "gateway.log").read_text()

    assert (before, refused, after) == (200, 503, 200)
    assert (ready.status, ready_again.status) == (503, 200)
    assert log.count("memory_short") == log.count("memory_enough") == 1


def chat(running: RunningGateway) -> int:
    return running.call("POST", "/v1/chat/completions", {"model": MODEL, "messages": HELLO}).status


def until(status: int, running: RunningGateway) -> int:
    """Ask until the answer has a status; gives the last one."""
    ends_s = time.monotonic() + WAIT_S
    while (seen := chat(running)) != status and time.monotonic() < ends_s:
        time.sleep(0.1)
    return seen


def held_body(port: int, size: int) -> socket.socket:
    """Send a body but for its last byte."""
    one = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    lines = ("POST /v1/chat/completions HTTP/1.1", "host: 127.0.0.1", f"content-length: {size}")
    one.sendall("\r\n".join((*lines, "", "")).encode() + b" " * (size - 1))
    return one
