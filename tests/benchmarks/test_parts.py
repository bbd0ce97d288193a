"""The benchmark's own parts: a figure is worth what the load and the upstream are worth."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import authority, goals, machine, report, where
from benchmarks.cases import CASES, Case, body_of
from benchmarks.programs import Programs, run_load
from benchmarks.results import Figures, Spread, read
from tests.benchmarks.runs import results
from tests.processes import RunningGateway

CORE = machine.cores()[1]
WHOLE = Case("whole", "whole", 4, 40, "")
BURST = Case("burst", "burst", 4, 12, "")
PACED = Case("paced", "paced", 20, 20, "", every_us=10_000, events=20)
LARGE = Case("large", "large", 2, 6, "")


def loaded(made: Programs, port: int, case: Case, folder: Path, *more: str) -> Figures:
    body = folder / "body.json"
    body.write_bytes(body_of(case, "gpt-4o"))
    words = (str(port), case.path, str(case.connections), str(case.requests))
    return run_load([*made.load, *words, str(body), "key", "0.05", *more], CORE)


@pytest.mark.parametrize("case", [WHOLE, LARGE], ids=lambda case: case.name)
def test_whole_answers_are_timed_and_none_fails(
    made: Programs, port: int, case: Case, tmp_path: Path
) -> None:
    figures = loaded(made, port, case, tmp_path)

    assert (figures["requests"], figures["errors"]) == (case.requests, 0)
    assert 0 < figures["p50_us"] <= figures["p99_us"]
    assert figures["events"] == 0


def test_a_burst_gives_every_event(made: Programs, port: int, tmp_path: Path) -> None:
    figures = loaded(made, port, BURST, tmp_path)

    assert figures["errors"] == 0
    assert figures["events"] == BURST.requests * 103


def test_paced_streams_run_at_once_and_tell_how_late_their_events_are(
    made: Programs, port: int, tmp_path: Path
) -> None:
    figures = loaded(made, port, PACED, tmp_path)

    assert figures["errors"] == 0
    assert figures["events"] == PACED.requests * 23
    assert figures["at_once"] == PACED.connections
    assert figures["p50_us"] >= PACED.every_us * (PACED.events - 1)
    assert 0 < figures["lag_p50_us"] <= figures["lag_p99_us"]


def test_clients_that_leave_at_the_first_bytes_are_no_errors_and_wait_for_nothing(
    made: Programs, port: int, tmp_path: Path
) -> None:
    long = replace(PACED, requests=60, every_us=100_000, events=1000)

    figures = loaded(made, port, long, tmp_path, "leave")

    assert (figures["requests"], figures["errors"]) == (60, 0)
    assert figures["p99_us"] < long.every_us * 10


def test_refused_connections_count_as_errors(made: Programs, tmp_path: Path) -> None:
    figures = loaded(made, machine.free_port(), WHOLE, tmp_path)

    assert (figures["requests"], figures["errors"]) == (40, 40)


def test_the_upstream_answers_in_the_dialect_that_it_is_asked_in(port: int) -> None:
    openai = asked(port, "/v1/chat/completions", stream=False)
    anthropic = asked(port, "/v1/messages", stream=False)

    assert openai["choices"][0]["message"]["role"] == "assistant"
    assert (anthropic["type"], anthropic["content"][0]["type"]) == ("message", "text")
    assert openai["model"] == anthropic["model"] == "some-model"


def test_a_stream_of_anthropics_dialect_is_whole(port: int) -> None:
    events = asked(port, "/v1/messages", stream=True)

    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[2:-3] == ["content_block_delta"] * 100
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def asked(port: int, path: str, *, stream: bool) -> Any:
    body = json.dumps({"model": "some-model", "stream": stream, "messages": []}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body)
    with urllib.request.urlopen(request, timeout=10) as answer:
        told = answer.read()
    if not stream:
        return json.loads(told)
    return [json.loads(line[6:]) for line in told.splitlines() if line.startswith(b"data: ")]


@pytest.mark.parametrize("case", [one for one in CASES if one.kind == "mcp"], ids=lambda c: c.name)
def test_an_mcp_call_is_what_the_gateway_takes(
    made: Programs, case: Case, tmp_path: Path, shared_gateway: RunningGateway
) -> None:
    few = replace(case, requests=16)

    figures = loaded(made, shared_gateway.port, few, tmp_path, "stay", few.headers)
    without = loaded(made, shared_gateway.port, few, tmp_path, "stay")

    assert figures["errors"] == 0
    assert without["errors"] == 16


def test_an_answer_that_is_not_200_counts_as_an_error(
    made: Programs, tmp_path: Path, shared_gateway: RunningGateway
) -> None:
    figures = loaded(made, shared_gateway.port, BURST, tmp_path)

    assert figures["errors"] == BURST.requests


def test_what_a_child_computes_is_charged_to_its_tree() -> None:
    burn = (
        "import sys, time\nwhile time.process_time() < 0.2: pass\n"
        "print(flush=True)\nsys.stdin.read()"
    )
    shell = subprocess.Popen(
        ["sh", "-c", '"$0" -c "$1"; true', sys.executable, burn],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert shell.stdout is not None
    shell.stdout.readline()

    spent_ns = machine.cpu_ns(shell.pid)
    shell.communicate(timeout=10)

    assert spent_ns >= 200_000_000


def test_the_certificate_is_of_the_authority(tmp_path: Path) -> None:
    made = authority.make(tmp_path / "certificates")

    verify = ["openssl", "verify", "-CAfile", str(made.authority), str(made.certificate)]
    done = subprocess.run(verify, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_goals_compare_within_a_round_so_a_slow_round_changes_nothing() -> None:
    by_words = {line.goal.words: line for line in goals.judged(results())}

    added = by_words["nginx: added p50, c1"]
    assert (added.figure, added.met) == (Spread(2.0, 2.0, 2.0), True)
    assert by_words["nginx: CPU a request, c32"].figure == Spread(5.0, 5.0, 5.0)
    assert by_words["smg: added p50, c1"].met is None


def test_a_missed_line_that_binds_is_said() -> None:
    dear = {"c32": {"nginx": {"cpu_us": 10.0}, "omniroute": {"cpu_us": 100.0}}}

    lines = goals.judged(results(rounds=[dear]))

    assert [line.goal.words for line in lines if line.met is False and line.goal.binding] == [
        "nginx: CPU a request, c32"
    ]
    assert goals.verdict(lines).endswith("not there yet.")


def test_a_report_tells_memory_with_mcp_of_those_who_have_it() -> None:
    memory = {
        "nginx": {"idle": 19.0, "after": 29.0},
        "omniroute": {"idle": 50.0, "after": 57.0, "mcp": 93.0},
    }

    told = report.text(results(memory_mb=memory)).splitlines()

    assert "| nginx | 19 | 29 | - |" in told
    assert "| omniroute | 50 | 57 | 93 |" in told


def test_failed_requests_are_told() -> None:
    assert "Requests that failed, of all rounds: omniroute 2." in report.text(results())


def test_the_page_and_the_plot_are_what_the_kept_run_gives() -> None:
    kept = read(report.KEPT)

    page = report.PAGE.read_text("utf-8")

    assert report.page(page, kept) == page
    assert report.PLOT.read_text("utf-8") == report.plot(kept)


def test_a_sampler_tells_what_ran_between_its_two_signals() -> None:
    kept = [(number, signal.getsignal(number)) for number in (signal.SIGPROF, where.TOGGLE)]
    sampler = where.Sampler()

    os.kill(os.getpid(), where.TOGGLE)
    burn()
    os.kill(os.getpid(), where.TOGGLE)
    for number, handler in kept:
        signal.signal(number, handler)

    [(function, ticks)] = sampler.alone.most_common(1)
    assert function.endswith(":burn")
    assert ticks <= sampler.ticks == sum(sampler.alone.values())


def burn() -> None:
    ends_s = time.process_time() + 0.2
    while time.process_time() < ends_s:
        pass


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
