import { createHash } from "node:crypto";
import { distributionOf } from "../compare/distribution.js";
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
    characters: distributionOf(characters)!,
  };
}
