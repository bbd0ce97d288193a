"""The page Live in a browser, and its events as a gateway on a port sends them."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.browser.browser import Browser
from tests.browser.page import PHONE, WIDTH, Manner
from tests.processes import RunningGateway, gateway

FAST = "sim/fast@latency=0,pace=0"
WAIT_S = 60.0
SEEN = {
    "/dashboard": "By model",
    "/dashboard?table=time": "By time",
    "/dashboard/live": "answered",
    "/dashboard/requests": "answered",
}
"""What is seen on each page once there are requests."""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[RunningGateway]:
    with gateway(tmp_path) as running:
        yield running


def ask(here: RunningGateway, model: str = FAST) -> str:
    """Send a request, and give its id."""
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    answer = here.call("POST", "/v1/chat/completions", body=body)
    return answer.headers["x-request-id"]


@contextmanager
def listening(here: RunningGateway, path: str, **headers: str) -> Iterator[HTTPResponse]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    asked = urllib.request.Request(here.url + path, headers=named)
    with urllib.request.urlopen(asked, timeout=WAIT_S) as answer:
        yield answer


def told(answer: HTTPResponse, number: int) -> tuple[list[str], str]:
    """Give the ids of so many requests that come, and the last event's id."""
    ids: list[str] = []
    last = ""
    is_request = False
    while len(ids) < number or is_request:
        line = answer.readline().decode().rstrip("\n")
        name, _, value = line.partition(": ")
        match name:
            case "event":
                is_request = value == "request"
            case "id":
                last = value
            case "data" if is_request:
                ids.append(json.loads(value)["id"])
                is_request = False
            case _:
                pass
    return ids, last


@pytest.mark.parametrize("path", ["/dashboard/live/events", "/api/usage/live"])
def test_a_request_is_told_soon_after_its_end_and_none_is_lost_by_a_break(
    here: RunningGateway, path: str
) -> None:
    with listening(here, path) as answer:
        kind = answer.headers["content-type"]
        first = ask(here)
        before, last = told(answer, 1)
    second = ask(here)
    with listening(here, path, last_event_id=last) as answer:
        after, _ = told(answer, 1)

    assert kind.startswith("text/event-stream")
    assert (before, after) == ([first], [second])


def test_listeners_do_not_hold_up_a_gateway_that_ends(here: RunningGateway) -> None:
    with listening(here, "/dashboard/live/events") as answer:
        ask(here)
        told(answer, 1)
        here.process.terminate()
        rest = answer.read()

    assert here.process.wait(WAIT_S) == 0
    assert b"event: error" not in rest


def test_a_request_is_seen_as_it_happens_and_opened(here: RunningGateway, browser: Browser) -> None:
    with browser.page(here.url) as page:
        page.open("/dashboard/live")
        page.wait_for_text("Listening")
        empty = page.text("#empty")
        name = ask(here)
        page.wait_for(lambda: page.count("tbody tr") == 1, "a row")
        page.wait_for_text("answered", "tbody")
        ask(here, "<img src=x onerror=alert(1)>")
        page.wait_for(lambda: page.count("tbody tr") == 2, "a second row")
        refused = page.text("tbody tr:first-child")
        path = page.attribute("tbody tr:last-child a", "href")
        assert path is not None
        page.open(path)
        page.wait_for_text("What became of it")
        page.click("Decide again")
        page.wait_for_text("The decision would be the same now.")
        complaints = page.complaints

    assert "Nothing was asked for yet" in empty
    assert path.endswith(name)
    assert "<img src=x onerror=alert(1)>" in refused
    assert "refused" in refused
    assert complaints == []


def test_a_pause_keeps_what_comes_for_later(here: RunningGateway, browser: Browser) -> None:
    with browser.page(here.url) as page:
        page.open("/dashboard/live")
        page.wait_for_text("Listening")
        page.click("Pause")
        ask(here)
        page.wait_for(lambda: page.attribute("#live", "data-held") == "1", "what is held")
        paused = page.count("tbody tr")
        page.click("Pause")
        page.wait_for(lambda: page.count("tbody tr") == 1, "the row that was held")
        complaints = page.complaints

    assert paused == 0
    assert complaints == []


def test_pages_of_figures_are_usable_by_all_and_without_script(
    here: RunningGateway, browser: Browser
) -> None:
    for _ in range(3):
        ask(here)
    ask(here, "sim/nothing")
    faults: dict[str, list[str]] = {}
    wide: dict[str, int] = {}
    looks = {"wide": (WIDTH, False), "dark": (WIDTH, True), "phone": (PHONE[0], False)}
    with browser.page(here.url) as page:
        for look, (width, dark) in looks.items():
            page.show(width=width, height=PHONE[1], dark=dark)
            for path, seen in SEEN.items():
                page.open(path)
                page.wait_for_text(seen)
                faults[f"{path} {look}"] = page.accessibility()
                wide[f"{path} {look}"] = page.sideways_px
        faults["all"] = page.complaints
    with browser.page(here.url, Manner(script=False)) as page:
        page.open("/dashboard/live")
        plain, listed = page.text(), page.text("tbody")
        complaints = page.complaints

    assert {name: found for name, found in faults.items() if found} == {}
    assert {name: found for name, found in wide.items() if found} == {}
    assert listed.count("answered") == 3
    assert "does not go on by itself" in plain
    assert complaints == []
