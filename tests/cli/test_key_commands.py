"""`omniroute keys`: show, change, roll and revoke, as a person uses them."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.processes import RunningGateway, gateway

pytestmark = pytest.mark.xdist_group("key_commands")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """A gateway for all tests of this module: each makes keys of its own."""
    with gateway(tmp_path_factory.mktemp("keys")) as made:
        yield made


def made(running: RunningGateway, *words: str) -> tuple[str, str]:
    """Make a key and give its id and its secret."""
    told = said(running.command("keys", "add", "--json", *words))
    return told["key"]["key_id"], told["secret"]


def said(done: "subprocess.CompletedProcess[str]") -> Any:
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_key_is_made_with_limits_shown_and_changed(running: RunningGateway) -> None:
    limits = ("--requests-per-minute", "60", "--tokens-per-minute", "1000", "--concurrency", "4")
    key_id, secret = made(running, "--name", "batch", *limits)
    page = running.command("keys", "show", key_id)
    changes = ("--requests-per-minute", "20", "--concurrency", "none", "--models", "groq/*")
    changed = said(running.command("keys", "change", key_id, *changes, "--no-log", "--json"))
    every = said(running.command("keys", "change", key_id, "--models", "all", "--log", "--json"))

    lines = {line.split("  ")[0]: line.split()[-1] for line in page.stdout.splitlines()}
    assert (lines["requests a minute"], lines["at the same time"]) == ("60", "4")
    assert secret not in page.stdout
    assert changed["requests_per_minute"] == 20
    assert changed["tokens_per_minute"] == 1000
    assert changed["concurrency_max"] is None
    assert (changed["models"], changed["keep_content"]) == (["groq/*"], False)
    assert (every["models"], every["keep_content"]) == ([], True)
    assert every["name"] == "batch"


def test_what_a_key_asked_is_shown_as_long_as_it_wishes_that(running: RunningGateway) -> None:
    key_id, secret = made(running, "--name", "seen", "--log-content")
    body = {"model": "sim/fast", "messages": [{"role": "user", "content": "hello \x1b[31mred"}]}
    request_id = running.call("POST", "/v1/chat/completions", body, key=secret).headers[
        "x-request-id"
    ]
    page = running.command("keys", "show", key_id).stdout
    shown = running.command("explain", request_id, "--content")
    told = said(running.command("explain", request_id, "--content", "--json"))
    both = running.command("keys", "change", key_id, "--no-log")
    running.command("keys", "change", key_id, "--forget-content")
    gone = running.command("explain", request_id, "--content")
    story = running.command("explain", request_id)

    assert "valid, logs content" in page
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\x1b" not in shown.stdout
    assert "You said: hello" in shown.stdout
    assert told["asked"] == body
    assert "You said: hello" in told["answered"]["choices"][0]["message"]["content"]
    assert (both.returncode, "keep_content" in both.stderr) == (1, True)
    assert (gone.returncode, gone.stdout) == (1, "")
    assert "nothing is kept of what" in gone.stderr
    assert story.returncode == 0


def test_a_key_is_switched_off_and_on_and_given_an_end(running: RunningGateway) -> None:
    key_id, secret = made(running)
    running.command("keys", "change", key_id, "--disable")
    off = running.call("GET", "/v1/models", key=secret).status
    listed = running.command("keys", "list").stdout
    running.command("keys", "change", key_id, "--enable", "--expires", "90d")
    on = running.call("GET", "/v1/models", key=secret).status
    ends = said(running.command("keys", "show", key_id, "--json"))["expires_unix_s"]
    never = said(running.command("keys", "change", key_id, "--expires", "never", "--json"))

    assert (off, on) == (401, 200)
    assert f"{key_id}" in listed
    assert "disabled" in listed
    assert ends is not None
    assert never["expires_unix_s"] is None


def test_a_key_is_rolled_with_an_overlap_and_then_revoked(running: RunningGateway) -> None:
    # Without any key left, nobody would need one.
    made(running, "--name", "stays")
    key_id, old = made(running, "--name", "rolled")
    overlapping = running.command("keys", "roll", key_id, "--overlap", "12h")
    new = overlapping.stdout.strip()
    both = [running.call("GET", "/v1/models", key=one).status for one in (old, new)]
    last = said(running.command("keys", "roll", key_id, "--json"))["secret"]
    all_three = [running.call("GET", "/v1/models", key=one).status for one in (old, new, last)]
    revoked = running.command("keys", "revoke", key_id)
    after = running.call("GET", "/v1/models", key=last).status

    assert "shown once" in overlapping.stderr
    assert "good until" in overlapping.stderr
    assert both == [200, 200]
    assert all_three == [401, 401, 200]
    assert revoked.stdout == f"Revoked {key_id}.\n"
    assert after == 401


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("change", "ID"), "nothing is to change"),
        (("change", "ID", "--enable", "--disable"), "on and off at once"),
        (("change", "ID", "--requests-per-minute", "many"), "whole number"),
        (("change", "ID", "--requests-per-minute", "0"), "whole number"),
        (("change", "ID", "--expires", "yesterday"), "is no time"),
        (("add", "--concurrency", "-1"), "whole number"),
        (("roll", "ID", "--overlap", "soon"), "no length of time"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_changes(
    running: RunningGateway, words: tuple[str, ...], told: str
) -> None:
    key_id, secret = made(running)

    done = running.command("keys", *(key_id if word == "ID" else word for word in words))

    assert told in done.stderr
    assert done.returncode == 2
    assert running.call("GET", "/v1/models", key=secret).status == 200
