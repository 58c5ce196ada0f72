import { counted, type Pass } from "./pass.js";

/**
 * Initializers that are graph inputs too stop being inputs. Before IR version 4 each had to be one and no caller could
 * replace it, so nothing is lost; since then a caller may, so it is only done where the settings say "freeze".
 */
export const inputsPass: Pass = {
  name: "constant-inputs",
  words: (changes) => `${counted(changes, "initializer")} can not be replaced by callers any more`,
  run({ graph, irVersion }, { settings }) {
    if (irVersion >= 4n && settings.constantInputs === "keep") return 0;
    const stored = new Set(graph!.initializer.map(({ name }) => name));
    const kept = graph!.input.filter(({ name }) => !stored.has(name));
    const dropped = graph!.input.length - kept.length;
    graph!.input = kept;
    return dropped;
  },
};
