import type { Behaviour, Behaviours } from "./behaviour.js";

/** An endpoint as others see them: 30 ms to the first token, 200 tokens a second, every request a little different. */
const usual: Partial<Behaviour> = {
  ttft: { mean: 0.03, jitter: 0.1 },
  gap: { mean: 0.005, jitter: 0.3 },
  tokens: 24,
  roleDelta: "early",
  usage: "last",
  cacheBlock: 64,
};

/** The same, `share` slower in all it does. */
function slower(behaviour: Partial<Behaviour>, share: number): Partial<Behaviour> {
  const longer = (duration: Behaviour["ttft"]): Behaviour["ttft"] => {
    if (typeof duration === "number") return duration * (1 + share);
    return "mean" in duration
      ? { mean: duration.mean * (1 + share), jitter: duration.jitter }
      : duration.map((value) => value * (1 + share));
  };
  const { ttft, gap } = behaviour;
  return {
    ...behaviour,
    ...(ttft !== undefined && { ttft: longer(ttft) }),
    ...(gap !== undefined && { gap: longer(gap) }),
  };
}

/** Two endpoints for the tour: a request of either takes 0.15 s, and `golden-b` is 10 % slower. */
export const tourEndpoints: Behaviours = {
  "golden-a": usual,
  "golden-b": slower({ ...usual, seed: 2 }, 0.1),
};
