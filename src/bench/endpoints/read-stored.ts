import { UserError } from "../../errors.js";
import { requestMetrics } from "../metrics-table.js";
import type { EndpointBenchResult } from "./result.js";

/**
 * A stored result of this program from the JSON of a file, which may be anything. Throws a UserError that names the file and the first
 * place that is not as it should be.
 */
export async function readStored(json: unknown, name: string): Promise<EndpointBenchResult> {
  const schema = json !== null && typeof json === "object" ? (json as { schema?: unknown }).schema : undefined;
  if (schema !== "deepseek/bench-endpoints@1") {
    const found = typeof schema === "string" ? `its schema is "${schema.slice(0, 60)}"` : "it names no schema";
    throw new UserError(`${name} is no result of a benchmark of endpoints: ${found}, not "deepseek/bench-endpoints@1"`);
  }
  const { storedResult } = await import("./stored-schema.js");
  const parsed = storedResult().safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new UserError(`${name} is damaged at ${issue.path.join(".") || "its top"}: ${issue.message}`);
  }
  const result = parsed.data as unknown as EndpointBenchResult;
  checkReferences(result, name);
  return result;
}

/** What a schema cannot see: that records and blocks belong to targets and loads that exist, and windows do not end before they begin. */
function checkReferences({ settings, targets, points, raw }: EndpointBenchResult, name: string): void {
  const limit = Object.keys(settings.slo).find((id) => !requestMetrics.some((known) => known === id));
  if (limit !== undefined) throw new UserError(`${name} is damaged at settings.slo: there is no metric "${limit}"`);
  const labels = new Set(targets.map(({ label }) => label));
  if (labels.size !== targets.length) throw new UserError(`${name} is damaged: two targets have the same label`);
  for (const [list, items] of Object.entries(raw)) {
    const at = items.findIndex(({ target, point }) => !labels.has(target) || points[point] === undefined);
    if (at >= 0) throw new UserError(`${name} is damaged at raw.${list}.${at}: its target or load is not in the file`);
  }
  const reversed = raw.blocks.findIndex(({ window }) => window.end < window.start);
  if (reversed >= 0)
    throw new UserError(`${name} is damaged at raw.blocks.${reversed}: its window ends before it begins`);
}
