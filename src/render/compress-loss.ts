import { type AgreementSummary, disagreement, isBroken } from "../evaluate/agreement.js";
import type { FusedCount } from "../quantize/static/runtime.js";
import type { CompressResult, UnwarnedResult, Verification } from "./compress-result.js";
import { formatCount, formatDecibels, formatNumberOf, formatPercent } from "./quantities.js";
import type { Section } from "./sections.js";

/** Slower than this times the original is said. */
const slowRatio = 1.05;

/** A loss as percent. */
export const lossText = (share: number): string => formatPercent(share, false, 2);

/** What limits a result, each with its remedy. */
export function warningsOf(result: UnwarnedResult): readonly string[] {
  const { verification, gate } = result;
  const cut = saturationWarnings(result);
  if (!verification.checked) return [`not checked against the original: ${verification.reason}`, ...cut];
  const { agreement, synthetic, speed } = verification;
  const difference = disagreement(agreement);
  const slow = speed && speed.ratio !== null && speed.interval !== null && speed.interval.lower > slowRatio;
  return [
    ...(gate && !gate.reached
      ? [
          `the loss stays at ${lossText(gate.drop)} or above, --max-drop allows ${lossText(gate.maxDrop)}: nothing was written`,
        ]
      : []),
    ...(synthetic
      ? ["checked on random numbers only: this says little about accuracy; give --data with real samples"]
      : []),
    ...(isBroken(agreement) ? ["the outputs are broken; see the agreement table, and do not ship this file"] : []),
    ...(difference && !isBroken(agreement) && (synthetic || (gate && !gate.reached))
      ? [`${difference}; check its accuracy before you ship it`]
      : []),
    ...(slow ? [`takes ${speed.ratio!.toFixed(2)} times the original's CPU time`] : []),
    ...cut,
  ];
}

/** Below this, what the runtime makes of the file is not what the file says. */
const minUnoptimizedDb = 15;

/** Integer kernels that may give another result than the file says, here or on processors without VNNI. */
function saturationWarnings({ tensors, settings, verification }: UnwarnedResult): readonly string[] {
  const weights = tensors.filter(({ saturating }) => saturating !== undefined);
  const outputs = weights.reduce((sum, { saturating = 0 }) => sum + saturating, 0);
  const elsewhere = settings.target === "avx2" || settings.target === "web" ? "" : " (--target avx2 avoids it)";
  const db = verification.checked ? verification.unoptimizedDb : null;
  return [
    ...(outputs > 0 && settings.target !== "arm64"
      ? [
          `on x86 processors without VNNI, products of ${formatNumberOf(weights.length, "weight")} can overflow 16 bits in ${formatNumberOf(outputs, "output")}${elsewhere}`,
        ]
      : []),
    ...(db !== null && db < minUnoptimizedDb
      ? [
          `the file as the runtime optimizes it is ${formatDecibels(db)} from the file as it stands: integer kernels saturate or round here`,
        ]
      : []),
  ];
}

/** The loss as one number, what was done to keep the limit, the speed, and what the runtime makes of the weights. */
export function lossWords({ verification, noiseLimit, gate, versions }: CompressResult): readonly string[] {
  if (!verification.checked) return [];
  const { drop, synthetic, speed, runtime, fused, unoptimizedDb } = verification;
  const scores =
    drop.reference === null || drop.candidate === null
      ? ""
      : ` (${lossText(drop.reference)} before, ${lossText(drop.candidate)} after)`;
  return [
    `loss ${lossText(drop.value)}: ${drop.name}${scores}${synthetic ? ", on random numbers" : ""}`,
    ...(noiseLimit
      ? [
          noiseLimit.db === null
            ? `no activation stays in 8 bits: the limit of the loss would not be kept (${formatNumberOf(noiseLimit.trials.length, "trial")})`
            : `noise of 8-bit activations limited to ${formatDecibels(noiseLimit.db)} below the signal after ${formatNumberOf(noiseLimit.trials.length, "trial")}, to keep the limit of the loss`,
        ]
      : []),
    ...(gate
      ? [
          `${lossText(gate.trials[0]!.drop)} by rule, the limit is ${lossText(gate.maxDrop)}: after ${formatNumberOf(gate.trials.length, "trial")} ${formatNumberOf(gate.floats.length, "decision")} taken back to milder ways${gate.mildest === "float" ? ", nothing stored as float16" : ""}${gate.reached ? "" : ", which was not enough"}`,
        ]
      : []),
    ...(!speed || speed.ratio === null || speed.interval === null
      ? []
      : [
          `CPU time ${speed.ratio.toFixed(2)} of the original's (95 % interval ${speed.interval.lower.toFixed(2)} to ${speed.interval.upper.toFixed(2)}, one thread)`,
        ]),
    ...(runtime && runtime.words.length > 0
      ? [`onnxruntime ${versions.onnxruntime} on this machine: ${runtime.words.join("; ")}`]
      : []),
    ...fusedWords(fused),
    ...(unoptimizedDb === null
      ? []
      : [`its fused kernels and the graph as it stands agree to ${formatDecibels(unoptimizedDb)}`]),
  ];
}

