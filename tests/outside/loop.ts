// An agent's loop with the TypeScript SDK: node loop.ts stdio|http PROJECT BROKEN MENDED COMMAND-OR-URL...
// It starts on broken code and mends it by what the answers say. Prints one JSON object for the test to judge.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";

type Fields = Record<string, any>;

const [transport, project, broken, mended, ...server] = process.argv.slice(2) as string[];
const progress: number[][] = [];

function connection() {
  if (transport === "http") return new StreamableHTTPClientTransport(new URL(server[0]!));
  const env = process.env as Record<string, string>;
  return new StdioClientTransport({ command: server[0]!, args: server.slice(1), cwd: project, env, stderr: "inherit" });
}

// The 2025 handshake over stdio, whatever the server speaks over HTTP.
const mode = transport === "http" ? "auto" : "legacy";
const client = new Client({ name: "typescript-loop", version: "1.0.0" }, { versionNegotiation: { mode } });
await client.connect(connection());

async function call(name: string, args: Fields = {}): Promise<Fields> {
  const told: number[] = [];
  progress.push(told);
  const result = await client.callTool(
    { name, arguments: args },
    { timeout: 300_000, onprogress: (step) => told.push(step.progress) },
  );
  const text = (result.content as Fields[]).map((block) => block.text).join("\n");
  if (result.isError) throw new Error(`${name}: ${text}`);
  return { ...(result.structuredContent as Fields), text };
}

const tools = (await client.listTools()).tools.map((tool) => tool.name);
const snapshots = await call("list_snapshots");
const red = await call("run_replay", { snapshot: snapshots.snapshots[0].name });
const diff = await call("get_diff", { run: red.run, finding: red.findings[0].id });
const file = join(project!, "app.py");
const field = String(diff.detail.finding.look_at[0]);
const lines = readFileSync(file, "utf8").split("\n");
const edited = lines.map((line) => (line.includes(field) ? line.replace(broken!, mended!) : line));
writeFileSync(file, edited.join("\n"));
const green = await call("run_replay", { snapshot: snapshots.snapshots[0].name });
const protocol = client.getNegotiatedProtocolVersion();
const report = await client.readResource({ uri: green.report });
await client.close();

console.log(
  JSON.stringify({
    tools,
    snapshots: snapshots.snapshots.map((row: Fields) => row.name),
    red: { status: red.status, next: red.next, text: red.text },
    finding: diff.detail.finding,
    changed: lines.filter((line, index) => line !== edited[index]).length,
    green: { status: green.status, summary: green.summary },
    report: (report.contents[0] as Fields).text,
    progress,
    protocol,
  }),
);
