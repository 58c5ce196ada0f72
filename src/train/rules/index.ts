import type { GradientRule, RuleTable } from "../rule.js";
import { elementwiseRules } from "./elementwise.js";
import { matrixRules } from "./matrix.js";
import { reductionRules } from "./reductions.js";

/** Tables of gradient rules; a new operator is a row in one of them. */
const tables: readonly RuleTable[] = [elementwiseRules, matrixRules, reductionRules];

const rules = new Map<string, GradientRule>(tables.flatMap((table) => Object.entries(table)));

/** The rule of an operator, or undefined. */
export function gradientRule({ domain, opType }: { readonly domain: string; readonly opType: string }) {
  return rules.get(domain === "" || domain === "ai.onnx" ? opType : `${domain}:${opType}`);
}

/** The operators that have one. */
export function differentiableOperators(): readonly string[] {
  return [...rules.keys()];
}
