"""The official SDKs, Python's and JavaScript's in both their lines, do all that the agent can."""

from collections.abc import Sequence
from typing import Any

import pytest

from .conftest import Agent
from .journey import ANSWER, SDKS, Sdk, travelled

every_sdk = pytest.mark.parametrize("sdk", SDKS, ids=[one.id for one in SDKS])


def text_of(events: Sequence[Any]) -> str:
    return "".join(one.get("text", "") for one in events)


@every_sdk
def test_an_official_sdk_does_all_that_the_agent_can(agent: Agent, sdk: Sdk) -> None:
    told = travelled(sdk, agent.gateway, agent.key)

    streamed, canceled = told["streamed"], told["canceled"]
    left, resumed = told["resumed"]["before"], told["resumed"]["after"]
    assert told["version"].startswith(sdk.version)
    assert told["card"]["name"] == "OmniRoute"
    assert "smart-routing" in told["card"]["skills"]
    assert (told["sent"]["state"], told["sent"]["text"]) == ("completed", ANSWER)
    assert (streamed[0]["state"], streamed[-1]["state"]) == ("working", "completed")
    assert text_of(streamed) == ANSWER
    assert len([one for one in streamed if one.get("text")]) > 2
    assert [one["last"] for one in streamed if "last" in one][-2:] == [False, True]
    assert len({one["task"] for one in streamed}) == 1
    assert (canceled["accepted"], canceled["got"]) == ("working", "working")
    assert canceled["ended"] == "canceled"
    assert canceled["followed"][-1]["state"] == "canceled"
    assert "NotCancelable" in canceled["again"] or canceled["again"] == "-32002"
    assert (told["got"]["state"], told["got"]["text"]) == ("completed", ANSWER)
    assert "NotFound" in told["got"]["missing"] or told["got"]["missing"] == "-32001"
    assert ANSWER.startswith(text_of(left))
    assert text_of(left) != ANSWER
    assert {one["task"] for one in resumed} == {left[0]["task"]}
    assert (text_of(resumed), resumed[-1]["state"]) == (ANSWER, "completed")
    if sdk.version == "1.0":
        assert len(told["listed"]) == len(set(told["listed"]))
        assert {told["sent"]["task"], streamed[0]["task"]} <= set(told["listed"])


@every_sdk
def test_an_official_sdk_without_a_key_is_refused_where_one_is_needed(
    locked: Agent, sdk: Sdk
) -> None:
    told = travelled(sdk, locked.gateway, None, refused=True)

    assert told["refused"] is not None
