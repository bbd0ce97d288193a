"""Two tenants of one agent never see each other, whatever they do, in whatever order.

Both have a key, a word that is in all they write, and know the ids of each other's tasks and
contexts. What one is told must hold neither the other's word nor an id of the other's, and
must be the same bytes as for a task that does not exist.
"""

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, product
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.processes import RunningGateway

from .conftest import Agent
from .dialects import DIALECTS, V10, Dialect
from .hooks import Hooks, Notification
from .journey import QUICK, STUCK

CALL_S_MAX = 20.0
TENANTS = ("a", "b")
WORDS = {"a": "ambergris", "b": "bergamot"}
PUSH = ("push-set", "push-get", "push-list", "push-delete")

dialects = st.sampled_from(DIALECTS)
tenants = st.sampled_from(TENANTS)


@dataclass
class Tenant:
    """Who asks, and what is known to be theirs: states and answers by a task's id."""

    key: str
    word: str
    tasks: dict[str, str] = field(default_factory=dict[str, str])
    contexts: list[str] = field(default_factory=list[str])


class Agents:
    """The doors of one agent, asked in turn: of one gateway, or of replicas on one database."""

    def __init__(self, gateways: Sequence[RunningGateway]) -> None:
        opened = [httpx.Client(base_url=one.url, timeout=CALL_S_MAX) for one in gateways]
        self._doors = cycle(opened)

    def headers(self, tenant: Tenant, dialect: Dialect, **more: str) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        sent = {"authorization": f"Bearer {tenant.key}", "content-type": "application/json"}
        return {**sent, **dialect.headers, **named}

    def ask(self, tenant: Tenant, dialect: Dialect, body: bytes, **more: str) -> httpx.Response:
        headers = self.headers(tenant, dialect, **more)
        return next(self._doors).post("/a2a", content=body, headers=headers)

    @contextmanager
    def streaming(self, tenant: Tenant, dialect: Dialect, body: bytes) -> Iterator[httpx.Response]:
        headers = self.headers(tenant, dialect)
        door = next(self._doors)
        with door.stream("POST", "/a2a", content=body, headers=headers) as response:
            yield response


