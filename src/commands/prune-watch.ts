import type { RatioVerdict } from "../bench/compare/verdict.js";
import type { Session } from "../engine/session.js";
import { openSession } from "../engine/session.js";
import { encodeModel, type ModelProto } from "../formats/onnx.js";
import { rows } from "../prune/rows/index.js";
import type { Selection } from "../prune/settings.js";
import { sliceModel } from "../prune/slice.js";
import type { LatencySearch } from "../render/prune-result.js";
import { compareSpeed } from "./compress-speed.js";
import type { PruneSamples } from "./prune-samples.js";
import type { Subject } from "./prune-subject.js";

/** The model without what was selected; nothing is compensated. */
export function sliced({ structure }: Pick<Subject, "structure">, { removed }: Pick<Selection, "removed">): ModelProto {
  return sliceModel(structure, removed, rows, undefined);
}

/** The selection of no channel. */
export function nothingOf({ structure, groups, costs }: Subject, why: string): Selection {
  return {
    ...{ structure, frozen: groups.frozen, removed: new Set<number>(), unmatched: [] },
    groups: groups.groups.map((group) => ({ group, removed: [], why })),
    ...{ before: costs.whole, after: costs.whole },
  };
}

/** Time of one look at a candidate's speed, in seconds. */
const lookSeconds = 1.5;

/** Measures candidates beside the original, one after the other. */
export interface Watch {
  /** Time of a run of the candidate over that of the original, by `looks` looks, or one. */
  measure(subject: Subject, selection: Selection, looks?: number): Promise<number>;
  /** The model as it was prepared, with all of its channels. */
  prepared(subject: Subject): Promise<{ readonly selection: Selection; readonly time: number }>;
  /** How many measurements there were. */
  count(): number;
  /** What is told of a search that ended with a selection that was measured. */
  found(wanted: number, selection: Selection, tries: LatencySearch["tries"]): LatencySearch;
}

export async function openWatch({ looks }: PruneSamples, original: () => Promise<Session>): Promise<Watch> {
  const sample = await looks.read(0);
  const whole = await original();
  const verdicts = new Map<Selection, RatioVerdict>();
  let [before, looked] = [1, 0];
  const measure = async (subject: Subject, selection: Selection, looks = 1): Promise<number> => {
    const session = await openSession(encodeModel(sliced(subject, selection), subject.structure.readExternal));
    try {
      looked++;
      const verdict = await compareSpeed(whole.run, session.run, sample, looks * lookSeconds);
      verdicts.set(selection, verdict);
      return verdict.ratio ?? 1;
    } finally {
      await session.close();
    }
  };
  return {
    measure,
    async prepared(subject) {
      const selection = nothingOf(subject, "the file as it was prepared is fast enough");
      before = await measure(subject, selection);
      return { selection, time: before };
    },
    count: () => looked,
    found: (wanted, selection, tries) => ({ wanted, prepared: before, reached: verdicts.get(selection)!, tries }),
  };
}
