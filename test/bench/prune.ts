// Real models pruned by the built `deepseek compress --prune`, and accuracy after recovery beside Torch-Pruning: `npm run
// bench:prune`. Needs a network for models, data and the peer, and GNU time. `-- --only channels,latency,fashion,ocr` for
// some parts, `--models rec,cls` for some models, `--ratios 0.3,0.5`, `--kept` to measure the files there are,
// `--no-times`, `--seeds 1,2,3`, `--steps 1000` and `--rate 1e-3` of recovery, `--threads 2`, `--fresh` to run the peer
// again, `--peer` to run it alone, `--only fashion --curve` for accuracy over steps of recovery (parts of it by --ways,
// --ratios, --recoveries, --budgets, --seeds: what was found is kept), `--with "--spread global"` for more options of the command, `--quick` for few steps
// and rounds (that it runs, not what it comes to). With the last three nothing is kept, else results add up in
// bench-work/prune.json and prune.md. Times count on a machine that does nothing else.
import { byChannels, byLatency, type ModelSettings } from "./prune/channels.js";
import { type CurveSettings, curve } from "./prune/curve.js";
import { fashion } from "./prune/fashion.js";
import { realModels } from "./prune/models.js";
import { ocr } from "./prune/ocr.js";
import { type Found, keep, lineOf, markdown } from "./prune/result.js";
import type { RecoverySettings, TaskFound } from "./prune/tasks.js";
import { listed } from "./train/keep.js";

const tasks: Readonly<Record<string, (settings: RecoverySettings) => Promise<TaskFound | undefined>>> = {
  fashion: (settings) => (flag("--curve") ? curve(settings, ofCurve) : fashion(settings)),
  ocr,
};
const parts = ["channels", "latency", ...Object.keys(tasks)];
/** `--by latency`: less time by this share. */
const lessTime = 0.3;

const flag = (name: string) => process.argv.includes(name);
const only = listed("--only") ?? parts;
const wanted = listed("--models");
const unknown = [
  ...only.filter((name) => !parts.includes(name)),
  ...(wanted ?? []).filter((id) => !realModels.some((model) => model.id === id)),
];
if (unknown.length > 0) {
  throw new Error(
    `unknown: ${unknown.join(", ")}; there are ${[...parts, ...realModels.map(({ id }) => id)].join(", ")}`,
  );
}
const models = realModels.filter(({ id }) => !wanted || wanted.includes(id));
const ratios = (listed("--ratios") ?? ["0.3", "0.5"]).map(Number);
const quick = flag("--quick");
const more = flag("--with") ? process.argv[process.argv.indexOf("--with") + 1]!.split(" ") : [];
const ofModels: ModelSettings = { quick, asItIs: flag("--kept"), times: !flag("--no-times"), more };
const one = (name: string) => (flag(name) ? Number(listed(name)![0]) : undefined);
const ofTasks: RecoverySettings = {
  quick,
  fresh: flag("--fresh"),
  threads: one("--threads") ?? 1,
  seeds: (listed("--seeds") ?? ["1"]).map(Number),
  steps: one("--steps"),
  rate: one("--rate"),
  times: !flag("--no-times"),
  asItIs: flag("--kept"),
  peerOnly: flag("--peer"),
  more,
};
const ofCurve: CurveSettings = {
  ways: listed("--ways"),
  ratios: listed("--ratios")?.map(Number),
  recoveries: listed("--recoveries"),
  budgets: listed("--budgets")?.map(Number),
};

const shown: Found[] = [];
const done = (found: Found) => {
  shown.push(found);
  for (const row of [...(found.channels ?? []), ...(found.latency ?? [])]) console.log(lineOf(row));
  if (!quick && !ofTasks.peerOnly && more.length === 0) keep(found);
};
const attempt = async (name: string, what: () => Promise<Found | undefined>) => {
  console.log(`\n${name}`);
  try {
    const found = await what();
    if (found) done(found);
  } catch (error) {
    console.log(`  ${(error as Error).message}`);
  }
};

for (const model of only.includes("channels") ? models : []) {
  await attempt(`${model.id}: ${ratios.join(", ")} of the channels gone`, async () => {
    const channels = await byChannels(model, ratios, ofModels);
    return channels && { channels };
  });
}
for (const model of only.includes("latency") ? models.filter(({ isConvolutional }) => isConvolutional) : []) {
  await attempt(`${model.id}: ${lessTime} less time`, async () => {
    const row = await byLatency(model, lessTime, ofModels);
    return row && { latency: [row] };
  });
}
for (const [id, task] of Object.entries(tasks).filter(([name]) => only.includes(name))) {
  await attempt(id, async () => {
    const found = await task(ofTasks);
    const name = id === "fashion" && flag("--curve") ? "fashion-curve" : id;
    return found && { tasks: { [name]: found.result }, ...(found.versions && { versions: found.versions }) };
  });
}
console.log(
  `\n${markdown({
    channels: shown.flatMap(({ channels = [] }) => channels),
    latency: shown.flatMap(({ latency = [] }) => latency),
    tasks: Object.assign({}, ...shown.map(({ tasks }) => tasks)),
  })}`,
);
