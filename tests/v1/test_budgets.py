"""What a client sees of its key's budget."""

import json
import time
from pathlib import Path

import pytest

from omniroute.routing.model import Caller
from tests.processes import RunningGateway, gateway, run_command
from tests.v1.door import Setting, setting

pytestmark = pytest.mark.anyio

DOLLAR = 1_000_000_000
CALLS_MAX = 200
SETTLE_S_MAX = 20.0
BODY = {
    "model": "sim/fast@latency=0",
    "messages": [{"role": "user", "content": "hello there"}],
    "max_tokens": 100,
}
PAYER = Caller("payer", frozenset({"write:route"}), budget_ids=("b",))
KEY = "Bearer sk-fake"


def paying(cap_usd_nanos: int) -> Setting:
    """Give a door whose one key has this budget."""
    there = setting(check=lambda text: PAYER)
    there.here.budgets.caps["b"] = cap_usd_nanos
    return there


async def test_a_whole_answer_says_what_is_left_after_its_cost() -> None:
    there = paying(DOLLAR)

    response = await there.post(BODY, authorization=KEY)

    cost = float(response.headers["x-omniroute-cost-usd"])
    assert cost > 0
    assert float(response.headers["x-omniroute-budget-remaining-usd"]) == pytest.approx(1 - cost)
    assert there.here.budgets.left(("b",)) == pytest.approx(DOLLAR - cost * DOLLAR)
    assert "x-omniroute-budget-warning" not in response.headers


async def test_a_stream_says_what_is_left_beside_its_own_bound() -> None:
    response = await paying(DOLLAR).post({**BODY, "stream": True}, authorization=KEY)

    assert 0 < float(response.headers["x-omniroute-budget-remaining-usd"]) < 1


async def test_a_key_without_a_budget_gets_no_budget_header() -> None:
    response = await setting().post(BODY)

    assert [name for name in response.headers if "budget" in name] == []


async def test_past_its_threshold_every_answer_carries_a_warning() -> None:
    there = paying(DOLLAR)
    there.here.budgets.spent["b"] = DOLLAR * 9 // 10

    response = await there.post(BODY, authorization=KEY)

    assert response.status == 200
    assert "'b' has spent" in response.headers["x-omniroute-budget-warning"]


@pytest.mark.parametrize("stream", [False, True])
async def test_a_budget_that_cannot_pay_is_a_402_in_the_dialects_words(stream: bool) -> None:
    response = await paying(10).post({**BODY, "stream": stream}, authorization=KEY)

    assert response.status == 402
    assert response.json()["error"]["code"] == "budget_exceeded"


