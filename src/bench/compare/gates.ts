import { UserError } from "../../errors.js";
import type { Metric, MetricId } from "../metrics.js";
import { metrics } from "../metrics-table.js";
import type { Percentile } from "./distribution.js";
import { quantityPattern, toBase } from "./quantity.js";

/** What a gate asks of each candidate: `p95(ttft) < 400ms`, `throughput >= 0.95 * baseline`. */
export interface Gate {
  /** As it was written, trimmed. */
  readonly text: string;
  readonly metric: MetricId;
  readonly statistic: Percentile | "mean" | "value";
  readonly operator: "<" | "<=" | ">" | ">=";
  /** The limit is factor * baseline + offset, in base units; factor 0 where it does not depend on the baseline. */
  readonly factor: number;
  readonly offset: number;
}

/** What is measured decides which metrics there are. */
export type Subject = "endpoints" | "models";

const ofModels: ReadonlySet<MetricId> = new Set([
  "cpu",
  "wall",
  "throughput",
  "load",
  "first_run",
  "peak_memory",
  "size",
  "drop",
]);
/** Short names of metrics of endpoints. */
const aliases: ReadonlyMap<string, MetricId> = new Map([["throughput", "output_throughput"]]);
const statistics: ReadonlyMap<string, Gate["statistic"]> = new Map(
  Object.entries({
    p50: "p50",
    median: "p50",
    p90: "p90",
    p95: "p95",
    p99: "p99",
    "p99.9": "p999",
    p999: "p999",
    mean: "mean",
  } as const),
);

function metricsOf(subject: Subject): readonly MetricId[] {
  return (Object.keys(metrics) as MetricId[]).filter((id) => ofModels.has(id) === (subject === "models"));
}

/**
 * Reads a gate: `[p50|p90|p95|p99|p99.9|mean](metric)` or `metric`, then `<`, `<=`, `>` or `>=`, then a quantity, a multiple of
 * the baseline (`0.95 * baseline`), or the baseline with something added (`baseline + 5%`, `baseline - 20ms`; of shares,
 * `+ 1%` is a point). Throws a UserError that says where it stops making sense, or which metrics there are.
 */
export function parseGate(text: string, subject: Subject): Gate {
  const reader = readerOf(text.trim());
  const { metric, statistic } = readLeft(reader, subject);
  const operator = reader.take(/^(<=|>=|<|>)/)?.[1] as Gate["operator"] | undefined;
  if (!operator) return reader.fail("<, <=, > or >=");
  const limit = readLimit(reader, metrics[metric]);
  if (!reader.ended()) return reader.fail("nothing more");
  return { text: text.trim(), metric, statistic, operator, ...limit };
}

interface Reader {
  /** Skips blanks and takes what matches here. */
  take(pattern: RegExp): RegExpExecArray | null;
  ended(): boolean;
  /** Throws: `expected` was not found here. */
  fail(expected: string): never;
  refuse(problem: string): never;
}

function readerOf(text: string): Reader {
  let at = 0;
  const skip = () => {
    while (/\s/.test(text[at] ?? "")) at++;
  };
  const refuse = (problem: string): never => {
    throw new UserError(`--gate "${text}": ${problem}`);
  };
  return {
    take(pattern) {
      skip();
      const match = pattern.exec(text.slice(at));
      if (match) at += match[0].length;
      return match;
    },
    ended() {
      skip();
      return at === text.length;
    },
    fail(expected) {
      skip();
      const found = at === text.length ? "the end" : `"${text.slice(at, at + 20)}"`;
      return refuse(`expected ${expected} at character ${at + 1}, found ${found}`);
    },
    refuse,
  };
}

function readLeft(reader: Reader, subject: Subject): Pick<Gate, "metric" | "statistic"> {
  const word = reader.take(/^[A-Za-z_][\w.]*/)?.[0];
  if (!word) return reader.fail("a metric, or p95(metric)");
  const call = reader.take(/^\(/) !== null;
  const name = call ? (reader.take(/^[A-Za-z_]\w*/)?.[0] ?? reader.fail("a metric")) : word;
  if (call && !reader.take(/^\)/)) return reader.fail('")"');
  const known = metricsOf(subject);
  const lower = name.toLowerCase();
  const metric = known.find((id) => id === lower) ?? (subject === "endpoints" ? aliases.get(lower) : undefined);
  if (!metric) return reader.refuse(`there is no metric "${name}"; there are ${known.join(", ")}`);
  const { of, title } = metrics[metric];
  const many = of === "request" || of === "gap";
  if (!call) {
    if (many) return reader.refuse(`${title} has a value for each request; say which, as in p50(${metric})`);
    return { metric, statistic: of === "process" ? "p50" : "value" };
  }
  const statistic = statistics.get(word.toLowerCase());
  if (!statistic) {
    return reader.refuse(`there is no "${word}"; there are ${[...statistics.keys()].join(", ")}`);
  }
  // processes are few: their median is all there is to say
  if (of === "process" && statistic === "p50") return { metric, statistic };
  if (!many) return reader.refuse(`${title} has one value; write "${metric}" without ${word}()`);
  return { metric, statistic };
}

function readLimit(reader: Reader, metric: Metric): Pick<Gate, "factor" | "offset"> {
  const multiple = reader.take(/^(\d+(?:\.\d*)?|\.\d+)\s*\*\s*baseline\b/);
  const single = multiple ?? reader.take(/^baseline\b(?:\s*\*\s*(\d+(?:\.\d*)?|\.\d+))?/);
  if (!single) return { factor: 0, offset: readQuantity(reader, metric) };
  const factor = Number(single[1] ?? 1);
  const sign = reader.take(/^[+-]/)?.[0];
  if (!sign) return { factor, offset: 0 };
  const direction = sign === "+" ? 1 : -1;
  const share = metric.unit === "share" ? null : reader.take(/^(\d+(?:\.\d*)?|\.\d+)\s*%/);
  if (share) return { factor: factor * (1 + (direction * Number(share[1])) / 100), offset: 0 };
  return { factor, offset: direction * readQuantity(reader, metric) };
}

function readQuantity(reader: Reader, { unit, title }: Metric): number {
  const match = reader.take(quantityPattern);
  if (!match) return reader.fail('a number with its unit, or "baseline"');
  const value = toBase(match, unit);
  if (typeof value === "number") return value;
  return reader.refuse(`"${match[0].trim()}" is no limit for ${title}; its units are ${value.known}`);
}
