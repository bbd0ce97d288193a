"""MCP and A2A by hand: a tool called, a task followed to its end and one ended, in a browser."""

from collections.abc import Iterator

import pytest

from tests import processes
from tests.browser.browser import Browser
from tests.browser.page import Page
from tests.dashboard import walking
from tests.processes import RunningGateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with processes.gateway(tmp_path_factory.mktemp("agents")) as running:
        yield running


def test_a_tool_is_called_from_the_form_of_its_arguments(
    browser: Browser, gateway: RunningGateway
) -> None:
    with browser.page(gateway.url) as page:
        page.open("/dashboard/mcp")
        page.follow("Simulate routing", within="omniroute_simulate_route")
        page.fill("model", "sim/smart")
        page.fill("promptTokenEstimate", "100")
        page.follow("Call it")
        page.wait_for_text("It answered.")
        answer = page.text("#answer")
        faults = walking.faults(page, picture="mcp-called")
        page.follow("Its calls")
        page.wait_for_text("1 calls in all.")

    assert '"sim/smart"' in answer
    assert faults == []


def test_a_task_is_followed_to_its_end_while_the_page_stays(
    browser: Browser, gateway: RunningGateway
) -> None:
    with browser.page(gateway.url) as page:
        _send(page, "sim/fast@latency=3")
        page.evaluate("() => document.body.dataset.stays = 'yes'")
        page.wait_for_text("[simulated by sim/fast]", "#text")
        page.wait_for_text("completed", "dl")
        stays = page.attribute("body", "data-stays")
        faults = walking.faults(page, picture="a2a-task")

    assert stays == "yes"
    assert faults == []


def test_a_task_is_cancelled(browser: Browser, gateway: RunningGateway) -> None:
    with browser.page(gateway.url) as page:
        _send(page, "sim/fast@latency=600")
        page.wait_for_text("Shown as it is written.")
        faults = walking.faults(page)
        page.click("Cancel it: Task")
        page.follow("Cancel it")
        page.wait_for_text("The task was cancelled.")
        state = page.text("dl")

    assert "cancelled" in state
    assert faults == []


def _send(page: Page, model: str) -> None:
    page.open("/dashboard/a2a")
    page.fill("Model or combo", model)
    page.fill("Message", "Say hello.")
    page.follow("Send a message", within="Model or combo")
    page.wait_for_text("The message was sent")
