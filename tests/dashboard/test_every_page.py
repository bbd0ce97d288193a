"""Every page in a real browser: nothing runs that is not ours, and everybody can read it.

A new page is walked as soon as there is a route to it. They
are looked at twice: of a gateway where nothing happened yet, and of one where everything that
anybody may name or say is an attempt to break out of the page.
"""

import re
from collections.abc import Iterator

import pytest

from tests.browser.browser import Browser
from tests.browser.page import Manner
from tests.dashboard import stage, walking
from tests.dashboard.stage import Stage
from tests.processes import Answer, RunningGateway

HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "cache-control": "no-store",
}
OF_A_REQUEST = {"connection", "content-length", "date", "server", "set-cookie", "x-request-id"}
"""Headers whose values are of one request."""
ODD_PATH = "%3Cscript%3Ewindow.hostile=1%3C/script%3E"
NAMED = str.maketrans("/?=&%", "-----")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage.hostile(tmp_path_factory.mktemp("hostile")) as made:
        yield made


def test_nothing_that_others_named_or_said_runs_or_breaks_a_page(
    browser: Browser, hostile: Stage
) -> None:
    with browser.page(hostile.url, Manner(key=hostile.key)) as page:
        found = {address: walking.faults(page) for address in walking.addresses(page)}

    assert walking.unseen(found) == []
    assert {address: faults for address, faults in found.items() if faults} == {}


def test_hostile_answers_stay_text_in_the_playground_and_hostile_names_in_live(
    browser: Browser, hostile: Stage
) -> None:
    with (
        browser.page(hostile.url, Manner(key=hostile.key)) as page,
        page.beside() as live,
    ):
        live.open("/dashboard/live")
        live.wait_for_text("Listening")
        rows = live.count("tbody tr")
        page.open("/dashboard/playground")
        page.fill("What is asked", stage.BREAKS_OUT)
        page.fill("Model or combo", f"hostile/{stage.ANSWERS}")
        page.click("Send")
        page.wait_for_text("data-hostile", "[data-said]")
        page.wait_for_text("curl", "#codes")
        live.wait_for(lambda: live.count("tbody tr") > rows, "the request in Live")

        assert walking.faults(page) == []
        assert walking.faults(live) == []


def test_every_page_is_light_and_read_without_script(browser: Browser, hostile: Stage) -> None:
    with browser.page(hostile.url, Manner(key=hostile.key, script=False)) as page:
        found = {address: walking.faults_unscripted(page) for address in walking.addresses(page)}

    assert walking.unseen(found) == []
    assert {address: faults for address, faults in found.items() if faults} == {}


def test_no_page_of_a_new_gateway_has_a_fault(
    browser: Browser, shared_gateway: RunningGateway
) -> None:
    with browser.page(shared_gateway.url) as page:
        found = {
            address: walking.faults(page, picture=address.removeprefix("/").translate(NAMED))
            for address in walking.addresses(page)
        }

    assert found
    assert {address: faults for address, faults in found.items() if faults} == {}


def test_the_page_of_an_address_without_a_page_has_no_fault(
    browser: Browser, shared_gateway: RunningGateway
) -> None:
    with browser.page(shared_gateway.url) as page:
        with page.expecting("GET * answered 404"):
            page.open(f"/dashboard/{ODD_PATH}")
        found = walking.faults(page)

    assert found == ["status 404"]


def test_every_page_comes_with_the_same_headers(shared_gateway: RunningGateway) -> None:
    paths = [path for path in walking.pages() if "{" not in path]
    answers = {one: shared_gateway.call("GET", one) for one in (*paths, f"/dashboard/{ODD_PATH}")}

    odd = {one: _headers(answer).items() ^ HEADERS.items() for one, answer in answers.items()}
    assert {one: found for one, found in odd.items() if found} == {}
    cookies = {one.headers["set-cookie"] for one in answers.values() if "set-cookie" in one.headers}
    assert {re.sub("=[^;]+", "", one, count=1) for one in cookies} == {
        "__Host-omniroute-visit; Path=/; HttpOnly; SameSite=Strict; Secure"
    }


def _headers(answer: Answer) -> dict[str, str]:
    found = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in found.items() if name not in OF_A_REQUEST}
