"""Push notifications at the door: subscribing in each dialect, and what a receiver gets."""

import base64
import hashlib
import hmac
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
from a2a.types.a2a_pb2 import StreamResponse, TaskPushNotificationConfig
from google.protobuf.json_format import ParseDict

from omniroute.a2a.push import SUBSCRIPTIONS_MAX
from omniroute.a2a.sending import BACKOFF_S, BUSY_S, PER_HOST_MAX, TRIES_MAX
from omniroute.routing.errors import UpstreamFailure
from omniroute.routing.model import Caller
from omniroute.server.webhooks import Webhooks
from tests.a2a_door import door as doors
from tests.a2a_door.door import HeldUpstream, Served, Telling, serving, v03_message, v10_message
from tests.fakes import world
from tests.store.opened import open_store

pytestmark = pytest.mark.anyio

URL = "https://client.example/hook?a=1"
A = {"authorization": "Bearer sk-fake-a"}
B = {"authorization": "Bearer sk-fake-b"}
V10 = {"A2A_Version": "1.0"}
VERSIONS = ["1.0", "0.3", "native"]


@dataclass
class Receiver:
    """Takes notifications and answers as told: none for the status 0, late at `slow` URLs."""

    statuses: list[int] = field(default_factory=list[int])
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    hooks: Webhooks = field(default_factory=lambda: Webhooks(private=False))
    slow: set[str] = field(default_factory=set[str])
    go: anyio.Event = field(default_factory=anyio.Event)

    def check(self, url: str) -> None:
        self.hooks.check(url)

    def host(self, url: str) -> str:
        return self.hooks.host(url)

    async def post(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
        self.got.append((url, dict(headers), body))
        if url in self.slow:
            await self.go.wait()
        status = self.statuses.pop(0) if self.statuses else 200
        if not status:
            raise UpstreamFailure("nobody is there", kind="connect")
        return status

    @property
    def bodies(self) -> list[Any]:
        return [orjson.loads(body) for _, _, body in self.got]


@asynccontextmanager
async def telling(
    folder: Path,
    upstream: HeldUpstream | None = None,
    *,
    statuses: Sequence[int] = (),
    by_itself: bool = False,
) -> AsyncGenerator[tuple[Served, Receiver]]:
    """Serve the door with an outbox in a database, which the test empties unless `by_itself`."""
    made, receiver = world(), Receiver(list(statuses))
    async with open_store(f"sqlite:///{folder}/storage.sqlite", folder, made.clock) as store:
        kept = Telling(store.tasks, store.pushes, receiver, by_itself)
        async with serving(made, upstream=upstream, keys_required=True, store=kept) as door:
            door.client.headers.update(A)
            yield door, receiver


async def deliver(door: Served) -> int:
    """Send all that is due now; give how much was found."""
    assert door.sender is not None
    found: list[int] = []
    async with anyio.create_task_group() as group:
        found.append(await door.sender.turn(group))
    return found[0]


def asked(version: str, *, at_once: bool = False, **config: object) -> tuple[str, Any]:
    """Give a send with a subscription."""
    told = {"url": URL, **config}
    match version:
        case "1.0":
            more: dict[str, object] = {"returnImmediately": True} if at_once else {}
            configuration = {"taskPushNotificationConfig": told, **more}
            return "SendMessage", {"message": v10_message(), "configuration": configuration}
        case "0.3":
            more = {"blocking": False} if at_once else {}
            configuration = {"pushNotificationConfig": told, **more}
            return "message/send", {"message": v03_message(), "configuration": configuration}
        case _:
            messages = [{"role": "user", "content": "say hello"}]
            return "message/send", {"messages": messages, "pushNotificationConfig": told}


async def sent(door: Served, version: str, **more: Any) -> Any:
    method, params = asked(version, **more)
    return await door.result(method, params, **(V10 if version == "1.0" else {}))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_receiver_gets_the_ended_task_in_the_dialect_of_its_client(
    version: str, tmp_path: Path
) -> None:
    async with telling(tmp_path) as (door, receiver):
        answer = await sent(door, version, token="a-fake-token")
        await deliver(door)
        await deliver(door)

    [(url, headers, body)] = receiver.got
    assert url == URL
    assert headers["x-a2a-notification-token"] == "a-fake-token"
    told = orjson.loads(body)
    if version == "1.0":
        read = ParseDict(told, StreamResponse(), ignore_unknown_fields=False)
        assert read.task.artifacts[0].parts[0].text == "hello"
        assert headers["content-type"] == "application/a2a+json"
        assert told["task"]["id"] == answer["task"]["id"]
    elif version == "0.3":
        assert (told["kind"], told["id"]) == ("task", answer["id"])
        assert told["status"]["state"] == "completed"
    else:
        assert told["task"] == {"id": answer["task"]["id"], "state": "completed"}
        assert told["artifacts"] == [{"type": "text", "content": "hello"}]


async def test_a_notification_is_signed_over_id_time_and_body(tmp_path: Path) -> None:
    async with telling(tmp_path) as (door, receiver):
        await sent(door, "1.0", token="a-fake-token")
        await deliver(door)

    [(_, headers, body)] = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(b"a-fake-token", signed, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


async def test_credentials_of_the_hmac_scheme_sign_and_are_never_sent(tmp_path: Path) -> None:
    key = b"0123456789abcdef"
    secret = f"whsec_{base64.b64encode(key).decode()}"
    async with telling(tmp_path) as (door, receiver):
        own = {"scheme": "HMAC-SHA256", "credentials": secret}
        await sent(door, "1.0", token="a-fake-token", authentication=own)
        await deliver(door)

    [(_, headers, body)] = receiver.got
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(key, signed, hashlib.sha256)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"
    assert "authorization" not in headers
    assert secret not in str(headers)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_receiver_gets_the_authorization_it_asked_for(version: str, tmp_path: Path) -> None:
    own = {"scheme": "Bearer"} if version == "1.0" else {"schemes": ["Bearer"]}
    async with telling(tmp_path) as (door, receiver):
        await sent(door, version, authentication={**own, "credentials": "fake-credential"})
        await deliver(door)

    [(_, headers, _)] = receiver.got
    assert headers["authorization"] == "Bearer fake-credential"
    assert "webhook-signature" not in headers


@pytest.mark.parametrize("version", VERSIONS)
async def test_subscriptions_are_set_looked_at_listed_and_deleted(
    version: str, tmp_path: Path
) -> None:
    held = HeldUpstream()
    own: dict[str, Any] = {"url": URL, "id": "mine", "token": "a-fake-token"}
    async with telling(tmp_path, held) as (door, _):
        task = (await sent(door, "1.0", at_once=True))["task"]["id"]
        headers = V10 if version == "1.0" else {}
        match version:
            case "1.0":
                methods = [f"{verb}TaskPushNotificationConfig" for verb in ("Create", "Get")]
                methods += ["ListTaskPushNotificationConfigs", "DeleteTaskPushNotificationConfig"]
                set_params: Any = {"task_id": task, **own}
                one: Any = {"taskId": task, "id": "mine"}
                all_of: Any = {"taskId": task}
            case "0.3":
                verbs = ("set", "get", "list", "delete")
                methods = [f"tasks/pushNotificationConfig/{verb}" for verb in verbs]
                set_params = {"taskId": task, "pushNotificationConfig": own}
                one = {"id": task, "pushNotificationConfigId": "mine"}
                all_of = {"id": task}
            case _:
                verbs = ("set", "get", "list", "delete")
                methods = [f"tasks/pushNotificationConfig/{verb}" for verb in verbs]
                set_params = {"taskId": task, **own}
                one = {"taskId": task, "id": "mine"}
                all_of = {"taskId": task}
        stored = await door.result(methods[0], set_params, **headers)
        found = await door.result(methods[1], one, **headers)
        listed = await door.result(methods[2], all_of, **headers)
        removed = await door.result(methods[3], one, **headers)
        again = await door.result(methods[3], one, **headers)
        gone = await door.error(methods[1], one, **headers)

    shown = {"id": "mine", "url": URL}
    if version == "0.3":
        assert stored == {"taskId": task, "pushNotificationConfig": shown}
        entries = listed
    else:
        assert stored == {"taskId": task, **shown}
        entries = listed["configs"]
    if version == "1.0":
        ParseDict(stored, TaskPushNotificationConfig(), ignore_unknown_fields=False)
    assert found == stored
    assert len(entries) == 2
    assert stored in entries
    assert removed == again == (None if version == "0.3" else {})
    assert gone["code"] == (-32602 if version == "native" else -32001)


async def test_a_second_set_without_an_id_replaces_the_first_in_0_3(tmp_path: Path) -> None:
    held = HeldUpstream()
    other = {"url": "https://other.example/hook"}
    async with telling(tmp_path, held) as (door, receiver):
        task = (await sent(door, "0.3", at_once=True))["id"]
        set_to = {"taskId": task, "pushNotificationConfig": other}
        await door.result("tasks/pushNotificationConfig/set", set_to)
        found = await door.result("tasks/pushNotificationConfig/get", {"id": task})
        held.go.set()
        await held.closed.wait()
        await door.result("tasks/get", {"id": task})
        await ended(door, task)
        await deliver(door)

    assert found["pushNotificationConfig"]["url"] == other["url"]
    assert [url for url, _, _ in receiver.got] == [other["url"]]


async def ended(door: Served, task_id: str) -> None:
    while (await door.result("tasks/get", {"id": task_id}))["status"]["state"] == "working":
        await anyio.sleep(0.01)


async def test_who_subscribes_to_an_ended_task_is_told_its_end(tmp_path: Path) -> None:
    async with telling(tmp_path) as (door, receiver):
        task = await door.result("message/send", {"message": v03_message()})
        params = {"taskId": task["id"], "url": URL}
        await door.result("CreateTaskPushNotificationConfig", params, **V10)
        await deliver(door)

    [told] = receiver.bodies
    assert told["task"]["status"]["state"] == "TASK_STATE_COMPLETED"


@pytest.fixture
def asker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of these tests may ask for costs, too."""
    scopes = frozenset({"read:usage", "write:route"})
    monkeypatch.setitem(doors.CALLERS, "sk-fake-a", Caller("key-a", scopes))


@pytest.mark.usefixtures("asker")
async def test_a_task_that_asks_its_client_back_is_told(tmp_path: Path) -> None:
    vague = v03_message("what did I spend since Tuesday, by model?")
    config = {"configuration": {"pushNotificationConfig": {"url": URL}}}
    skill = {"metadata": {"skill": "cost-analysis"}}
    async with telling(tmp_path) as (door, receiver):
        waiting = await door.result("message/send", {"message": vague, **config, **skill})
        await deliver(door)
        said = v03_message("the last 7 days", taskId=waiting["id"])
        await door.result("message/send", {"message": said})
        await deliver(door)

    assert waiting["status"]["state"] == "input-required"
    states = [body["status"]["state"] for body in receiver.bodies]
    assert states == ["input-required", "completed"]
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 2


@pytest.mark.usefixtures("asker")
async def test_who_answers_a_task_may_subscribe_with_the_answer(tmp_path: Path) -> None:
    vague = v03_message("what did I spend since Tuesday, by model?")
    config = {"configuration": {"pushNotificationConfig": {"url": URL}}}
    skill = {"metadata": {"skill": "cost-analysis"}}
    async with telling(tmp_path) as (door, receiver):
        waiting = await door.result("message/send", {"message": vague, **skill})
        again = v03_message("since May", taskId=waiting["id"])
        await door.result("message/send", {"message": again, **config})
        await deliver(door)
        said = v03_message("the last 7 days", taskId=waiting["id"])
        await door.result("message/send", {"message": said, **config})
        await deliver(door)

    states = [body["status"]["state"] for body in receiver.bodies]
    assert states == ["input-required", "completed"]


async def test_a_task_that_is_canceled_is_told(tmp_path: Path) -> None:
    held = HeldUpstream()
    async with telling(tmp_path, held) as (door, receiver):
        task = (await sent(door, "0.3", at_once=True))["id"]
        early = await deliver(door)
        await door.result("tasks/cancel", {"id": task})
        await deliver(door)

    assert early == 0
    [told] = receiver.bodies
    assert told["status"]["state"] == "canceled"


async def test_what_does_not_arrive_is_tried_again_later_each_time(tmp_path: Path) -> None:
    failing = [0, 500, 302, 429]
    waits: list[float] = []
    async with telling(tmp_path, statuses=failing) as (door, receiver):
        await sent(door, "1.0")
        await deliver(door)
        for wait in BACKOFF_S:
            door.world.clock.advance(wait - 0.5)
            waits.append(await deliver(door))
            door.world.clock.advance(0.5)
            await deliver(door)
        door.world.clock.advance(10_000)
        await deliver(door)

    assert waits == [0, 0, 0, 0]
    assert len(receiver.got) == TRIES_MAX
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1


@pytest.mark.parametrize("statuses", [[410], [503] * TRIES_MAX])
async def test_a_receiver_that_wants_nothing_or_never_answers_is_given_up(
    statuses: list[int], tmp_path: Path
) -> None:
    async with telling(tmp_path, statuses=statuses) as (door, receiver):
        await sent(door, "1.0")
        for _ in range(TRIES_MAX + 2):
            await deliver(door)
            door.world.clock.advance(400)

    assert len(receiver.got) == len(statuses)


async def test_a_receiver_that_is_down_costs_its_other_notifications_no_try(
    tmp_path: Path,
) -> None:
    async with telling(tmp_path, statuses=[0] * 50) as (door, receiver):
        for _ in range(SUBSCRIPTIONS_MAX):
            await sent(door, "1.0")
            await deliver(door)
        while_down = len(receiver.got)
        receiver.statuses.clear()
        for _ in range(20):
            door.world.clock.advance(60)
            await deliver(door)

    assert while_down < SUBSCRIPTIONS_MAX
    arrived = {body["task"]["id"] for body in receiver.bodies[while_down:]}
    assert len(arrived) == SUBSCRIPTIONS_MAX


async def test_a_slow_receiver_holds_only_its_own_notifications(tmp_path: Path) -> None:
    slow = "https://slow.example/hook"
    async with telling(tmp_path) as (door, receiver):
        receiver.slow.add(slow)
        for _ in range(PER_HOST_MAX + 4):
            await sent(door, "1.0", url=slow)
        await sent(door, "1.0")
        assert door.sender is not None
        async with anyio.create_task_group() as group:
            await door.sender.turn(group)
            while URL not in [url for url, _, _ in receiver.got]:
                await anyio.sleep(0)
            held = [url for url, _, _ in receiver.got].count(slow)
            receiver.go.set()
        door.world.clock.advance(BUSY_S)
        await deliver(door)

    assert held == PER_HOST_MAX
    assert [url for url, _, _ in receiver.got].count(slow) == PER_HOST_MAX + 4


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_stream_may_be_told_of_as_well(version: str, tmp_path: Path) -> None:
    async with telling(tmp_path) as (door, receiver):
        method, params = asked(version)
        streamed = {"SendMessage": "SendStreamingMessage", "message/send": "message/stream"}
        body = {"jsonrpc": "2.0", "id": 1, "method": streamed[method], "params": params}
        answered = await door.post(body, **(V10 if version == "1.0" else {}))
        await deliver(door)

    assert answered.headers["content-type"].startswith("text/event-stream")
    assert len(receiver.got) == 1


async def test_a_task_has_so_many_subscriptions_and_no_more(tmp_path: Path) -> None:
    held = HeldUpstream()
    async with telling(tmp_path, held) as (door, _):
        task = (await sent(door, "1.0", at_once=True))["task"]["id"]
        method, params = "CreateTaskPushNotificationConfig", {"taskId": task, "url": URL}
        for number in range(SUBSCRIPTIONS_MAX - 1):
            await door.result(method, {**params, "id": f"{number}"}, **V10)
        replaced = await door.call(method, {**params, "id": "3"}, **V10)
        error = await door.error(method, params, **V10)

    assert "error" not in replaced
    assert error["code"] == -32602


@pytest.mark.parametrize(
    "url",
    [
        "http://client.example/hook",
        "https://127.0.0.1/hook",
        "https://localhost/hook",
        "https://127.1/hook",
        "https://10.1.2.3/hook",
        "https://169.254.169.254/latest",
        "https://[::1]/hook",
        "https://[::ffff:10.0.0.1]/hook",
        "https://0x7f000001/hook",
        "https://user:secret@client.example/hook",
        "ftp://client.example/hook",
        "https://client.example/a\r\nhost: evil",
        "https://client.example/a b",
        "hook",
        "",
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
async def test_a_url_that_is_no_public_server_s_is_refused(
    version: str, url: str, tmp_path: Path
) -> None:
    async with telling(tmp_path) as (door, _):
        method, params = asked(version, url=url)
        error = await door.error(method, params, **(V10 if version == "1.0" else {}))
        listed = await door.result("ListTasks", {}, **V10)

    assert error["code"] == -32602
    assert "secret" not in error["message"]
    assert listed["tasks"] == []


@pytest.mark.parametrize(
    "config",
    [
        {"token": "a\r\nx-evil: 1"},
        {"token": "a\nb"},
        {"token": "café"},
        {"token": "x" * 5000},
        {"token": 1},
        {"authentication": {"scheme": "Bearer", "credentials": "a\r\nx-evil: 1"}},
        {"authentication": {"scheme": "Bear er", "credentials": "a"}},
        {"authentication": {"credentials": "a"}},
        {"id": "a\nb"},
    ],
)
async def test_what_no_header_may_hold_is_refused(config: dict[str, Any], tmp_path: Path) -> None:
    async with telling(tmp_path) as (door, _):
        method, params = asked("1.0", **config)
        error = await door.error(method, params, **V10)

    assert error["code"] == -32602


async def test_another_caller_s_task_is_as_good_as_none(tmp_path: Path) -> None:
    async with telling(tmp_path) as (door, receiver):
        mine = (await sent(door, "1.0", id="mine"))["task"]["id"]
        await deliver(door)
        answers = [
            [
                await door.post(
                    {"jsonrpc": "2.0", "id": 1, "method": method, "params": params | more},
                    **V10,
                    **B,
                )
                for method, more in (
                    ("CreateTaskPushNotificationConfig", {"url": URL}),
                    ("GetTaskPushNotificationConfig", {"id": "mine"}),
                    ("ListTaskPushNotificationConfigs", {}),
                    ("DeleteTaskPushNotificationConfig", {"id": "mine"}),
                )
            ]
            for params in ({"taskId": mine}, {"taskId": "none"})
        ]
        kept = await door.result("ListTaskPushNotificationConfigs", {"taskId": mine}, **V10)

    foreign, missing = ([answer.content for answer in row] for row in answers)
    assert foreign == missing
    assert all(b"-32001" in content for content in foreign)
    assert len(kept["configs"]) == 1
    assert len(receiver.got) == 1


async def test_who_may_not_send_may_not_subscribe(tmp_path: Path) -> None:
    async with telling(tmp_path) as (door, _):
        params = {"taskId": "none", "url": URL}
        body = {"jsonrpc": "2.0", "id": 1, "method": "CreateTaskPushNotificationConfig"}
        reader = {"authorization": "Bearer sk-fake-reader"}
        answered = await door.post({**body, "params": params}, **V10, **reader)

    assert answered.status_code == 403


async def test_nothing_of_a_key_without_content_is_told(tmp_path: Path) -> None:
    async with telling(tmp_path) as (door, receiver):
        method, params = asked("1.0")
        secret = {"authorization": "Bearer sk-fake-no-log"}
        await door.result(method, params, **V10, **secret)
        await deliver(door)

    [told] = receiver.bodies
    assert told["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert "artifacts" not in told["task"]
    assert "hello" not in str(receiver.bodies)


async def test_the_card_says_that_notifications_are_sent(tmp_path: Path) -> None:
    async with telling(tmp_path) as (door, _):
        union = (await door.client.get("/.well-known/agent-card.json")).json()

    assert union["capabilities"]["pushNotifications"] is True


async def test_the_serving_door_sends_by_itself(tmp_path: Path) -> None:
    async with telling(tmp_path, by_itself=True) as (door, receiver):
        await sent(door, "1.0")
        while not receiver.got:
            await anyio.sleep(0.01)

    [told] = receiver.bodies
    assert told["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
