// What measuring costs: our client, the `openai` package's loop and an aiohttp client against the same server, which is
// in a process of its own on a core of its own where taskset is there. `npm run bench:client [-- --quick] [-- --rounds 5]`.
// Needs Python and a network for aiohttp, once. The best of so many runs each, clients in turn.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join, resolve } from "node:path";
import { quantile } from "../../src/bench/compare/statistics.js";
import type { Behaviours } from "../../src/bench/server/behaviour.js";
import { type Channel, connectChild } from "../../src/bench/server/child.js";
import type { Served } from "../../src/bench/server/served.js";

const quick = process.argv.includes("--quick");
const seconds = quick ? 1.5 : 4;
const asked = process.argv.indexOf("--rounds");
const rounds = asked >= 0 ? Number(process.argv[asked + 1]) : quick ? 1 : 3;
const memorySeconds = quick ? 6 : 30;
const work = resolve("bench-work");
mkdirSync(work, { recursive: true });
const here = (name: string): string => resolve("test", "bench", "client", name);

const pinned = cpus().length >= 2 && spawnSync("taskset", ["-c", "0,1", "true"]).status === 0;
const onCore = (core: number, argv: readonly string[]): readonly string[] =>
  pinned ? ["taskset", "-c", String(core), ...argv] : argv;

/** Python with aiohttp, in an environment of its own; null where there is none. */
function python(): string | null {
  const home = join(work, "client-venv");
  const program = join(home, "bin", "python");
  const has = (): boolean => existsSync(program) && spawnSync(program, ["-c", "import aiohttp"]).status === 0;
  if (has()) return program;
  spawnSync("python3", ["-m", "venv", home], { timeout: 120_000 });
  spawnSync(program, ["-m", "pip", "install", "--quiet", "aiohttp"], { timeout: 180_000 });
  return has() ? program : null;
}

const behaviours: Behaviours = {
  bulk: { bulk: true, eventsPerWrite: 16, tokens: 20_000 },
  small: { ttft: 0, gap: 0, tokens: 16 },
  paced: { ttft: { mean: 0.01, jitter: 0.95 }, gap: 0.01, tokens: 1_000_000 },
  open: { ttft: { mean: 0.1, jitter: 0.95 }, gap: 0.1, tokens: 1_000_000 },
  truth: { ttft: { mean: 0.03, jitter: 0.3 }, gap: { mean: 0.005, jitter: 0.5 }, tokens: [24, 28, 32, 36] },
};

interface Job {
  readonly kind: "saturated" | "paced";
  readonly model: string;
  readonly stream: boolean;
  readonly streams: number;
  readonly seconds: number;
  readonly pace?: number;
  /** Requests of each stream, one after the other; absent: one, of `pace * seconds` tokens. */
  readonly turns?: number;
  readonly memory?: boolean;
}

interface Outcome {
  readonly count: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly rssBytes: number;
  /** Every second, after a garbage collection. */
  readonly memory?: readonly { readonly rss: number; readonly held: number }[];
}

interface Stamped {
  readonly id: string;
  readonly sent: number;
  readonly done: number;
  readonly events: readonly number[];
}

const py = python();
if (py === null) console.log("aiohttp cannot be had here (python3, venv and the package index are needed): left out");
const node = [process.execPath, "--expose-gc"];
const clients: Readonly<Record<string, readonly string[]>> = {
  ours: [...node, here("ours.mjs")],
  "openai npm": [...node, here("sdk.mjs")],
  ...(py !== null && { aiohttp: [py, here("peer.py")] }),
};
type Name = string;

const serverArgv = onCore(1, [process.execPath, here("server.mjs")]);
const child: ChildProcess = spawn(serverArgv[0]!, serverArgv.slice(1), {
  stdio: ["ignore", "inherit", "inherit", "ipc"],
});
const server = await connectChild(child as unknown as Channel, behaviours);
const out = join(work, "client-stamps.json");

