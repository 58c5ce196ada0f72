import type { Block, EndpointRun, RequestRecord } from "../../../src/bench/endpoints/record.js";
import { normal, uniform } from "../../../src/data/random.js";
import { record } from "../endpoints/simulated-run.js";

/** What disturbs a simulated machine. Standard deviations are of ln(time). */
export interface NoiseModel {
  readonly name: string;
  /** From request to request. */
  readonly request: number;
  /** From block to block: what pairs do not take out. */
  readonly block: number;
  /** How much slower the machine is at the end than at the beginning, in ln(time). */
  readonly drift?: number;
  /** Degrees of freedom of Student's t instead of the normal distribution, of requests and blocks. */
  readonly tails?: number;
  /** Chance that a block falls into load from outside, which makes it up to twice as slow. */
  readonly bursts?: number;
}

export const noiseModels: readonly NoiseModel[] = [
  { name: "lognormal requests, round effects", request: 0.15, block: 0.02 },
  { name: "drift by 30 %", request: 0.15, block: 0.02, drift: 0.26 },
  { name: "heavy tails (t with 3 degrees)", request: 0.15, block: 0.015, tails: 3 },
  { name: "bursts of load in 10 % of blocks", request: 0.15, block: 0.015, bursts: 0.1 },
];

/** Times of a candidate over the baseline's. */
export interface Effect {
  readonly ttft: number;
  readonly tpot: number;
}

export const none: Effect = { ttft: 1, tpot: 1 };

/** A run of `old` and `new` in alternating order; requests have 41 tokens of which only two events are kept. */
export function noisyRun(
  model: NoiseModel,
  effect: Effect,
  rounds: number,
  perRound: number,
  seed: number,
): EndpointRun {
  const gauss = normal(seed);
  const chance = uniform(seed + 77);
  const spread = () => {
    if (model.tails === undefined) return gauss();
    let squares = 0;
    for (let at = 0; at < model.tails; at++) squares += gauss() ** 2;
    return gauss() / Math.sqrt(squares / model.tails);
  };
  const records: RequestRecord[] = [];
  const blocks: Block[] = [];
  const client = { cpu: 0, eventLoop: 0, lag: { p50: 0, p99: 0, max: 0 }, sendDelay: null };
  let now = 0;
  const flip = chance() < 0.5 ? 0 : 1;
  for (let round = 0; round < rounds; round++) {
    const difficulty = Array.from({ length: perRound }, () => Math.exp(0.4 * gauss()));
    const order = (round + flip) % 2 === 0 ? ["old", "new"] : ["new", "old"];
    order.forEach((target, place) => {
      const { ttft, tpot } = target === "new" ? effect : none;
      const elapsed = (round + place / 2) / rounds;
      const burst = chance() < (model.bursts ?? 0) ? Math.log(1 + chance()) : 0;
      const slow = Math.exp(model.block * spread() + (model.drift ?? 0) * elapsed + burst);
      const start = now;
      for (let slot = 0; slot < perRound; slot++) {
        const first = now + 0.2 * ttft * difficulty[slot]! * slow * Math.exp(model.request * spread());
        const last = first + 40 * 0.02 * tpot * slow * Math.exp(model.request * spread());
        const usage = { input: 100, output: 41, cached: 0, reasoning: 0 };
        records.push(
          record({
            sent: now,
            events: [first, last],
            outputTokens: 41,
            usage,
            target,
            round,
            slot,
            prompt: `p${slot}`,
          }),
        );
        now = last;
      }
      blocks.push({ target, point: 0, round, start, end: now, window: { start, end: now }, client });
    });
  }
  return { points: [{ kind: "closed", concurrency: 1 }], blocks, records, stopped: null };
}
