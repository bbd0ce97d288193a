"""The official SDKs, Python's and JavaScript's in both their lines, do all that the agent can."""

from collections.abc import Sequence
from typing import Any

import pytest

from .conftest import Agent
from .hooks import Hooks
from .journey import ANSWER, SDKS, Sdk, travelled

every_sdk = pytest.mark.parametrize("sdk", SDKS, ids=[one.id for one in SDKS])


def text_of(events: Sequence[Any]) -> str:
    return "".join(one.get("text", "") for one in events)


@every_sdk
def test_an_official_sdk_does_all_that_the_agent_can(agent: Agent, hooks: Hooks, sdk: Sdk) -> None:
    has_key = agent.key is not None
    more = {"hook": hooks.url, "extended": has_key, "signed": has_key}
    told = travelled(sdk, agent.gateway, agent.key, **more)

    streamed, canceled = told["streamed"], told["canceled"]
    left, resumed = told["resumed"]["before"], told["resumed"]["after"]
    assert told["version"].startswith(sdk.version)
    assert told["verified"] == (has_key and sdk.verifies)
    assert ("write:route" in (told["extended"] or ())) == has_key
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
    check_asked(told["asked"])
    check_pushed(sdk, told["pushed"], hooks)
    if sdk.version == "1.0":
        assert len(told["listed"]) == len(set(told["listed"]))
        assert {told["sent"]["task"], streamed[0]["task"]} <= set(told["listed"])


def check_asked(asked: Any) -> None:
    """Check what a skill asked back, and what it told in words and as data."""
    assert asked["waits"].replace("_", "-") == "input-required"
    assert "Which time do you mean?" in asked["question"]
    assert asked["same"]
    assert asked["ended"] == "completed"
    assert "the last 7 days" in asked["text"]
    assert [group["by"] for group in asked["data"][0]["groups"]] == ["provider", "model"]


def check_pushed(sdk: Sdk, pushed: Any, hooks: Hooks) -> None:
    """Check what is configured, and what arrived, in the dialect it was asked for in."""
    arrived = hooks.of(pushed["task"], {"/with", "/after"})
    assert pushed["got"] == {"id": "after", "url": f"{hooks.url}/after"}
    assert pushed["left"] in (None, ["after", "with"])
    assert set(arrived) == {"/with", "/after"}
    for path, token in (("/with", "token-1"), ("/after", "token-2")):
        told = arrived[path].json()
        task = told["task"] if sdk.version == "1.0" else told
        assert task["id"] == pushed["task"]
        canceled = "TASK_STATE_CANCELED" if sdk.version == "1.0" else "canceled"
        assert task["status"]["state"] == canceled
        assert arrived[path].headers["x-a2a-notification-token"] == token


@every_sdk
def test_an_official_sdk_without_a_key_is_refused_where_one_is_needed(
    locked: Agent, sdk: Sdk
) -> None:
    told = travelled(sdk, locked.gateway, None, refused=True)

    assert told["refused"] is not None