function run(name: Name, job: Job): Promise<Outcome> {
  const argv = onCore(0, [...clients[name]!, JSON.stringify({ ...job, url: server.url, out })]);
  return new Promise((done, fail) => {
    const program = spawn(argv[0]!, argv.slice(1), { stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    let errors = "";
    program.stdout.on("data", (bytes: Buffer) => {
      text += String(bytes);
    });
    program.stderr.on("data", (bytes: Buffer) => {
      errors += String(bytes);
    });
    program.on("close", (code) => {
      if (code === 0) done(JSON.parse(text) as Outcome);
      else fail(new Error(`${name} ended with ${code}: ${errors.slice(-2000)}`));
    });
  });
}

interface Timed extends Outcome {
  readonly stamped: readonly Stamped[];
  readonly served: ReadonlyMap<string, Served>;
  /** Stamped minus sent, of every event, in ms. */
  readonly errorsMs: readonly number[];
}

async function timed(name: Name, job: Job): Promise<Timed> {
  await server.forget();
  const outcome = await run(name, job);
  const stamped = JSON.parse(readFileSync(out, "utf8")) as Stamped[];
  const served = new Map((await server.requests()).map((one) => [one.prompt, one]));
  const errorsMs = stamped.flatMap(({ id, events }) => {
    const truth = served.get(id)?.events ?? [];
    if (truth.length !== events.length) throw new Error(`${name}: ${events.length} events of ${truth.length} in ${id}`);
    return events.map((time, index) => (time - truth[index]!) * 1000);
  });
  await server.forget();
  return { ...outcome, stamped, served, errorsMs };
}

const tables: Record<string, Record<string, Record<string, number | string>>> = {};
const goals: { goal: string; measured: string; verdict: "PASS" | "MISS" | "not measured" }[] = [];
function judge(goal: string, value: number | undefined, atLeast: boolean, limit: number, unit = ""): void {
  const met = value !== undefined && (atLeast ? value >= limit : value <= limit);
  goals.push({
    goal,
    measured: value === undefined ? "a peer is missing" : `${value.toPrecision(3)}${unit}`,
    verdict: value === undefined ? "not measured" : met ? "PASS" : "MISS",
  });
}
function show(title: string, table: Record<string, Record<string, number | string>>): void {
  tables[title] = table;
  console.log(`\n${title}`);
  console.table(table);
}
const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 1);
const percent = ({ cpuSeconds, seconds: took }: Outcome): number => Math.round((cpuSeconds / took) * 100);

/** The best of the rounds, clients in turn: others on the machine only ever make it slower. */
async function saturated(title: string, job: Job, what: string): Promise<ReadonlyMap<Name, number>> {
  const best = new Map<Name, Outcome>();
  for (let round = 0; round < rounds; round += 1) {
    for (const name of Object.keys(clients)) {
      const outcome = await run(name, job);
      const before = best.get(name);
      if (before === undefined || outcome.count / outcome.seconds > before.count / before.seconds)
        best.set(name, outcome);
    }
  }
  const rows = [...best].map(([name, one]) => [
    name,
    {
      [`${what}/s`]: Math.round(one.count / one.seconds),
      [`us CPU/${what.replace(/s$/, "")}`]: Number(((one.cpuSeconds / one.count) * 1e6).toPrecision(3)),
      "CPU %": percent(one),
      "RSS MB": Math.round(one.rssBytes / 1e6),
    },
  ]);
  show(title, Object.fromEntries(rows));
  await server.forget();
  return new Map([...best].map(([name, one]) => [name, one.count / one.seconds]));
}
const ratio = (rates: ReadonlyMap<Name, number>, peer: Name): number | undefined =>
  rates.has(peer) ? rates.get("ours")! / rates.get(peer)! : undefined;

const load = loadavg()[0]!;
console.log(
  `${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}, load ${load.toFixed(1)}, ${
    pinned ? "server on core 1, clients on core 0" : "not pinned"
  }`,
);

const events = await saturated(
  "Saturated: 16 streams, 16 events a write, one core",
  { kind: "saturated", model: "bulk", stream: true, streams: 16, seconds },
  "events",
);
judge("coalesced events/s, one core: at least 250,000", events.get("ours"), true, 250_000);
judge("... at least 8 times the openai package's", ratio(events, "openai npm"), true, 8, "x");
judge("... at least 4 times aiohttp's", ratio(events, "aiohttp"), true, 4, "x");

const requests = await saturated(
  "Requests that do not stream: 64 at a time, one core",
  { kind: "saturated", model: "small", stream: false, streams: 64, seconds },
  "requests",
);
judge("requests/s, one core: at least 5,000", requests.get("ours"), true, 5_000);

async function paced(title: string, job: Job, names: readonly Name[]): Promise<ReadonlyMap<Name, Timed>> {
  const all = new Map<Name, Timed>();
  for (let round = 0; round < rounds; round += 1) {
    for (const name of names) {
      const one = await timed(name, job);
      const before = all.get(name);
      if (before === undefined || quantile(one.errorsMs, 0.99) < quantile(before.errorsMs, 0.99)) all.set(name, one);
    }
  }
  const rows = [...all].map(([name, one]) => [
    name,
    {
      "CPU %": percent(one),
      "us CPU/event": Number(((one.cpuSeconds / one.errorsMs.length) * 1e6).toPrecision(3)),
      "error p50 ms": ms(quantile(one.errorsMs, 0.5)),
      "error p99 ms": ms(quantile(one.errorsMs, 0.99)),
      "error max ms": ms(one.errorsMs.reduce((a, b) => Math.max(a, b), 0)),
      events: one.errorsMs.length,
      "seconds (asked)": `${one.seconds.toFixed(2)} (${(job.seconds + 0.01).toFixed(2)})`,
    },
  ]);
  show(title, Object.fromEntries(rows));
  return all;
}

const pacedJob = (streams: number): Job => ({
  kind: "paced",
  model: "paced",
  stream: true,
  streams,
  seconds,
  pace: 100,
});
function judgePaced(load: string, all: ReadonlyMap<Name, Timed>): void {
  for (const peer of ["openai npm", "aiohttp"]) {
    const [ours, one] = [all.get("ours")!, all.get(peer)];
    const of = (value: (timed: Timed) => number): number | undefined =>
      one === undefined ? undefined : value(ours) / value(one);
    const p99 = of(({ errorsMs }) => quantile(errorsMs, 0.99));
    judge(
      `${load}: at most half the CPU of ${peer}`,
      of(({ cpuSeconds }) => cpuSeconds),
      false,
      0.5,
      "x",
    );
    judge(`${load}: at most a tenth of the p99 error of ${peer}`, p99, false, 0.1, "x");
  }
}
const at128 = await paced("Paced: 128 streams of 100 events/s", pacedJob(128), Object.keys(clients));
judgePaced("128 x 100/s", at128);
// an error grows as a core fills up: the same where the peer has 90 % of one by its cost at 128 streams
const peer = at128.get("aiohttp") ?? at128.get("openai npm")!;
const cost = peer.cpuSeconds / peer.errorsMs.length;
const full = Math.min(1024, Math.max(128, Math.round(0.9 / (cost * 100) / 32) * 32));
judgePaced(
  `${full} x 100/s`,
  await paced(
    `Paced: ${full} streams of 100 events/s, which about fills a core for the peer`,
    pacedJob(full),
    Object.keys(clients),
  ),
);

const open: Job = { kind: "paced", model: "open", stream: true, streams: 1000, seconds: quick ? 3 : 6, pace: 10 };
const opened = (await paced("1,000 open streams of 10 events/s", open, ["ours"])).get("ours")!;
const early = opened.stamped.flatMap(({ id, events: times }) => {
  const truth = opened.served.get(id)!.events;
  const half = times.length >> 1;
  return [times[half]! - truth[half]!, times.at(-1)! - truth.at(-1)!];
});
const drift =
  (quantile(
    early.filter((_, index) => index % 2 === 1),
    0.5,
  ) -
    quantile(
      early.filter((_, index) => index % 2 === 0),
      0.5,
    )) *
  1000;
judge("1,000 open streams: error at the end over that at half time at most 5 ms", drift, false, 5, " ms");

const truthTable: Record<string, Record<string, string>> = {};
let worst = 0;
for (const [streams, turns] of [
  [1, 40],
  [16, 16],
  [64, 10],
] as const) {
  const job: Job = {
    kind: "paced",
    model: "truth",
    stream: true,
    streams,
    seconds: 0,
    pace: 1,
    turns: quick ? 4 : turns,
  };
  const { stamped, served } = await timed("ours", job);
  const metrics: Record<string, (one: { start: number; events: readonly number[] }) => number> = {
    TTFT: ({ start, events: times }) => times[0]! - start,
    TPOT: ({ events: times }) => (times.at(-1)! - times[0]!) / (times.length - 1),
    E2E: ({ start, events: times }) => times.at(-1)! - start,
  };
  for (const [metric, of] of Object.entries(metrics)) {
    const measured = stamped.map(({ sent, events: times }) => of({ start: sent, events: times }) * 1000);
    const truth = stamped.map(({ id }) => {
      const one = served.get(id)!;
      return of({ start: one.received, events: one.events }) * 1000;
    });
    for (const p of [0.5, 0.99]) {
      const [is, should] = [quantile(measured, p), quantile(truth, p)];
      const allowed = Math.max(1, should / 100);
      worst = Math.max(worst, Math.abs(is - should) / allowed);
      truthTable[`${streams} streams, ${metric} p${p * 100}`] = {
        "true ms": should.toFixed(3),
        "measured ms": is.toFixed(3),
        "off by ms": (is - should).toFixed(3),
        "allowed ms": allowed.toFixed(2),
        requests: String(stamped.length),
      };
    }
  }
}
show("Truth: what the server did and what our client measured", truthTable);
judge("TTFT, TPOT, E2E at 1, 16, 64 streams: off by at most 1 ms or 1 % (share of that)", worst, false, 1, "x");

const long = await run("ours", {
  kind: "saturated",
  model: "bulk",
  stream: true,
  streams: 16,
  seconds: memorySeconds,
  memory: true,
});
const third = Math.ceil(long.memory!.length / 3);
const typicalMB = (field: "rss" | "held", from: number, to?: number): number =>
  quantile(
    long.memory!.slice(from, to).map((one) => one[field] / 1e6),
    0.5,
  );
const thirds = (field: "rss" | "held"): Record<string, string> => ({
  "first third, MB": ms(typicalMB(field, 0, third)),
  "last third, MB": ms(typicalMB(field, -third)),
});
show(`Memory over ${memorySeconds} s and ${long.count} events at full speed, medians`, {
  RSS: thirds("rss"),
  "held after garbage collection": thirds("held"),
});
const growth = typicalMB("rss", -third) / typicalMB("rss", 0, third);
judge("memory: RSS of the last third over that of the first at most", growth, false, 1.1, "x");

console.log("\nGoals");
console.table(goals);
const result = {
  started: new Date().toISOString(),
  cpu: cpus()[0]?.model,
  node: process.version,
  load,
  pinned,
  tables,
  goals,
};
writeFileSync(join(work, "client.json"), `${JSON.stringify(result, null, 2)}\n`);
console.log(`written to ${join("bench-work", "client.json")}`);
await server.close();
