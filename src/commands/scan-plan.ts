import type { Host } from "../cli.js";
import type { Plan } from "../compat/plan/plan.js";
import type { CostOptions } from "../compat/proof/cost.js";
import type { Scan } from "../compat/scan.js";
import type { SourceFiles } from "./source-files.js";

/** Makes the plan of a scan of the host's folder: its components and owners are those that the folder declares. */
export async function planOfScan(host: Host, scan: Scan, sources: SourceFiles, cost: CostOptions): Promise<Plan> {
  const { repositoryFiles } = await import("./repository-files.js");
  const { findComponents } = await import("../compat/plan/components.js");
  const { makePlan } = await import("../compat/plan/plan.js");
  const { ownerFiles, readOwners } = await import("../compat/plan/owners.js");
  const { redact } = await import("../compat/redact.js");
  const { benchCommand } = await import("./bench.js");
  const paths = repositoryFiles(host);
  const unreadable = sources.paths.filter((file) => sources.unreadable.has(file));
  const owners = ownerFiles.find((path) => paths.includes(path));
  const plan = makePlan({
    scan,
    components: await findComponents({ ...sources, paths }),
    ownersOf: await readOwners((owners && sources.read(owners)) ?? ""),
    skipped: [...sources.skipped, ...unreadable.map((file) => ({ file, reason: "cannot be read as UTF-8 text" }))],
    unreadable: unreadable.length,
    cost,
    modelFiles: paths.filter((file) => file.endsWith(".onnx")),
    benchHasEndpoints: benchCommand.options.some(({ long }) => long === "--endpoint"),
  });
  return redact(plan);
}
