import { uniform } from "../../data/random.js";
import { UserError } from "../../errors.js";
import { seedOf } from "./seeds.js";
import { type SharedPrefix, sharePrefix } from "./shared-prefix.js";
import { summarise } from "./summary.js";
import type { Vocabulary } from "./words.js";
import type { Conversation, Workload } from "./workload.js";

/** Where conversations come from. */
export interface Source {
  /** As it is shown: `prompts.jsonl`, `synthetic in=512,out=128`. */
  readonly name: string;
  /** How many there are; null where they are made and never end. */
  readonly size: number | null;
  /** Whether they keep their order: a trace's do. */
  readonly ordered: boolean;
  /** See `Workload.arrivals`. */
  readonly arrivals: readonly number[] | null;
  /** The conversation with that number; `stretch` makes others of it where they are made. */
  take(number: number, stretch: number): Conversation;
}

/** What is the same for all sources. */
export interface WorkloadOptions {
  readonly seed: number;
  /** Whether prompts get a unique prefix when they are sent: see `uniquePrefix`. */
  readonly uniquePrefixes: boolean;
  readonly answers: Workload["answers"];
  /** Body fields that replace those of the source: max_tokens, temperature ... */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly sharedPrefix: SharedPrefix | null;
  /** In the order of the file instead of a new one in each round. */
  readonly inOrder: boolean;
}

/** Orders that are remembered: those of the round under way. */
const keptOrders = 4;

/**
 * Makes a workload of a source. One that ends is gone through again and again, in a new seeded order each time and in
 * each stretch, so that no prompt comes twice before all have come once; places below 0 go through it from the end. Ids
 * stay unique: the second time a prompt's id has `~2` behind it.
 */
export function makeWorkload(source: Source, options: WorkloadOptions, words: Vocabulary): Workload {
  const { size } = source;
  if (size === 0) throw new UserError(`${source.name} holds no prompts; give at least one`);
  const shuffled = size !== null && !source.ordered && !options.inOrder;
  const orders = new Map<string, Uint32Array>();
  const orderOf = (stretch: number, pass: number) => {
    const key = `${stretch} ${pass}`;
    const known = orders.get(key) ?? shuffle(size ?? 0, seedOf(options.seed, "order", stretch, pass));
    if (orders.size >= keptOrders) orders.clear();
    orders.set(key, known);
    return known;
  };
  const prefixed = sharePrefix(options.sharedPrefix, words, options.seed);

  const conversation = (stretch: number, place: number): Conversation => {
    let found: Conversation;
    if (size === null) {
      found = source.take(place, stretch);
    } else {
      const forward = place >= 0 ? place : -1 - place;
      const pass = Math.floor(forward / size);
      const within = place >= 0 ? forward % size : size - 1 - (forward % size);
      found = source.take(shuffled ? orderOf(stretch, pass)[within]! : within, stretch);
      if (pass > 0) found = { ...found, id: `${found.id}~${pass + 1}` };
    }
    found = prefixed(found, stretch, place);
    if (Object.keys(options.parameters).length === 0) return found;
    return {
      ...found,
      turns: found.turns.map((turn) => ({ ...turn, parameters: { ...turn.parameters, ...options.parameters } })),
    };
  };
  const shared = options.sharedPrefix;
  const described = {
    source: shared === null ? source.name : `${source.name}, shared prefix ${shared.tokens}/${shared.groups}`,
    seed: options.seed,
    uniquePrefixes: options.uniquePrefixes,
  };
  return {
    summary: summarise(described, size, (place) => conversation(0, place)),
    arrivals: source.arrivals,
    answers: options.answers,
    conversation,
  };
}

/** Seeded Fisher-Yates. */
function shuffle(size: number, seed: number): Uint32Array {
  const next = uniform(seed);
  const order = Uint32Array.from({ length: size }, (_, at) => at);
  for (let at = size - 1; at > 0; at--) {
    const other = Math.floor(next() * (at + 1));
    [order[at], order[other]] = [order[other]!, order[at]!];
  }
  return order;
}
