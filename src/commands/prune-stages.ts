import type { Options } from "../cli.js";
import type { Session } from "../engine/session.js";
import { openSession } from "../engine/session.js";
import { isBroken } from "../evaluate/agreement.js";
import { type Drop, dropOfAgreement } from "../evaluate/drop.js";
import type { EmptyPlaces } from "../evaluate/empty-places.js";
import type { PruneVerification, Stage } from "../render/prune-result.js";
import { compareSpeed } from "./compress-speed.js";
import type { PruneSamples } from "./prune-samples.js";

/** What holds the file of each stage against the original. */
export interface Scale {
  readonly samples: PruneSamples;
  readonly original: () => Promise<Session>;
  /** Whether models are run at all. */
  readonly verifies: boolean;
  readonly options: Options;
}

/** What is known of a stage's file without running it. */
type Known = Pick<Stage, "stage" | "parameters" | "bytes" | "flops" | "seconds">;

/** A stage, and all that was seen of it. */
export interface Weighed {
  readonly stage: Stage;
  readonly agreement: PruneVerification["agreement"];
  readonly drop: Drop | null;
  /** Whether outputs are missing, of another shape, or not finite. */
  readonly broken: boolean;
}

/** The row of the original itself. */
export async function originalStage({ samples, verifies }: Scale, known: Omit<Known, "stage">): Promise<Stage> {
  const row = verifies ? (await samples.gauge()).row(undefined) : unknown;
  return { stage: "original", ...known, ...row, speed: null };
}

/** Of a model that is not run. */
const unknown = { metric: null, agreement: null } as const;

/** Runs the file of a stage on the held-out samples (or made-up ones), and compares its speed; `empty` as for a gauge. */
export async function weigh(scale: Scale, path: string, empty: readonly EmptyPlaces[], known: Known): Promise<Weighed> {
  const { samples, original, options, verifies } = scale;
  if (!verifies) {
    return { stage: { ...known, ...unknown, speed: null }, agreement: null, drop: null, broken: false };
  }
  const session = await openSession(path);
  try {
    const gauge = await samples.gauge();
    const evaluation = await gauge.evaluate(session.run, empty);
    const { agreement, drop } = evaluation;
    const seconds = options["speedSeconds"] as number;
    const speed =
      seconds > 0
        ? await compareSpeed((await original()).run, session.run, await samples.looks.read(0), seconds)
        : null;
    return {
      stage: { ...known, ...gauge.row(evaluation), speed },
      agreement,
      // how far outputs are apart is no loss in points
      drop: drop.kind === "divergence" ? dropOfAgreement(agreement) : { ...drop, kind: drop.kind },
      broken: isBroken(agreement),
    };
  } finally {
    await session.close();
  }
}