class TwoTenants(RuleBasedStateMachine):
    """What two tenants may do, and what each must be told of it."""

    agents: Agents
    keys: dict[str, str]
    hooks: Hooks

    @initialize()
    def begin(self) -> None:
        """Both send a message, and are told of it."""
        self.tenants = {name: Tenant(self.keys[name], WORDS[name]) for name in TENANTS}
        for name, tenant in self.tenants.items():
            self.sent(name, V10, V10.message("send", tenant.word, QUICK), "completed")
            [task_id] = tenant.tasks
            body = push_body(V10, "push-set", task_id, f"{self.hooks.url}/{tenant.word}")
            assert "error" not in self.agents.ask(tenant, V10, body).json()

    def tasks(self) -> list[tuple[str, str]]:
        return [(name, one) for name, of in self.tenants.items() for one in of.tasks]

    def unseen(self, name: str, told: str) -> None:
        """Check that nothing of the other is told."""
        (other,) = (one for one in TENANTS if one != name)
        theirs = self.tenants[other]
        for secret in (theirs.word, *theirs.tasks):
            assert secret not in told, f"{name} sees {secret} of {other}: {told}"

    def sent(self, name: str, dialect: Dialect, body: bytes, state: str, **more: str) -> None:
        tenant = self.tenants[name]
        answered = self.agents.ask(tenant, dialect, body, **more)
        self.unseen(name, answered.text)
        task = dialect.task(answered.json()["result"])
        assert dialect.state(task) == state
        tenant.tasks[task["id"]] = state
        if "contextId" in task:
            tenant.contexts.append(task["contextId"])

    @rule(name=tenants, dialect=dialects, data=st.data())
    def send(self, name: str, dialect: Dialect, data: st.DataObject) -> None:
        """Send a message, also in a context that is the other's."""
        known = [one for of in self.tenants.values() for one in of.contexts]
        context = data.draw(st.sampled_from([None, *known]))
        more = {} if context is None else {"contextId": context}
        text = f"{self.tenants[name].word} {uuid.uuid4()}"
        self.sent(name, dialect, dialect.message("send", text, QUICK, **more), "completed")

    @rule(name=tenants, dialect=st.sampled_from(DIALECTS[:2]))
    def begin_what_does_not_end(self, name: str, dialect: Dialect) -> None:
        text = self.tenants[name].word
        self.sent(name, dialect, dialect.message("send", text, STUCK, wait=False), "working")

    @rule(dialect=dialects)
    def repeat_under_one_idempotency_key(self, dialect: Dialect) -> None:
        """Both send the same bytes under the same name: each gets a task of their own."""
        body, named = dialect.message("send", "the same of both", QUICK), uuid.uuid4().hex
        for name in TENANTS:
            self.sent(name, dialect, body, "completed", idempotency_key=named)

    @rule(name=tenants, dialect=dialects)
    def stream(self, name: str, dialect: Dialect) -> None:
        tenant = self.tenants[name]
        body = dialect.message("stream", tenant.word, QUICK)
        answered = self.agents.ask(tenant, dialect, body)
        self.unseen(name, answered.text)
        assert tenant.word in answered.text

    @rule(name=tenants, dialect=dialects, data=st.data())
    def get(self, name: str, dialect: Dialect, data: st.DataObject) -> None:
        owner, task_id = data.draw(st.sampled_from(self.tasks()))
        answered = self.asked_of(name, owner, dialect, "get", task_id)
        if answered is None:
            return
        task = dialect.task(answered.json()["result"])
        state = self.tenants[name].tasks[task_id]
        assert (task["id"], dialect.state(task)) == (task_id, state)
        if state == "completed":
            assert "You said: " in dialect.answer(task)

    @rule(name=tenants, dialect=dialects, data=st.data())
    def cancel(self, name: str, dialect: Dialect, data: st.DataObject) -> None:
        owner, task_id = data.draw(st.sampled_from(self.tasks()))
        answered = self.asked_of(name, owner, dialect, "cancel", task_id)
        if answered is None:
            return
        tasks = self.tenants[name].tasks
        if tasks[task_id] == "working":
            assert dialect.state(dialect.task(answered.json()["result"])) == "canceled"
            tasks[task_id] = "canceled"
        else:
            assert "error" in answered.json()

    @rule(name=tenants, dialect=dialects, data=st.data())
    def follow(self, name: str, dialect: Dialect, data: st.DataObject) -> None:
        owner, task_id = data.draw(st.sampled_from(self.tasks()))
        tenant = self.tenants[name]
        if owner == name and tenant.tasks[task_id] == "working":
            body = dialect.on("follow", task_id)
            with self.agents.streaming(tenant, dialect, body) as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                self.unseen(name, next(response.iter_text()))
            return
        self.asked_of(name, owner, dialect, "follow", task_id)

    @rule(name=tenants, dialect=st.sampled_from(DIALECTS[:2]), data=st.data())
    def go_on_with_a_task(self, name: str, dialect: Dialect, data: st.DataObject) -> None:
        """Send a message to a task: none here waits for one, and the other's does not exist."""
        owner, task_id = data.draw(st.sampled_from(self.tasks()))
        tenant = self.tenants[name]
        told = [
            self.agents.ask(tenant, dialect, dialect.message("send", "more", QUICK, taskId=one))
            for one in (task_id, str(uuid.uuid4()))
        ]
        assert all("error" in one.json() for one in told)
        self.unseen(name, told[0].text)
        assert (told[0].content == told[1].content) == (owner != name)

    @rule(name=tenants, dialect=dialects, does=st.sampled_from(PUSH), data=st.data())
    def configure_notifications(
        self, name: str, dialect: Dialect, does: str, data: st.DataObject
    ) -> None:
        """Have notifications sent to one's own receiver, also of the other's task."""
        owner, task_id = data.draw(st.sampled_from(self.tasks()))
        tenant = self.tenants[name]
        url = f"{self.hooks.url}/{tenant.word}"
        told = [
            self.agents.ask(tenant, dialect, push_body(dialect, does, one, url))
            for one in (task_id, str(uuid.uuid4()))
        ]
        self.unseen(name, told[0].text)
        if owner != name:
            assert told[0].content == told[1].content
            assert "error" in told[0].json()
        elif does == "push-set":
            assert tenant.word in told[0].text

    @rule(name=tenants, dialect=st.sampled_from([DIALECTS[0], DIALECTS[2]]), data=st.data())
    def list_tasks(self, name: str, dialect: Dialect, data: st.DataObject) -> None:
        """List all, or those of a context, which may be the other's."""
        known = [one for of in self.tenants.values() for one in of.contexts]
        context = data.draw(st.sampled_from([None, *known]))
        tenant = self.tenants[name]
        params: dict[str, Any] = {"pageSize": 100}
        if context is not None:
            params["contextId"] = context
        answered = self.agents.ask(tenant, dialect, dialect.body("list", params))
        self.unseen(name, answered.text)
        assert "error" not in answered.json()

    def asked_of(
        self, name: str, owner: str, dialect: Dialect, does: str, task_id: str
    ) -> httpx.Response | None:
        """Ask for something of a task; for the other's, check the bytes and give None."""
        tenant = self.tenants[name]
        answered = self.agents.ask(tenant, dialect, dialect.on(does, task_id))
        self.unseen(name, answered.text)
        if owner == name:
            return answered
        missing = self.agents.ask(tenant, dialect, dialect.on(does, str(uuid.uuid4())))
        assert (answered.status_code, answered.content) == (missing.status_code, missing.content)
        assert '"error"' in answered.text
        return None

    def teardown(self) -> None:
        for tenant in self.tenants.values():
            for task_id, state in tenant.tasks.items():
                if state == "working":
                    self.agents.ask(tenant, V10, V10.on("cancel", task_id))


