import { UserError } from "../errors.js";
import type { ModelProto } from "../formats/onnx.js";
import { weightScores } from "../prune/importance.js";
import { selectChannels } from "../prune/select.js";
import { formatPercent } from "../render/quantities.js";
import { limitsOf, pruneSettings } from "./prune-options.js";
import type { Subject } from "./prune-subject.js";
import { sliced } from "./prune-watch.js";

/** A model with only this share of the channels of each group, as `--student-width` asks. Throws a UserError. */
export function narrowed(subject: Subject, width: number): { readonly model: ModelProto; readonly words: string } {
  const { structure, groups, costs } = subject;
  const settings = pruneSettings({ prune: 1 - width, by: "channels", seed: 1 }, false);
  const { scores } = weightScores(structure, groups.groups, { criterion: "l2", reduction: "mean", seed: 1 });
  try {
    const { ratio } = settings;
    const selection = selectChannels(structure, groups, costs, {
      ...{ by: "channels", ratio, spread: "uniform", scores, limits: limitsOf(settings) },
    });
    const left = selection.after.channels / selection.before.channels;
    return { model: sliced(subject, selection), words: `${formatPercent(left)} of its channels` };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    throw new UserError(
      error.message.replace(/^--prune [\d.]+%?:/, `--student-width ${width}: to narrow it by as much:`),
    );
  }
}
