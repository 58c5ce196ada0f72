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