/** How many nodes run as 8-bit kernels, and the operators of those that do not. */
function fusedWords(counts: readonly FusedCount[]): readonly string[] {
  if (counts.length === 0) return [];
  const sum = (pick: (count: FusedCount) => number) => counts.reduce((total, count) => total + pick(count), 0);
  const missing = counts.filter(({ planned, fused }) => fused < planned);
  const left = missing.map(({ opType, planned, fused }) => `${planned - fused} ${opType}`).join(", ");
  const words = `${sum(({ fused }) => fused)} of ${sum(({ planned }) => planned)} nodes run as 8-bit kernels`;
  return [left === "" ? words : `${words}; as floats between conversions: ${left}`];
}

/** Outputs that a terminal shows; the largest differences matter. */
const outputsShown = 6;

/** How near the outputs are to the original's; all outputs with `whole`, else the worst few. */
export function agreementSection(verification: Verification, whole: boolean): Section {
  const title = "Agreement with the original";
  if (!verification.checked) return { title, columns: [{ header: "not checked" }], rows: [[verification.reason]] };
  const { agreement, synthetic, split, notes } = verification;
  const row = (name: string, summary: AgreementSummary, problem?: string) => [
    name,
    formatCount(summary.elements),
    summary.topOne ? `${summary.topOne.agree}/${summary.topOne.total}` : "-",
    summary.topOne ? lossText(summary.topOne.agree / summary.topOne.total) : "-",
    // nothing was compared where shapes differ or the output is text
    ...(summary.elements === 0
      ? ["-", "-", "-"]
      : [formatDecibels(summary.sqnrDb), summary.cosine.toFixed(6), summary.maxAbsError.toPrecision(3)]),
    problem ?? (summary.nonFinite.candidate > 0 ? `${summary.nonFinite.candidate} elements not finite` : ""),
  ];
  const { outputs } = agreement;
  const isShort = !whole && outputs.length > outputsShown;
  const shown = isShort
    ? [...outputs]
        .sort((a, b) => Number(b.problem !== undefined) - Number(a.problem !== undefined) || a.sqnrDb - b.sqnrDb)
        .slice(0, outputsShown)
    : outputs;
  const rows = shown.map((output) => row(output.name, output, output.problem));
  if (outputs.length > 1) rows.push(row("all outputs", agreement.total));
  const right = "right" as const;
  return {
    title,
    columns: [
      { header: "output" },
      { header: "elements", align: right },
      { header: "top-1 same", align: right },
      { header: "", align: right },
      { header: "SQNR", align: right },
      { header: "cosine", align: right },
      { header: "max error", align: right },
      { header: "" },
    ],
    rows,
    note: [
      `on ${formatNumberOf(agreement.samples, "sample")}: ${verification.source}${synthetic ? " (random numbers: no statement about accuracy)" : ""}`,
      // the source of some samples of a set says it already
      ...(synthetic || verification.source.includes(" held out") ? [] : [split]),
      ...notes,
      ...(isShort ? [`${outputs.length - outputsShown} better outputs are not shown`] : []),
    ].join("; "),
  };
}
