"""Every page in a real browser: nothing runs that is not ours, and everybody can read it.

The pages are those of server/dashboard/pages; a new one is walked as soon as it is there. They
are looked at twice: of a gateway where nothing happened yet, and of one where everything that
anybody may name or say is an attempt to break out of the page.
"""

from collections.abc import Iterator

import pytest

from tests.browser.browser import Browser
from tests.browser.page import Manner
from tests.dashboard import stage, walking
from tests.dashboard.stage import Stage
from tests.processes import Answer, RunningGateway

PAGE_BYTES_MAX = 60_000
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
OF_A_REQUEST = {"connection", "content-length", "date", "server", "x-request-id"}
"""Headers whose values are of one request."""
NAMED = str.maketrans("/?=&%", "-----")
Walk = dict[str, list[str]]


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage.hostile(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.fixture(scope="module")
def walk(browser: Browser, hostile: Stage) -> Walk:
    """Every address of the hostile gateway's pages, with what is wrong there."""
    with browser.page(hostile.url, Manner(key=hostile.key)) as page:
        return {address: walking.faults(page) for address in walking.addresses(page)}


def test_every_page_is_walked(walk: Walk) -> None:
    assert walk
    assert walking.unseen(walk) == []


def test_nothing_that_others_named_or_said_runs_or_breaks_a_page(walk: Walk) -> None:
    assert walk
    assert {address: faults for address, faults in walk.items() if faults} == {}


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


def test_every_page_is_read_without_script(browser: Browser, hostile: Stage, walk: Walk) -> None:
    with browser.page(hostile.url, Manner(key=hostile.key, script=False)) as page:
        found = {address: walking.faults_unscripted(page, address) for address in walk}

    assert found
    assert {address: faults for address, faults in found.items() if faults} == {}


def test_every_page_comes_with_the_same_headers_and_is_light(hostile: Stage, walk: Walk) -> None:
    nowhere = "/dashboard/%3Cscript%3Ewindow.hostile=1"
    answers = {one: hostile.gateway.call("GET", one, key=hostile.key) for one in (*walk, nowhere)}
    sizes = {one: len(answer.body) for one, answer in answers.items()}
    refused = hostile.gateway.call("GET", next(iter(walk)), key="sk-omni-nobody")

    odd = {one: _headers(answer).items() ^ HEADERS.items() for one, answer in answers.items()}
    assert {one: found for one, found in odd.items() if found} == {}
    assert {one: size for one, size in sizes.items() if size > PAGE_BYTES_MAX} == {}
    assert refused.status in (303, 401)


def _headers(answer: Answer) -> dict[str, str]:
    found = {name.lower(): value for name, value in answer.headers.items()}
    return {name: value for name, value in found.items() if name not in OF_A_REQUEST}
