"""The pictures of docs/dashboard.md, made anew: python -m tests.dashboard.pictures

They show a gateway whose provider is the simulator, so nothing in them is anybody's. What a run
of the tests sees is left in build/screenshots (walking.py); these are few and small.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests import processes
from tests.browser.browser import running
from tests.browser.page import Manner, Page
from tests.four_providers import add_provider, simulator
from tests.processes import RunningGateway

FOLDER = Path(__file__).parents[2] / "docs" / "images" / "dashboard"
PAGES = {
    "overview": "/dashboard",
    "requests": "/dashboard/requests",
    "combo": "/dashboard/combos/one/team",
    "keys": "/dashboard/keys",
}
QUESTIONS = ("Why is the sky blue?", "Write a haiku on caching.", "Sort a list in Rust.")


def main() -> None:
    """Write the pictures."""
    with (
        TemporaryDirectory() as home,
        simulator() as provider,
        processes.gateway(Path(home)) as gateway,
        running() as browser,
    ):
        _use(gateway, provider)
        with browser.page(gateway.url, Manner(key=gateway.admin_key)) as page:
            for name, path in PAGES.items():
                page.open(path)
                page.screenshot(FOLDER / f"{name}.webp", whole=False)
            _ask(page)
            page.screenshot(FOLDER / "playground.webp", whole=False)
            page.open("/dashboard")
            page.show(dark=True)
            page.screenshot(FOLDER / "overview-dark.webp", whole=False)


def _use(gateway: RunningGateway, provider: str) -> None:
    add_provider(gateway, provider, "openai_chat", ["fast", "smart"], name="lab")
    combo = {"name": "team", "models": [{"target": "lab/fast"}, {"target": "sim/smart"}]}
    assert gateway.call("POST", "/api/combos", combo, key=gateway.admin_key).status == 201
    key = gateway.new_key("--name", "laptop")
    for model in ("team", "sim/smart", "auto", "sim/cheap"):
        for question in QUESTIONS:
            body = {"model": model, "messages": [{"role": "user", "content": question}]}
            assert gateway.call("POST", "/v1/chat/completions", body, key=key).status == 200


def _ask(page: Page) -> None:
    page.open("/dashboard/playground")
    page.fill("What is asked", QUESTIONS[0])
    page.fill("Model or combo", "team")
    page.fill("A second one beside it", "sim/smart")
    page.click("Send")
    page.wait_for(lambda: page.text("main").count("You said") == 2, "both answers")
    page.wait_for_text("curl", "#codes")


if __name__ == "__main__":
    main()
