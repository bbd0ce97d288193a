"""What `/api/a2a/*` gives, in the shapes that OmniRoute documents; further fields are ours.

Source: OmniRoute's reference, sections 2.2, 2.5 and 2.8 (version 2.3.10).
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Base of these shapes: what is not known is null."""


class CountsJson(Shape, frozen=True):
    """Tasks in each of the documented states; a rejected one counts as failed."""

    submitted: int = 0
    working: int = 0
    completed: int = 0
    failed: int = 0
    cancelled: int = 0


class TallyJson(Shape, frozen=True):
    """The tasks that the caller sees.

    Attributes:
        active_streams: open ones, of every caller, in the process that answers.
        last_task_at: when the newest was accepted.
    """

    counts: CountsJson
    total: int
    active_streams: int
    last_task_at: str | None


class AgentJson(Shape, frozen=True):
    """The agent, as its card says."""

    name: str
    description: str
    version: str
    url: str


class A2aStatusJson(Shape, frozen=True):
    """How the agent is. Capabilities and skills are those of its card."""

    status: str
    tasks: TallyJson
    agent: AgentJson
    capabilities: Mapping[str, Any]
    skills: tuple[Mapping[str, Any], ...]


class ArtifactJson(Shape, frozen=True):
    """Something that a task wrote; `type` is text, json or error."""

    type: str
    content: str


class LogJson(Shape, frozen=True):
    """A state that a task reached, and what the agent said about it."""

    timestamp: str
    state: str
    message: str | None = None


class SaidJson(Shape, frozen=True):
    """A message of a chat."""

    role: str
    content: str


class InputJson(Shape, frozen=True):
    """What was asked."""

    skill: str
    messages: tuple[SaidJson, ...]
    metadata: Mapping[str, Any]


class TaskJson(Shape, frozen=True):
    """A task.

    Attributes:
        artifacts: what it wrote; a list leaves it out unless it is asked for.
        events: its log; a list leaves it out.
        metadata: how it was routed, and why it failed (`error`).
        api_key_id: whose it is.
        attempt: counts the processes that worked on it, from 1.
        a2a_state: its state in the standards' words, of which there are more: one that waits
            for its client (`input-required`) works, a `rejected` one failed.
    """

    id: str
    skill: str
    state: str
    input: InputJson
    metadata: Mapping[str, Any]
    context_id: str
    created_at: str
    updated_at: str
    expires_at: str
    api_key_id: str
    attempt: int
    a2a_state: str
    artifacts: tuple[ArtifactJson, ...] = ()
    events: tuple[LogJson, ...] = ()


class OneTaskJson(Shape, frozen=True):
    """One task."""

    task: TaskJson


class TasksJson(Shape, frozen=True):
    """One page of tasks, the newest first, and how many there are in all."""

    tasks: tuple[TaskJson, ...]
    total: int
    limit: int
    offset: int
