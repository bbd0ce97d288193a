// Drives an agent with the official JavaScript SDK, of its line 1 or 0.3: a plan on standard
// input, what it saw on standard output; see journey.py. Runs as text in the packages' folder.
const plan = JSON.parse(await new Promise((resolve) => {
  let text = "";
  process.stdin.on("data", (part) => (text += part));
  process.stdin.on("end", () => resolve(text));
}));

const modern = plan.sdk === 1;
const sdk = await import("@a2a-js/sdk");
const {
  ClientFactory, ClientFactoryOptions, DefaultAgentCardResolver, JsonRpcTransportFactory,
} = await import("@a2a-js/sdk/client");

const fetchImpl = (url, init = {}) => {
  const headers = new Headers(init.headers);
  for (const [name, value] of Object.entries(plan.headers)) headers.set(name, value);
  const signal = init.signal ?? AbortSignal.timeout(plan.seconds_max * 1000);
  return fetch(url, { ...init, headers, signal });
};
// The legacy layer of line 1 speaks 0.3 to what a card says is 0.3.
const legacyCompat = { enabled: modern && plan.version === "0.3" };

const card = await new DefaultAgentCardResolver({ fetchImpl, legacyCompat }).resolve(plan.url);

// Line 0.3 verifies no signatures. Line 1 does for a card as it came: of one that it has read,
// it loses how to authenticate.
const verified = modern && plan.signed;
if (verified) {
  // It would print each signature that is not of its form where the answer goes.
  console.debug = () => {};
  const fetched = async (path) => (await fetchImpl(`${plan.url}/.well-known/${path}`)).json();
  const { keys } = await fetched("jwks.json");
  const verify = sdk.verifyAgentCardSignature(
    async (kid) => keys.find((one) => one.kid === kid));
  await verify(await fetched("agent-card.json"));
}
if (modern)
  card.supportedInterfaces = card.supportedInterfaces.filter(
    (one) => one.protocolVersion === plan.version);
const factory = new ClientFactory(ClientFactoryOptions.createFrom(ClientFactoryOptions.default, {
  transports: [new JsonRpcTransportFactory({ fetchImpl, legacyCompat })] }));
const client = await factory.createFromAgentCard(card);

// What differs between the lines: the shapes of values. Line 1 has protobuf's.
const read = (type, value) => (modern ? sdk[type].fromJSON(value) : value);
const state = (status) => (modern ? sdk.taskStateToJSON(status.state) : status.state)
  .replace("TASK_STATE_", "").toLowerCase();
const kind = (part) => (modern ? part.content.$case : part.kind);
const value = (part) => (modern ? part.content.value : part.text ?? part.data);
const valuesOf = (parts, wanted) => parts.filter((one) => kind(one) === wanted).map(value);
const text = (parts) => valuesOf(parts, "text").join("");
const answer = (task) => (task.artifacts ?? []).map((one) => text(one.parts)).join("");

function kindOf(event) {
  if (!modern) return [event.kind, event];
  if (event.payload === undefined) return ["task", event];
  return [event.payload.$case, event.payload.value];
}

function told(event) {
  const [named, about] = kindOf(event);
  if (named === "task")
    return { task: about.id, state: state(about.status), text: answer(about) };
  if (["artifactUpdate", "artifact-update"].includes(named))
    return { task: about.taskId, text: text(about.artifact.parts), last: about.lastChunk };
  return { task: about.taskId, state: state(about.status) };
}

async function all(events) {
  const seen = [];
  for await (const one of events) seen.push(told(one));
  return seen;
}

async function errorOf(asked) {
  try {
    await asked();
  } catch (error) {
    return error.constructor.name;
  }
  return null;
}

function request(model, { waits = true, push = null } = {}) {
  return saying(plan.text, { model: plan[model] }, { waits, push });
}

function saying(said, options, { waits = true, push = null, names = {} } = {}) {
  const metadata = { [plan.extension]: options };
  const messageId = crypto.randomUUID();
  const configuration = modern ? { returnImmediately: !waits } : { blocking: waits };
  if (push) configuration[modern ? "taskPushNotificationConfig" : "pushNotificationConfig"] = push;
  const message = modern
    ? { messageId, role: "ROLE_USER", parts: [{ text: said }], metadata, ...names }
    : { kind: "message", messageId, role: "user", parts: [{ kind: "text", text: said }],
      metadata, ...names };
  return read("SendMessageRequest", { message, configuration });
}

