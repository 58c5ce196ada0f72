// What the two clients in Node share: a job on the command line, loads, and the result as JSON on stdout.
import { writeFileSync } from "node:fs";

/** Of the machine, shared by all processes; in seconds. */
export const now = () => Number(process.hrtime.bigint()) / 1e9;

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/**
 * A job: { kind: "saturated" | "paced", model, stream, streams, seconds, pace, out, url }.
 * `one(job, id, maxTokens)` sends one request and resolves to its result; `connect` opens connections.
 */
export async function work({ one, connect = async () => {}, close = () => {} }) {
  const job = JSON.parse(process.argv[2]);
  const streams = [...Array(job.streams).keys()];
  await connect(job);
  if (job.kind === "saturated") {
    const keepAsking = async (until) => {
      let count = 0;
      const loop = async (stream) => {
        while (now() < until) {
          // not `count += await ...`, which would take the sum from before the wait
          const result = await one(job, `stream ${stream}`);
          count += result.count;
        }
      };
      await Promise.all(streams.map(loop));
      return count;
    };
    await keepAsking(now() + 1);
    const begun = now();
    const cpu = cpuSeconds();
    const memory = [];
    const sample = setInterval(() => {
      globalThis.gc?.();
      const { rss: resident, heapUsed, external } = process.memoryUsage();
      memory.push({ rss: resident, held: heapUsed + external });
    }, 1000);
    const count = await keepAsking(begun + job.seconds);
    clearInterval(sample);
    const result = { count, seconds: now() - begun, cpuSeconds: cpuSeconds() - cpu };
    console.log(
      JSON.stringify({ ...result, rssBytes: process.memoryUsage().rss, memory: job.memory ? memory : undefined }),
    );
  } else {
    await Promise.all(streams.map((stream) => one(job, `warm ${stream}`, Math.ceil(job.pace))));
    const begun = now();
    const cpu = cpuSeconds();
    const results = [];
    await Promise.all(
      streams.map(async (stream) => {
        for (let turn = 0; turn < (job.turns ?? 1); turn += 1) {
          const id = `stream ${stream} ${turn}`;
          results.push({ id, ...(await one(job, id, job.turns ? undefined : Math.ceil(job.pace * job.seconds))) });
        }
      }),
    );
    const seconds = now() - begun;
    const used = cpuSeconds() - cpu;
    writeFileSync(job.out, JSON.stringify(results));
    console.log(JSON.stringify({ seconds, cpuSeconds: used, rssBytes: process.memoryUsage().rss }));
  }
  close();
}
