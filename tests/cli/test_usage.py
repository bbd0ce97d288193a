"""`omniroute usage` on a gateway that was used."""

import json

from tests.cli.test_health import HELLO, column
from tests.processes import RunningGateway


def test_usage_tells_what_was_used_and_how_calls_went(running_gateway: RunningGateway) -> None:
    unused = running_gateway.command("usage")
    for model in ("sim/fast", "sim/fast", "sim/smart", "sim/fast@fault=model_gone"):
        running_gateway.call("POST", "/v1/chat/completions", {"model": model, "messages": HELLO})

    by_provider = running_gateway.command("usage")
    by_model = running_gateway.command("usage", "--range", "1d", "--by", "model")
    calls = running_gateway.command("usage", "--calls", "--by", "model")
    as_json = running_gateway.command("usage", "--by", "key", "--json")
    wrong = running_gateway.command("usage", "--by", "colour")

    assert unused.stdout.startswith("Nothing was used since ")
    facts, rows = by_provider.stdout.split("\n\n")
    assert "requests     4, 75.0 % answered" in facts
    assert "of it simulated, which nobody charges" in facts
    assert column(rows, "PROVIDER") == ["sim", "(nobody)"]
    assert column(by_model.stdout.split("\n\n")[1], "MODEL")[:2] == ["sim/smart", "sim/fast"]
    assert column(calls.stdout, "MODEL") == [
        "sim/fast",
        "sim/fast@fault=model_gone",
        "sim/smart",
    ]
    assert [one["requests"] for one in json.loads(as_json.stdout)["rows"]] == [4]
    assert (wrong.returncode, "by is one of provider" in wrong.stderr) == (1, True)
