// Follows the combos with an official TypeScript client: a plan on standard input, a line on
// standard output when it follows, and one for each change. Runs as text in the packages' folder.
const plan = JSON.parse(await new Promise((resolve) => {
  let text = "";
  process.stdin.on("data", (part) => (text += part));
  process.stdin.on("end", () => resolve(text));
}));

const second = plan.sdk === 2;
const { Client } = await import(
  second ? "@modelcontextprotocol/client" : "@modelcontextprotocol/sdk/client/index.js");
const { StdioClientTransport } = await import(
  second ? "@modelcontextprotocol/client/stdio" : "@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPClientTransport } = await import(
  second ? "@modelcontextprotocol/client" : "@modelcontextprotocol/sdk/client/streamableHttp.js");
const types = second ? {} : await import("@modelcontextprotocol/sdk/types.js");
const UPDATED = second
  ? "notifications/resources/updated" : types.ResourceUpdatedNotificationSchema;
const CHANGED = second
  ? "notifications/resources/list_changed" : types.ResourceListChangedNotificationSchema;

const [command, ...args] = plan.command;
const transport = plan.transport === "stdio"
  ? new StdioClientTransport({ command, args, env: plan.environment })
  : new StreamableHTTPClientTransport(new URL(plan.url), { requestInit: { headers: plan.headers } });
const mode = plan.modern ? { pin: plan.version } : "legacy";
const client = new Client({ name: "proof", version: "1" }, { versionNegotiation: { mode } });
const say = (words) => process.stdout.write(`${words}\n`);
const heard = new Set();
const all = new Promise((resolve) => {
  const hear = (words) => {
    say(words);
    if (heard.add(words).size === 2) resolve();
  };
  client.setNotificationHandler(UPDATED, ({ params }) => hear(params.uri));
  client.setNotificationHandler(CHANGED, () => hear("list"));
});

await client.connect(transport);
if (plan.modern)
  await client.listen({ resourcesListChanged: true, resourceSubscriptions: [plan.follows] });
else
  await client.subscribeResource({ uri: plan.follows });
await client.listTools();
say("follows");
await all;
await client.close();
process.exit(0);
