import { formatShape } from "../tensor/tensor.js";
import { accuracyNote } from "./accuracy-tools.js";
import {
  bytesOf,
  choiceWords,
  decisionsOf,
  formWords,
  nodeWords,
  placeOf,
  shortList,
  worstFirst,
} from "./compress-decisions.js";
import { preparation, type Report, reportForms } from "./compress-lead.js";
import { agreementSection, lossWords } from "./compress-loss.js";
import type { CompressResult } from "./compress-result.js";
import type { Forms } from "./forms.js";
import { formatBytes, formatCount, formatDecibels, formatNumberOf } from "./quantities.js";
import type { Section } from "./sections.js";

const right = "right" as const;

/** The forms of a result; terminal and Markdown have the worst and the largest, page and JSON have all. */
export function compressForms(result: CompressResult): Forms {
  const { model, verification } = result;
  const report: Report = {
    title: `Compressed ${model.path}`,
    lead: leadOf(result),
    sections: [
      sizeSection(result),
      decisionSection(result),
      ...worstSection(result),
      ...(verification.checked ? [agreementSection(verification, false)] : []),
    ],
    foot: footOf(result),
  };
  const whole = { ...report, sections: [sizeSection(result), agreementSection(verification, true)] };
  return {
    ...reportForms(result, report),
    html: async () => (await import("./compress-page.js")).compressPage(result, whole),
  };
}

/** What a reader must know, the most important first. */
function leadOf(result: CompressResult): readonly string[] {
  const { output, gate, correctedBiases, correctedOn, calibration, nodes, choices, verification } = result;
  const ofFull = output.ratio === output.float32Ratio ? "" : `, ${output.float32Ratio.toFixed(3)} of it in float32`;
  const size = `${formatBytes(result.model.bytes)} -> ${formatBytes(output.bytes)} (${output.ratio.toFixed(3)} of it${ofFull})`;
  return [
    gate && !gate.reached ? `not written: ${output.path} (${size})` : `wrote ${output.path}: ${size}`,
    ...(verification.checked ? [] : [`not checked against the original: ${verification.reason}`]),
    ...lossWords(result),
    ...nodeWords(nodes),
    ...(calibration?.ranges
      ? [
          `activations: ranges by ${calibration.ranges} from ${formatNumberOf(calibration.samples, "sample")} (${calibration.source})`,
        ]
      : []),
    ...choiceWords(choices),
    ...accuracyNote(result.accuracy),
    ...(correctedBiases > 0
      ? [`${formatNumberOf(correctedBiases, "constant bias term")} corrected by what rounding moved on ${correctedOn}`]
      : []),
    ...preparation(result),
  ];
}

/** What is needed to do it again. */
function footOf({ seed, versions, model, output, settings }: CompressResult): readonly string[] {
  const programs = Object.entries({ ...versions, node: versions.node }).map(([name, version]) => `${name} ${version}`);
  const target = settings.target ? `target ${settings.target}, ` : "";
  return [
    `${target}seed ${seed}; ${programs.join(", ")}`,
    `SHA-256 ${model.sha256}  ${model.path}`,
    ...output.files.map(({ name, sha256 }) => `SHA-256 ${sha256}  ${name}`),
  ];
}

function sizeSection({ model, output, tensors }: CompressResult): Section {
  const full = (elements: number) => formatBytes(4 * elements);
  const isFull = output.float32Bytes === model.bytes;
  const row = (label: string, own: typeof tensors) => {
    const { before, after } = bytesOf(own);
    const elements = own.reduce((sum, tensor) => sum + tensor.elements, 0);
    return [
      label,
      formatBytes(before),
      formatBytes(after),
      before > 0 ? (after / before).toFixed(3) : "-",
      ...(isFull ? [] : [full(elements), elements > 0 ? (after / (4 * elements)).toFixed(3) : "-"]),
    ];
  };
  return {
    title: "Size",
    columns: [
      { header: "" },
      { header: "before", align: right },
      { header: "after", align: right },
      { header: "ratio", align: right },
      ...(isFull
        ? []
        : [
            { header: "in float32", align: right },
            { header: "ratio to it", align: right },
          ]),
    ],
    rows: [
      [
        "file",
        formatBytes(model.bytes),
        formatBytes(output.bytes),
        output.ratio.toFixed(3),
        ...(isFull ? [] : [formatBytes(output.float32Bytes), output.float32Ratio.toFixed(3)]),
      ],
      row(
        "quantized weights",
        tensors.filter(({ form }) => form !== null),
      ),
      row("all float tensors", tensors),
    ],
  };
}

/** Decisions that a terminal shows; the first have the most bytes. */
const decisionsShown = 8;

function decisionSection({ tensors }: CompressResult): Section {
  const all = decisionsOf(tensors);
  const hidden = all.slice(decisionsShown);
  const count = hidden.reduce((sum, { tensors: own }) => sum + own.length, 0);
  return {
    title: "What was done",
    columns: [
      { header: "scheme" },
      { header: "tensors", align: right },
      { header: "before", align: right },
      { header: "after", align: right },
      { header: "worst", align: right },
      { header: "form, operators and why" },
    ],
    rows: all.slice(0, decisionsShown).map(({ way, tensors: own, before, after, form, operators, reason }) => {
      const [worst] = worstFirst(own);
      return [
        way,
        formatCount(own.length),
        formatBytes(before),
        formatBytes(after),
        worst ? formatDecibels(worst.sqnrDb) : "",
        [form, shortList(operators), reason].filter(Boolean).join("; "),
      ];
    }),
    ...(count > 0
      ? {
          note: `${formatNumberOf(count, "tensor")} more in ${formatNumberOf(hidden.length, "kind")}; a report has them all`,
        }
      : {}),
  };
}

/** How many of the worst weights a terminal shows. */
const worstShown = 5;

function worstSection({ tensors }: CompressResult): readonly Section[] {
  const worst = worstFirst(tensors).slice(0, worstShown);
  if (worst.length === 0) return [];
  return [
    {
      title: "Weights that lost most",
      columns: [
        { header: "SQNR", align: right },
        { header: "scheme" },
        { header: "form" },
        { header: "shape" },
        { header: "used by" },
        { header: "tensor" },
      ],
      rows: worst.map((tensor) => [
        formatDecibels(tensor.sqnrDb),
        tensor.scheme ?? "",
        formWords(tensor.form),
        formatShape(tensor.shape),
        tensor.usedBy.join(", "),
        placeOf(tensor),
      ]),
    },
  ];
}
