// `npm run bench:gradients -- [name...]`: gradients of every weight tensor of real model files, held against finite
// differences along them.
import { checkGradients, type GradientCheck } from "../../train/gradient-check.js";
import { fetchedModels, ocrModels } from "./real-models.js";

const wanted = process.argv.slice(2);
const models = [...ocrModels, ...fetchedModels].filter(({ id, slow }) =>
  wanted.length > 0 ? wanted.some((part) => id.includes(part)) : !slow,
);

const columns = ["model", "tensors", "weights", "forward", "backward", "outputs", "median", "worst", "at"];
console.log(`| ${columns.join(" | ")} |\n|${columns.map(() => "---").join("|")}|`);
for (const { id, load, feeds, tolerance, slow } of models) {
  const model = load();
  if (!model) continue;
  try {
    const found = await checkGradients(id, model, feeds, slow ? { tensors: 12 } : {});
    console.log(row(id, found));
    if (found.forwardError > tolerance) console.log(`${id}: outputs differ by more than ${tolerance}`);
  } catch (error) {
    console.log(`| ${id} | ${(error as Error).message} |`);
  }
}

function row(id: string, found: GradientCheck): string {
  const sorted = [...found.errors].sort((one, other) => one.error - other.error);
  const worst = sorted.at(-1);
  const cells = [
    id,
    `${found.reached} of ${found.parameters}`,
    found.elements,
    found.forward,
    found.backward,
    found.forwardError.toExponential(1),
    sorted[sorted.length >> 1]?.error.toExponential(1),
    worst?.error.toExponential(1),
    worst?.name,
  ];
  return `| ${cells.join(" | ")} |`;
}
