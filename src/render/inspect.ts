import { type Quantization, schemeWords } from "../graph/quantization.js";
import type { DeclaredValue, ModelSummary } from "../graph/summary.js";
import { formatShape } from "../tensor/tensor.js";
import type { Forms } from "./forms.js";
import { formatBytes, formatCount, formatPercent } from "./quantities.js";
import { markdownSections, type Section, textSections } from "./sections.js";
import { markdownTable } from "./table.js";

/** The result of `deepseek inspect`, schema deepseek/inspect@1. */
export interface InspectResult extends ModelSummary {
  readonly schema: "deepseek/inspect@1";
  readonly path: string;
  /** Of the .onnx file and the external data it uses. */
  readonly bytes: number;
  /** Of the .onnx file, in hex. */
  readonly sha256: string;
  readonly externalFiles: readonly string[];
  /** How it is quantized; null where it is not. Floats of 16 bits are not quantized. */
  readonly quantization: Quantization | null;
}

const right = "right" as const;

export function inspectForms(result: InspectResult): Forms {
  return {
    json: result,
    text: (paint, columns) =>
      [
        `${paint.bold(result.path)}  ${formatBytes(result.bytes)}\n`,
        ...facts(result).map(([name, value]) => `${paint.dim(name.padEnd(12))} ${value}\n`),
        `${paint.dim("operators".padEnd(12))} ${wrap(operators(result), columns - 13, 13)}\n`,
        textSections(sections(result), paint),
      ].join(""),
    markdown: () =>
      [
        `## ${result.path}\n\n`,
        markdownTable(
          [{ header: "fact" }, { header: "value" }],
          [["size", formatBytes(result.bytes)], ...facts(result), ["operators", operators(result)]],
        ),
        markdownSections(sections(result)),
      ].join(""),
  };
}

function facts(result: InspectResult): [string, string][] {
  const { parameters, inConstantNodes } = result;
  const rows: [string, string][] = [
    ["producer", result.producer || "not stated"],
    ["IR version", String(result.irVersion)],
    ["opsets", result.opsets.map(({ domain, version }) => `${domain} ${version}`).join(", ")],
    ["parameters", `${formatCount(parameters.elements)} elements, ${formatBytes(parameters.bytes)}`],
  ];
  rows.push(...quantized(result));
  if (inConstantNodes > 0) rows.push(["", `${formatCount(inConstantNodes)} of the tensors are in Constant nodes`]);
  if (result.externalFiles.length > 0) rows.push(["data files", result.externalFiles.join(", ")]);
  if (result.nestedGraphs > 0) rows.push(["nested", `${result.nestedGraphs} graphs in If, Loop or Scan nodes`]);
  if (result.localFunctions > 0) rows.push(["functions", `${result.localFunctions} local`]);
  return rows;
}

function quantized({ quantization }: InspectResult): [string, string][] {
  if (!quantization) return [["quantized", "no"]];
  const { bytes, ways } = quantization;
  const share = formatPercent(bytes.all > 0 ? bytes.quantized / bytes.all : 0);
  return [
    ["quantized", `${share} of the stored bytes are integers of 8 bits or fewer`],
    ...ways.map((way): [string, string] => ["", `${schemeWords(way)} (${way.nodes} ${way.operators.join("/")})`]),
  ];
}

function operators(result: InspectResult): string {
  return result.operators.map(({ operator, nodes }) => `${operator} ${nodes}`).join(", ");
}

function wrap(text: string, width: number, indent: number): string {
  const lines: string[] = [];
  let line = "";
  for (const part of text.split(/(?<=,) /)) {
    if (line && line.length + part.length + 1 > Math.max(width, 20)) {
      lines.push(line);
      line = part;
    } else line = line ? `${line} ${part}` : part;
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}

function sections(result: InspectResult): readonly Section[] {
  const values = (list: readonly DeclaredValue[], kind: string) =>
    list.map(({ name, type, shape }) => [
      kind,
      name,
      type,
      shape ? `[${shape.map((size) => size ?? "?").join(", ")}]` : "not stated",
    ]);
  return [
    {
      title: "Inputs and outputs",
      columns: [{ header: "" }, { header: "name" }, { header: "type" }, { header: "shape" }],
      rows: [...values(result.inputs, "input"), ...values(result.outputs, "output")],
    },
    {
      title: "Stored tensors by type",
      columns: [
        { header: "type" },
        { header: "tensors", align: right },
        { header: "elements", align: right },
        { header: "bytes", align: right },
      ],
      rows: result.types.map(({ type, tensors, elements, bytes }) => [
        type,
        formatCount(tensors),
        formatCount(elements),
        formatBytes(bytes),
      ]),
    },
    {
      title: "Largest tensors",
      columns: [{ header: "name" }, { header: "type" }, { header: "shape" }, { header: "bytes", align: right }],
      rows: result.largest.map(({ name, type, shape, bytes }) => [name, type, formatShape(shape), formatBytes(bytes)]),
    },
  ];
}
