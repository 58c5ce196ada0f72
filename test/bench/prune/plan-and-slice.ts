// What pruning itself costs, without any run that judges the result: plan-and-slice.mjs MODEL RATIO SAMPLE.npz OUTPUT reads
// a model as the command does, plans by its weights, slices and writes. Prints the milliseconds of each part as JSON.
import { readFileSync } from "node:fs";
import type { Host } from "../../../src/cli.js";
import { readModelFile } from "../../../src/commands/model-files.js";
import { openSubject } from "../../../src/commands/prune-subject.js";
import { openScratch } from "../../../src/commands/scratch.js";
import { writeModelFile } from "../../../src/commands/write-model.js";
import { decodeNpz } from "../../../src/formats/npz.js";
import { weightScores } from "../../../src/prune/importance.js";
import { rows } from "../../../src/prune/rows/index.js";
import { selectChannels } from "../../../src/prune/select.js";
import { sliceModel } from "../../../src/prune/slice.js";

const [path, ratio, sample, output] = process.argv.slice(2) as [string, string, string, string];
const silent = { write() {}, isTerminal: false, columns: 80 };
const host: Host = {
  cwd: process.cwd(),
  env: {},
  stdout: silent,
  stderr: silent,
  version: "",
  onInterrupt: () => () => {},
};
const times: Record<string, number> = {};
let last = performance.now();
const lap = (name: string) => {
  const now = performance.now();
  times[name] = now - last;
  last = now;
};
const source = readModelFile(host, path);
const { model } = source;
const scratch = openScratch(host, output, source.readExternal);
const { readExternal } = scratch;
lap("read");
const feeds = decodeNpz(new Uint8Array(readFileSync(sample)), sample);
const { structure, groups, costs } = await openSubject({ path, model, readExternal }, {}, [feeds]);
lap("analyse");
const { scores } = weightScores(structure, groups.groups, { criterion: "l2", reduction: "mean", seed: 1 });
lap("score");
const limits = { round: 8, minChannels: 8, limit: 0.9, limits: [], keep: [], only: [], hidden: false };
const settings = { by: "channels", ratio: Number(ratio), spread: "uniform", scores, curves: [], limits } as const;
const { removed } = selectChannels(structure, groups, costs, settings);
lap("select");
const sliced = sliceModel(structure, removed, rows, source.bytes > 1 << 26 ? scratch.put : undefined);
lap("slice");
writeModelFile(output, sliced, null, readExternal);
lap("write");
scratch.close();
console.log(JSON.stringify(times));