def test_a_running_gateway_refuses_with_how_the_budget_stands(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        key = running.new_key("--budget-usd", "0.000000001", "--budget-period", "day")

        refused = running.call("POST", "/v1/chat/completions", BODY, key=key)
        budgets = running.call("GET", "/api/budgets", key=running.admin_key)
        hidden = running.call("GET", "/api/budgets", key=key)

    words = refused.json()["error"]["message"]
    assert (refused.status, refused.json()["error"]["code"]) == (402, "budget_exceeded")
    assert "of $0.000000001 it has spent $0.00 and holds $0.00" in words
    assert "raise the budget" in words
    (budget,) = budgets.json()["budgets"]
    assert (budget["spent_usd_nanos"], budget["held_usd_nanos"], budget["state"]) == (0, 0, "ok")
    assert hidden.status == 403


def test_a_busy_budget_is_leased_and_whole_again_when_the_gateway_has_stopped(
    tmp_path: Path,
) -> None:
    costs: list[float] = []
    with gateway(tmp_path) as running:
        key = running.new_key("--budget-usd", "1000", "--budget-period", "day")

        def leases() -> int:
            answer = running.call("POST", "/v1/chat/completions", BODY, key=key)
            costs.append(float(answer.headers["x-omniroute-cost-usd"]))
            stored = running.call("GET", "/api/budgets", key=running.admin_key).json()
            leased: int = stored["budgets"][0]["leased_usd_nanos"]
            return leased

        was_leased = any(leases() for _ in range(CALLS_MAX))

    after = run_command("budgets", "list", "--json", environment=running.environment)
    (budget,) = json.loads(after.stdout)["budgets"]
    assert was_leased
    assert budget["spent_usd_nanos"] == round(sum(costs) * DOLLAR)
    assert (budget["held_usd_nanos"], budget["leased_usd_nanos"]) == (0, 0)


async def test_a_clamped_answer_is_cut_there_and_says_so() -> None:
    there = setting()
    long = {**BODY, "messages": [{"role": "user", "content": "word " * 2000}]}
    price = 0.00062

    free = await there.post({**long, "max_tokens": None})
    cut = await there.post({**long, "max_tokens": None}, x_omniroute_budget=str(price * 10))

    assert "x-omniroute-max-tokens" not in free.headers
    assert free.json()["choices"][0]["finish_reason"] == "stop"
    clamp = int(cut.headers["x-omniroute-max-tokens"])
    assert cut.json()["usage"]["completion_tokens"] <= clamp
    assert float(cut.headers["x-omniroute-cost-usd"]) <= price * 10
    assert there.here.ledger.records[-1].outcome.output_tokens_clamp == clamp


async def test_a_ceiling_that_pays_no_answer_is_a_402() -> None:
    response = await setting().post(BODY, x_omniroute_budget="0.000000001")

    assert response.status == 402
    assert response.json()["error"]["code"] == "budget_exceeded"


@pytest.mark.parametrize("text", ["", "much", "-1", "nan", "inf", "1e99", "9" * 100, "0x1"])
async def test_a_ceiling_that_is_no_amount_is_a_400(text: str) -> None:
    response = await setting().post(BODY, x_omniroute_budget=text)

    assert response.status == 400
    assert "x-omniroute-budget" in response.json()["error"]["message"]


async def test_a_budget_that_only_alerts_answers_past_its_cap_and_warns() -> None:
    there = paying(1)
    there.here.budgets.actions["b"] = ("alert", "cheap")
    there.here.budgets.spent["b"] = 5

    response = await there.post(BODY, authorization=KEY)

    assert response.status == 200
    assert "'b' has spent" in response.headers["x-omniroute-budget-warning"]
    assert "x-omniroute-budget-remaining-usd" not in response.headers


def wait_until_settled(running: RunningGateway) -> None:
    """Wait until the only budget has spent something."""
    until = time.monotonic() + SETTLE_S_MAX
    while time.monotonic() < until:
        (one,) = running.call("GET", "/api/budgets", key=running.admin_key).json()["budgets"]
        if one["spent_usd_nanos"]:
            return
        time.sleep(0.02)
    raise AssertionError("nothing was settled")


def test_a_degrading_budget_moves_a_combo_to_its_cheap_model_also_after_a_restart(
    tmp_path: Path,
) -> None:
    mixed = {**BODY, "model": "mixed"}
    dear, cheap = "smart", "cheap"
    with gateway(tmp_path) as running:
        key = running.new_key("--name", "saver")
        key_id = key.removeprefix("sk-omni-")[:12]
        running.command("combos", "add", "mixed", f"sim/{dear}", f"sim/{cheap}")
        words = ("--action", "degrade", "--warn-at", "1")
        made = running.command("budgets", "set", key_id, "0.01", *words)

        before = running.call("POST", "/v1/chat/completions", mixed, key=key)
        wait_until_settled(running)
        after = running.call("POST", "/v1/chat/completions", mixed, key=key)
        listed = running.command("budgets", "list")
        told = running.command("explain", after.headers["x-request-id"])
    with gateway(tmp_path) as running:
        again = running.call("POST", "/v1/chat/completions", mixed, key=key)

    assert made.returncode == 0, made.stderr
    assert before.headers["x-omniroute-model"] == dear
    assert after.headers["x-omniroute-model"] == again.headers["x-omniroute-model"] == cheap
    assert "only cheap models answer now" in after.headers["x-omniroute-budget-warning"]
    assert "degrade to cheap" in listed.stdout
    assert "degraded" in listed.stdout
    assert "a budget allows only cheap models now" in told.stdout


def test_whoever_needs_no_key_has_a_budget_too_also_after_a_restart(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        free = running.call("POST", "/v1/chat/completions", BODY)
        made = running.command("budgets", "set", "local", "0.000000001", "--period", "day")
        refused = running.call("POST", "/v1/chat/completions", BODY)
        chat = running.command("chat", "hello", "--model", "sim/fast")
    with gateway(tmp_path) as running:
        again = running.call("POST", "/v1/chat/completions", BODY)

    assert free.status == 200
    assert made.returncode == 0, made.stderr
    assert refused.status == again.status == 402
    assert "budget 'day' cannot pay" in refused.json()["error"]["message"]
    assert chat.returncode != 0
    assert "budget 'day' cannot pay" in chat.stderr


def test_combos_and_sessions_have_budgets_at_the_door_and_after_a_restart(tmp_path: Path) -> None:
    path, mixed = "/v1/chat/completions", {**BODY, "model": "mixed"}
    named = {"x-omniroute-session": "nightly"}
    with gateway(tmp_path) as running:
        key = running.new_key()
        key_id = key.removeprefix("sk-omni-")[:12]
        running.command("combos", "add", "mixed", "sim/fast")
        made = [
            running.command("budgets", "set", "combo:mixed", "0.000000001"),
            running.command("budgets", "set", key_id, "0.000000002", "--session", "nightly"),
        ]
        by_combo = running.call("POST", path, mixed, key=key)
        by_session = running.call("POST", path, BODY, key=key, headers=named)
        neither = running.call("POST", path, BODY, key=key)
        listed = running.command("budgets", "list")
        unknown = running.command("budgets", "set", "combo:nope", "1")
    with gateway(tmp_path) as running:
        again = [
            running.call("POST", path, mixed, key=key).status,
            running.call("POST", path, BODY, key=key, headers=named).status,
        ]
        changed = running.command("budgets", "set", "combo:mixed", "1")
        budgets = running.call("GET", "/api/budgets", key=running.admin_key).json()["budgets"]
        raised = running.call("POST", path, mixed, key=key)

    assert [one.returncode for one in made] == [0, 0]
    assert (by_combo.status, by_session.status, neither.status) == (402, 402, 200)
    assert "combo:mixed" in listed.stdout
    assert "session ses_" in listed.stdout
    assert unknown.returncode != 0
    assert "no combo is named 'nope'" in unknown.stderr
    assert again == [402, 402]
    assert changed.returncode == 0, changed.stderr
    assert sorted(one["terms"]["cap_usd_nanos"] for one in budgets) == [2, DOLLAR]
    assert raised.status == 200


def test_an_unknown_action_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with gateway(tmp_path) as running:
        key_id = running.new_key().removeprefix("sk-omni-")[:12]

        refused = running.command("budgets", "set", key_id, "1", "--action", "stop")

    assert refused.returncode != 0
    assert "action is one of block, degrade, alert" in refused.stderr