const follow = (id) => client.resubscribeTask(read("SubscribeToTaskRequest", { id }));
const get = (id) => client.getTask(read("GetTaskRequest", { id }));
const cancel = (id) => client.cancelTask(read("CancelTaskRequest", { id }));
const send = async (...asked) => told(await client.sendMessage(request(...asked)));

async function resumed() {
  const before = [];
  for await (const one of client.sendMessageStream(request("paced"))) {
    before.push(told(one));
    if (before.at(-1).text) break;
  }
  return { before, after: await all(follow(before[0].task)) };
}

async function canceled() {
  const accepted = await send("stuck", { waits: false });
  const events = follow(accepted.task);
  const first = told((await events.next()).value);
  const got = await get(accepted.task);
  const ended = await cancel(accepted.task);
  const again = await errorOf(() => cancel(accepted.task));
  const followed = [first, ...await all(events)];
  return { accepted: accepted.state, got: state(got.status), ended: state(ended.status), again,
    followed };
}

async function asked() {
  const skill = { skill: plan.skill };
  const task = kindOf(await client.sendMessage(saying(plan.vague, skill)))[1];
  const names = { taskId: task.id, contextId: task.contextId };
  const last = kindOf(await client.sendMessage(saying(plan.clear, skill, { names })))[1];
  return {
    waits: state(task.status),
    question: text(task.status.message.parts),
    same: last.id === task.id && last.contextId === task.contextId,
    ended: state(last.status),
    text: answer(last),
    data: last.artifacts.flatMap((one) => valuesOf(one.parts, "data")),
  };
}

async function listed() {
  if (plan.version !== "1.0") return null;
  const found = [];
  let pageToken = "";
  do {
    const page = await client.listTasks(read("ListTasksRequest", { pageSize: 2, pageToken }));
    found.push(...page.tasks.map((one) => one.id));
    pageToken = page.nextPageToken;
  } while (pageToken);
  return found;
}

async function pushed() {
  const config = (name, token) => ({ id: name, url: `${plan.hook}/${name}`, token });
  const accepted = await send("stuck", { waits: false, push: config("with", "token-1") });
  const taskId = accepted.task;
  for (const name of ["after", "gone"])
    await (modern
      ? client.createTaskPushNotificationConfig(
        read("TaskPushNotificationConfig", { taskId, ...config(name, "token-2") }))
      : client.setTaskPushNotificationConfig(
        { taskId, pushNotificationConfig: config(name, "token-2") }));
  const named = (name) => (modern
    ? { taskId, id: name } : { id: taskId, pushNotificationConfigId: name });
  const got = await client.getTaskPushNotificationConfig(
    read("GetTaskPushNotificationConfigRequest", named("after")));
  await client.deleteTaskPushNotificationConfig(
    read("DeleteTaskPushNotificationConfigRequest", named("gone")));
  const left = await client.listTaskPushNotificationConfig(
    read("ListTaskPushNotificationConfigsRequest", modern ? { taskId } : { id: taskId }));
  await cancel(taskId);
  const { id, url } = modern ? got : got.pushNotificationConfig;
  const ids = (modern ? left.configs : left.map((one) => one.pushNotificationConfig))
    .map((one) => one.id).sort();
  return { task: taskId, got: { id, url }, left: ids };
}

async function extended() {
  const own = await client.getAgentCard();
  return own.capabilities.extensions.find((one) => one.uri === plan.extension).params.scopes;
}

async function journey() {
  if (plan.refused) return { refused: await errorOf(() => send("quick")) };
  const sent = await send("quick");
  const task = await get(sent.task);
  return {
    verified,
    version: modern ? client.protocolVersion : card.protocolVersion,
    card: { name: card.name, skills: card.skills.map((one) => one.id) },
    sent,
    streamed: await all(client.sendMessageStream(request("paced"))),
    resumed: await resumed(),
    canceled: await canceled(),
    got: { state: state(task.status), text: answer(task),
      missing: await errorOf(() => get("no-such-task")) },
    asked: await asked(),
    listed: await listed(),
    pushed: plan.hook ? await pushed() : null,
    extended: plan.extended ? await extended() : null,
  };
}

process.stdout.write(JSON.stringify(await journey()));
