import type { CommandHead } from "../cli.js";

/** The commands of deepseek-compat as its list of commands shows them, apart from all that a command itself takes. */
export const heads = {
  scan: {
    name: "scan",
    summary:
      "Find what differs between DeepSeek V3.0, V3.1 and today's API in code and configuration, and fix what is safe.",
    usage: "[paths...]",
  },
  rules: {
    name: "rules",
    summary: "List all rules: what each finds, how grave it is for each target, and whether it can be fixed.",
    usage: "",
  },
  explain: {
    name: "explain",
    summary: "Show one rule: why it matters, before and after, its sources, and what its fixes do.",
    usage: "<rule>",
  },
  plan: {
    name: "plan",
    summary:
      "Turn the findings of a repository into a staged migration: what blocks, services, training and serving, benchmark.",
    usage: "[path]",
  },
  probe: {
    name: "probe",
    summary:
      "Ask an endpoint a few small questions to learn what it really does: names, thinking, tools, formats, limits.",
    usage: "",
  },
} as const satisfies Readonly<Record<string, CommandHead>>;

/** The same of deepseek. */
export const modelHeads = {
  inspect: {
    name: "inspect",
    summary: "Print what an ONNX file holds: opsets, inputs and outputs, operators, parameters and bytes by type.",
    usage: "<model>",
  },
  compress: {
    name: "compress",
    summary: "Make an ONNX model smaller, and show on samples how near it stays to the original.",
    usage: "[model]",
  },
  bench: {
    name: "bench",
    summary: "Measure ONNX models against each other: speed with intervals, memory, agreement of outputs, a verdict.",
    usage: "<baseline> [candidates...]",
  },
} as const satisfies Readonly<Record<string, CommandHead>>;