def push_body(dialect: Dialect, does: str, task_id: str, url: str) -> bytes:
    """Give a request about the notifications of a task."""
    named = {} if does == "push-list" else {"id": "mine"}
    if dialect.name != "0.3":
        given = {"url": url} if does == "push-set" else {}
        return dialect.body(does, {"taskId": task_id, **named, **given})
    if does == "push-set":
        config = {**named, "url": url}
        return dialect.body(does, {"taskId": task_id, "pushNotificationConfig": config})
    return dialect.body(does, {"id": task_id, "pushNotificationConfigId": "mine"})


def test_two_tenants_never_see_each_other(locked: Agent, hooks: Hooks) -> None:
    check_apart([locked.gateway], hooks, examples=25)


def test_two_tenants_of_two_replicas_on_postgres_never_see_each_other(
    replicas: Sequence[RunningGateway], hooks: Hooks
) -> None:
    check_apart(replicas, hooks, examples=10)


def check_apart(gateways: Sequence[RunningGateway], hooks: Hooks, examples: int) -> None:
    """Let two tenants do what they like, and check what each is told."""
    first = len(hooks.got)
    keys = {name: gateways[0].new_key("--name", f"tenant {name}") for name in TENANTS}
    for gateway, key in product(gateways, keys.values()):
        wait_until_known(gateway, key)

    class Machine(TwoTenants):
        agents = Agents(gateways)

    Machine.keys, Machine.hooks = keys, hooks
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            # A step is a request of a whole gateway: a shorter example is not worth the minutes.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )

    def arrived(name: str) -> list[Notification]:
        return [one for one in hooks.got[first:] if one.path == f"/{WORDS[name]}"]

    hooks.wait(lambda: all(map(arrived, TENANTS)))
    for mine, theirs in (("a", "b"), ("b", "a")):
        assert arrived(mine)
        assert not [one for one in arrived(mine) if WORDS[theirs].encode() in one.body]


def wait_until_known(gateway: RunningGateway, key: str) -> None:
    """Wait until a gateway has heard of a key that another one has made."""
    ends_s = time.monotonic() + CALL_S_MAX
    while gateway.call("GET", "/v1/models", key=key).status != 200:
        assert time.monotonic() < ends_s
        time.sleep(0.05)
