import { createHash } from "node:crypto";
import type { Distribution } from "../compare/result.js";
import { quantile } from "../compare/statistics.js";
import type { WorkloadSummary } from "../endpoints/result.js";
import { type Conversation, promptOf } from "./workload.js";

/** Conversations of a source without end that stand for it in its summary. */
const sampled = 256;

/** What is described beside the conversations themselves. */
export type Described = Pick<WorkloadSummary, "source" | "seed" | "uniquePrefixes">;

/**
 * Describes a workload: over all conversations of a source that ends, over the first 256 of one that does not. The hash
 * covers everything that is sent but unique prefixes and measured answers.
 */
export function summarise(
  described: Described,
  size: number | null,
  conversation: (place: number) => Conversation,
): WorkloadSummary {
  const hash = createHash("sha256");
  const characters: number[] = [];
  let turns = 0;
  const count = size ?? sampled;
  for (let place = 0; place < count; place++) {
    const one = conversation(place);
    one.turns.forEach((turn, at) => {
      turns = Math.max(turns, at + 1);
      const { messages, parameters } = promptOf(one, at, [], "", "recorded");
      characters.push(messages.reduce((sum, { content }) => sum + content.length, 0));
      hash.update(JSON.stringify([turn.messages, parameters, turn.thinkSeconds]));
    });
  }
  return {
    ...described,
    sha256: hash.digest("hex"),
    prompts: characters.length,
    turns,
    characters: spread(characters),
  };
}

function spread(values: readonly number[]): Distribution {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const from = (fewest: number, p: number) => (values.length >= fewest ? quantile(values, p) : null);
  return {
    count: values.length,
    mean,
    min: quantile(values, 0),
    max: quantile(values, 1),
    sd: values.length < 2 ? null : Math.sqrt(squares / (values.length - 1)),
    p50: quantile(values, 0.5),
    p90: from(64, 0.9),
    p95: from(130, 0.95),
    p99: from(662, 0.99),
    p999: from(6636, 0.999),
  };
}
