import { UserError } from "../../errors.js";
import { quantityPattern, toBase } from "../compare/quantity.js";
import type { MetricId } from "../metrics.js";
import { metrics, requestMetrics } from "../metrics-table.js";
import type { Slo } from "./flow.js";

/** Limits one request can meet. */
const limitable = requestMetrics.filter((id) => metrics[id].better !== "neither");

/** Reads `--slo ttft=500ms,tpot=50ms`: limits in base units. Throws a UserError that names what is wrong. */
export function parseSlo(text: string): Slo {
  const limits: Partial<Record<MetricId, number>> = {};
  for (const part of text.split(",")) {
    const [name, value, ...rest] = part.split("=").map((piece) => piece.trim());
    if (!name || !value || rest.length > 0) {
      throw new UserError(`--slo "${text}": expected metric=limit, as in ttft=500ms,tpot=50ms; found "${part.trim()}"`);
    }
    const id = limitable.find((known) => known === name.toLowerCase());
    if (!id) throw new UserError(`--slo: a request has no "${name}"; limits are on ${limitable.join(", ")}`);
    const match = quantityPattern.exec(value);
    const limit = match && match[0].length === value.length ? toBase(match, metrics[id].unit) : null;
    if (typeof limit !== "number" || !(limit > 0)) {
      const known = limit !== null && typeof limit === "object" ? limit.known : "s, ms, us";
      throw new UserError(`--slo: "${value}" is no limit for ${metrics[id].title}; write a number above 0 in ${known}`);
    }
    if (limits[id] !== undefined) throw new UserError(`--slo: ${name} is limited twice`);
    limits[id] = limit;
  }
  return limits;
}
