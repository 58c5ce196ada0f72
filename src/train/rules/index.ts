import type { GradientRule, RuleTable } from "../rule.js";
import { convolutionRules } from "./convolution.js";
import { elementwiseRules } from "./elementwise.js";
import { lossRules } from "./losses.js";
import { matrixRules } from "./matrix.js";
import { normalisationRules } from "./normalisation.js";
import { poolingRules } from "./pooling.js";
import { quantizationRules } from "./quantization.js";
import { reductionRules } from "./reductions.js";
import { resizeRules } from "./resize.js";
import { selectionRules } from "./selection.js";
import { shapeRules } from "./shapes.js";

/** Tables of gradient rules; a new operator is a row in one of them. */
const tables: readonly RuleTable[] = [
  elementwiseRules,
  lossRules,
  matrixRules,
  normalisationRules,
  quantizationRules,
  reductionRules,
  shapeRules,
  selectionRules,
  convolutionRules,
  poolingRules,
  resizeRules,
];

const rules = new Map<string, GradientRule>(tables.flatMap((table) => Object.entries(table)));

/** The rule of an operator, or undefined. */
export function gradientRule({ domain, opType }: { readonly domain: string; readonly opType: string }) {
  return rules.get(domain === "" || domain === "ai.onnx" ? opType : `${domain}:${opType}`);
}

/** The operators that have one. */
export function differentiableOperators(): readonly string[] {
  return [...rules.keys()];
}
