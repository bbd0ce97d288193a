"""What is no chat, and money: what is set aside, what is paid, and who is refused."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omniroute.routing.accounting.clamp import bound_within, least_bound
from omniroute.routing.accounting.cost import cost_usd_nanos, upper_bound_usd_nanos
from omniroute.routing.conversation import Usage
from omniroute.routing.model import Candidate, Features, ModelFacts, Price

from .vendors import Heard, Told, shop, told

pytestmark = pytest.mark.anyio

MONEY = st.integers(0, 10**12)
PRICES = st.builds(
    Price, MONEY, MONEY, cached_input=st.none() | MONEY, unit=st.none() | st.integers(0, 10**9)
)
FEATURES = st.builds(
    Features,
    input_tokens_max=st.integers(0, 10**6),
    output_tokens_max=st.integers(0, 10**6),
    units_max=st.integers(1, 10**6),
)


def drawn(heard: Heard) -> Told:
    return told(data=[{"b64_json": "AAAA"}] * heard.json().get("n", 1))


@given(price=PRICES, asked=FEATURES, left=MONEY, ceiling=st.none() | MONEY)
def test_what_is_no_chat_is_never_clamped(
    price: Price, asked: Features, left: int, ceiling: int | None
) -> None:
    candidate = Candidate("a", "p", "m", "openai_chat", ModelFacts(price=price))

    bounds = (
        least_bound(candidate, asked),
        bound_within(candidate, asked, ceiling=ceiling, left=left),
    )

    for bound in bounds:
        assert bound.output_tokens_max is None
        assert bound.usd_nanos == upper_bound_usd_nanos(candidate, asked)


@given(price=PRICES, asked=FEATURES, share=st.fractions(0, 1))
def test_no_usage_within_what_was_asked_costs_more_than_its_bound(
    price: Price, asked: Features, share: Any
) -> None:
    candidate = Candidate("a", "p", "m", "openai_chat", ModelFacts(price=price))
    used = Usage(
        input_tokens=int(asked.input_tokens_max * share),
        output_tokens=int((asked.output_tokens_max or 0) * share),
        units=int(asked.units_max * share),
    )

    cost = cost_usd_nanos(price, used)

    assert cost is not None
    assert cost <= upper_bound_usd_nanos(candidate, asked)


async def test_a_budget_pays_for_units_and_refuses_what_it_cannot_pay(tmp_path: Path) -> None:
    spoken = Told(b"sound", "audio/mpeg")

    async with shop(tmp_path, "openai", lambda heard: spoken) as here:
        wish = {"name": "k", "scopes": ["write:route"], "budget": {"cap_usd_nanos": 10_000_000}}
        key = (await here.here.client.post("/api/keys", json=wish)).json()["secret"]
        asks = [
            await here.here.client.post(
                "/v1/audio/speech",
                json={"model": "openai/tts-1", "input": "x" * size, "voice": "a"},
                headers={"authorization": f"Bearer {key}"},
            )
            for size in (400, 200, 100, 100)
        ]

    # At $15 a million characters: 0.006 and 0.003 are paid, 0.0015 no more.
    assert [one.status_code for one in asks] == [200, 200, 402, 402]
    assert len(here.heard) == 2
    assert asks[1].headers["x-omniroute-budget-remaining-usd"] == "0.001000000"


async def test_an_answer_without_usage_is_billed_at_its_bound(tmp_path: Path) -> None:
    async with shop(tmp_path, "openai", lambda heard: told(text="hello")) as here:
        answer = await here.here.client.post(
            "/v1/audio/transcriptions",
            files={"file": ("a.ogg", bytes(7_500), "audio/ogg")},
            data={"model": "openai/whisper-1"},
        )

    # Ten seconds are the most that 7,500 bytes can hold.
    assert answer.headers["x-omniroute-cost-usd"] == "0.001000000"


async def test_a_ceiling_of_one_request_holds_for_units(tmp_path: Path) -> None:
    async with shop(tmp_path, "openai", lambda heard: Told(b"sound", "audio/mpeg")) as here:
        body = {"model": "openai/tts-1", "input": "x" * 1000, "voice": "a"}
        refused = await here.here.client.post(
            "/v1/audio/speech", json=body, headers={"x-omniroute-budget": "0.01"}
        )
        paid = await here.here.client.post(
            "/v1/audio/speech", json=body, headers={"x-omniroute-budget": "0.02"}
        )

    assert (refused.status_code, paid.status_code) == (402, 200)


async def test_a_decision_on_what_is_no_chat_replays(tmp_path: Path) -> None:
    async with shop(tmp_path, "openai", drawn) as here:
        await here.ask("images/generations", model="openai/gpt-image-1", prompt="x")
        await here.ask("images/generations", model="sim/fast", prompt="x")
        checked = await here.here.client.get("/api/audit/route")

    assert (checked.json()["checked"], checked.json()["different"]) == (2, 0)
