// Lists and calls with an official TypeScript client: a plan on standard input, what it saw on
// standard output. Runs as text in the folder that has the packages.
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

const [command, ...args] = plan.command;
const transport = plan.transport === "stdio"
  ? new StdioClientTransport({ command, args, env: plan.environment })
  : new StreamableHTTPClientTransport(new URL(plan.url), { requestInit: { headers: plan.headers } });
const mode = plan.modern ? { pin: plan.version } : "legacy";
const client = new Client({ name: "proof", version: "1" }, { versionNegotiation: { mode } });

await client.connect(transport);
const { tools } = await client.listTools();
const results = {};
const progress = [];
const onprogress = ({ message }) => progress.push(message);
for (const [name, given] of Object.entries(plan.calls)) {
  const options = given.stream ? { onprogress } : {};
  const call = { name, arguments: given };
  results[name] = await (second ? client.callTool(call, options)
    : client.callTool(call, undefined, options));
}
const listed = {
  resources: (await client.listResources()).resources.map((one) => one.uri),
  templates: (await client.listResourceTemplates()).resourceTemplates.map((one) => one.uriTemplate),
  prompts: (await client.listPrompts()).prompts.map((one) => one.name),
};
const offered = Object.values(listed).flat();
const texts = {};
for (const uri of plan.reads)
  texts[uri] = (await client.readResource({ uri })).contents[0].text;
const words = {};
for (const [name, given] of Object.entries(plan.prompts))
  words[name] = (await client.getPrompt({ name, arguments: given })).messages[0].content.text;
const [uri, argument, value] = plan.completion;
const completion = await client.complete({
  ref: { type: "ref/resource", uri }, argument: { name: argument, value } });
const completed = completion.completion.values;
const version = second ? client.getNegotiatedProtocolVersion() : null;
const schemas = Object.fromEntries(tools.map((tool) => [tool.name, tool.outputSchema]));
await client.close();
process.stdout.write(JSON.stringify(
  { version, schemas, results, progress, offered, texts, words, completed }));
