import type { ModelProto } from "../formats/onnx.js";
import { intAttribute } from "../graph/node.js";
import { viewModel } from "../graph/scope.js";
import { product } from "../graph/shapes.js";
import { whyNotFused } from "./fusion.js";
import { operatorClass } from "./operators.js";
import {
  type OperatorClass,
  type Override,
  operatorClasses,
  type QuantizeSettings,
  type SchemeId,
  targetOf,
} from "./settings.js";
import { type Site, siteKey, sitesOf, type WeightUse } from "./sites.js";
import { fastRows, isAtLeast, ortSince } from "./target.js";

/** A scheme to try, and why, for the report; no words where the user chose it. */
export interface Candidate {
  readonly scheme: SchemeId | "half" | "float";
  readonly why: string;
}

/** Schemes to try for a site, the best first: the first that fits is taken. */
export function candidates(site: Site, settings: QuantizeSettings): readonly Candidate[] {
  const override = overrideOf(site, settings);
  if (override) return [{ scheme: override.scheme, why: `as told for ${override.pattern}` }];
  const rules = unforced(site, settings);
  if (settings.scheme === "auto") return rules;
  // what the forced scheme does not fit is stored as small all the same
  return [{ scheme: settings.scheme, why: "" }, ...rules.filter(({ scheme }) => scheme !== settings.scheme)];
}

function unforced(site: Site, settings: QuantizeSettings): readonly Candidate[] {
  if (site.weightUses.length === 0) {
    return [
      { scheme: "unpack", why: `its pieces reach ${site.reaches.join(" and ")}; all of it is carried out at load` },
    ];
  }
  const kind = classOf(site);
  const chosen = settings.classes?.[kind];
  const rules = byRule(site, kind, settings);
  return [...(chosen ? [{ scheme: chosen, why: "the fastest when measured" }] : []), ...rules];
}

function byRule(site: Site, kind: OperatorClass, settings: QuantizeSettings): readonly Candidate[] {
  const unpack = (why: string): Candidate => ({ scheme: "unpack", why });
  switch (kind) {
    case "embedding":
      return [
        { scheme: "gather", why: "rows are gathered as integers, the table is never unpacked" },
        unpack("the table is unpacked at load"),
      ];
    case "recurrent":
      return [unpack("no recurrent kernel takes 8-bit weights with float activations")];
    case "conv":
    case "depthwise":
      return [unpack("convolutions with 8-bit weights and float activations are slower than with floats")];
    case "matmul":
      return forMatMul(site, settings);
  }
}

/** Rows decide: reading a quarter of the bytes wins while there are few, arithmetic counts where there are many. */
function forMatMul(site: Site, settings: QuantizeSettings): readonly Candidate[] {
  const { target, ortMin } = targetOf(settings);
  const { goal = "size" } = settings;
  const slow = `8-bit kernels are slower than floats from ${fastRows(target, 32) + 1} rows on`;
  const unpack: Candidate = { scheme: "unpack", why: slow };
  const nbits = (why: string): Candidate => ({ scheme: "nbits", why });
  if (target === "web" && goal !== "throughput") {
    return [{ ...unpack, why: "kernels for 8-bit weights are many times slower than floats in WebAssembly" }];
  }
  const fusedSince = ortSince.fusedQdq;
  const blocked = isAtLeast(ortMin, fusedSince) ? whyNotFused(site) : `onnxruntime fuses it from ${fusedSince} on only`;
  if (goal === "throughput") {
    const dynamic: Candidate = { scheme: "dynamic", why: "many rows: integer arithmetic is the fastest" };
    return target === "vnni"
      ? [dynamic, nbits("8-bit weights are faster than floats with VNNI"), unpack]
      : [dynamic, unpack];
  }
  const rows = rowsOf(site);
  if (goal === "latency") {
    const why = "few rows at a time: reading a quarter of the bytes is what counts";
    return [nbits(why), ...(blocked ? [] : [{ scheme: "qdq", why } as const]), unpack];
  }
  if (rows === undefined) return [{ ...unpack, why: `how many rows come is not known, and ${slow}` }];
  const few = `${rows} row${rows === 1 ? "" : "s"} at a time`;
  if (rows > fastRows(target, 32)) return [{ ...unpack, why: `${few}: ${slow}` }];
  if (!blocked) return [{ scheme: "qdq", why: `${few}: 8-bit kernels are faster than floats` }, unpack];
  return [
    nbits(`${few}; DequantizeLinear would not fuse: ${blocked}`),
    { ...unpack, why: "8-bit kernels do not fit it" },
  ];
}

/** The class of a site; embeddings first, because a table must not be unpacked for the sake of its other uses. */
export function classOf({ info, weightUses }: Site): OperatorClass {
  const classes = new Set(weightUses.map(({ node }) => operatorClass(node, info.shape)));
  return [...operatorClasses].reverse().find((kind) => classes.has(kind)) ?? "matmul";
}

/** The most rows of activations that meet a site's weight at once; undefined where that is not known. */
function rowsOf({ weightUses, shapeOf }: Site): number | undefined {
  let most = 0;
  for (const use of weightUses) {
    const rows = rowsOfUse(use, shapeOf);
    if (rows === undefined) return undefined;
    most = Math.max(most, rows);
  }
  return most;
}

function rowsOfUse({ node, input, scope }: WeightUse, shapeOf: Site["shapeOf"]): number | undefined {
  const other = shapeOf(scope, node.input[1 - input]!);
  if (!other) return undefined;
  const turned = node.opType === "Gemm" && intAttribute(node, "transA", 0) === 1;
  const outer = input === 1 && !turned ? other.slice(0, -1) : [...other.slice(0, -2), ...other.slice(-1)];
  return product(outer) ?? undefined;
}

/** What the user decided for a site. */
export function overrideOf(site: Site, { overrides = [] }: QuantizeSettings): Override | undefined {
  return overrides.find((entry) => matches(entry, site));
}

function matches({ pattern }: Override, { scope, info, uses }: Site): boolean {
  const test = globOf(pattern);
  return [info.name, siteKey(scope.path, info.name), ...uses.map(({ node }) => node.name)].some((name) =>
    test.test(name),
  );
}

/** Patterns of the user's decisions that no weight of a model answers to. Constants must have been lifted. */
export function unmatchedPatterns(model: ModelProto, { overrides = [] }: QuantizeSettings): readonly string[] {
  if (overrides.length === 0) return [];
  const sites = sitesOf(viewModel(model));
  return overrides.filter((override) => !sites.some((site) => matches(override, site))).map(({ pattern }) => pattern);
}

/** A pattern in which `*` stands for any characters and `?` for one. */
export function globOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "su");
}
