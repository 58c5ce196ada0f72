/**
 * What a file with rules of your own needs: `import type { Rule } from "deepseek-compat"`, and a `rule` or `rules`
 * that it exports. Types only, so that the import vanishes when the file is loaded.
 */
export type {
  Call,
  Candidate,
  Certainty,
  Command,
  Facts,
  FileFacts,
  HostVerdict,
  Literal,
  Mention,
  Parameter,
  Place,
  Request,
  Setting,
  Value,
} from "./facts.js";
export type { Applicability, Edit, Effect, Example, Fix, Problem, Rule, Severity } from "./rule.js";
export type { Origin, Target } from "./targets.js";
