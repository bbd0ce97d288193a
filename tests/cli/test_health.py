"""`omniroute providers health`, `alerts` and `resilience reset`, on a gateway that had faults."""

import json

from tests.processes import RunningGateway

HELLO = [{"role": "user", "content": "hello there"}]


def column(text: str, heading: str) -> list[str]:
    """Give a column of a printed table."""
    head, *rows = text.splitlines()
    at = head.index(heading)
    return [row[at:].split("  ")[0] for row in rows]


def health_of(gateway: RunningGateway, *, models: int) -> str:
    """Give what `providers health` prints once it shows so many: times come within a second."""
    for _ in range(20):
        shown = gateway.command("providers", "health").stdout
        if len(shown.splitlines()) > models:
            break
    return shown


def test_health_alerts_and_a_reset_tell_what_became_of_faults(
    running_gateway: RunningGateway,
) -> None:
    for model in ("sim/fast", "sim/fast@fault=model_gone", "sim/fast@fault=other_model"):
        running_gateway.call("POST", "/v1/chat/completions", {"model": model, "messages": HELLO})

    health = health_of(running_gateway, models=3)
    alerts = running_gateway.command("alerts")
    status = running_gateway.command("status")
    log = (running_gateway.home / "gateway.log").read_text()
    reset = running_gateway.command(
        "resilience", "reset", "sim", "--model", "fast@fault=model_gone"
    )
    after = running_gateway.command("providers", "health", "--json")

    assert column(health, "MODEL") == [
        "sim/fast",
        "sim/fast@fault=model_gone",
        "sim/fast@fault=other_model",
    ]
    ok, gone, swapped = column(health, "STATE")
    assert (ok, swapped, column(health, "SWAPPED")) == ("ok", "ok", ["0", "-", "1"])
    assert gone.startswith("the provider does not serve this model, 10 min")
    assert "alerts         2, see `omniroute alerts`" in status.stdout
    assert column(alerts.stdout, "ALERT") == ["model_swapped", "model_locked_out"]
    assert " WARNING omniroute model_locked_out provider=sim account_id=simulator " in log
    assert (reset.returncode, reset.stdout) == (0, "Ended 1 circuits, rests and lock-outs.\n")
    assert json.loads(after.stdout)["resilience"]["lockouts"] == []


def test_status_says_which_account_is_held_to_the_profile(running_gateway: RunningGateway) -> None:
    body = {"model": "sim/fast@fault=rate_limited", "messages": HELLO}
    running_gateway.call("POST", "/v1/chat/completions", body)

    status = running_gateway.command("status")

    assert "held           sim to 100 requests a minute, for " in status.stdout


def test_a_gateway_that_was_not_asked_anything_says_so(running_gateway: RunningGateway) -> None:
    health = running_gateway.command("providers", "health")
    alerts = running_gateway.command("alerts")
    reset = running_gateway.command("resilience", "reset", "nobody")

    assert health.stdout == "No model has been used since the gateway started.\n"
    assert alerts.stdout == "Nothing has happened since the gateway started.\n"
    assert (reset.returncode, "no account is named 'nobody'" in reset.stderr) == (1, True)
