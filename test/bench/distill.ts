// Real tasks that the product's training is held to, from data in npm and Debian packages: `npm run bench:distill`.
// `-- --only fashion,spam` for some of them, `--seeds 1,2,3`, `--threads 2`, `--fresh` to train again what is kept in
// bench-work/train/files, `--quick` for few steps (that it runs, not what it comes to; not kept). Takes an hour or more.
// Results add up in bench-work/train.json.

import { keepResult, listed } from "./train/keep.js";
import { type TaskResult, tasksMarkdown } from "./train/result.js";
import { fashion } from "./train/tasks/fashion.js";
import { fashionMade } from "./train/tasks/fashion-made.js";
import { ocr } from "./train/tasks/ocr.js";
import { qatFashion, qatOcr } from "./train/tasks/qat.js";
import { spam } from "./train/tasks/spam.js";
import type { Task } from "./train/tasks/task.js";

const tasks: readonly Task[] = [fashion, fashionMade, spam, ocr, qatFashion, qatOcr];
const quick = process.argv.includes("--quick");
const only = listed("--only") ?? tasks.map(({ id }) => id);
const settings = {
  quick,
  fresh: process.argv.includes("--fresh"),
  threads: Number(listed("--threads")?.[0] ?? 1),
  seeds: (listed("--seeds") ?? ["1"]).map(Number),
};
const done: Record<string, TaskResult> = {};
for (const task of tasks.filter(({ id }) => only.includes(id))) {
  console.log(`\n${task.title}`);
  const result = await task.run(settings);
  if (!result) continue;
  done[task.id] = result;
  if (!quick) keepResult({ tasks: { [task.id]: result } });
}
console.log(`\n${tasksMarkdown(done)}`);
