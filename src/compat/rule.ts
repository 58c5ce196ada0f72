import type { Facts, HostVerdict, Place } from "./facts.js";
import type { Origin, Target } from "./targets.js";

export type Severity = "error" | "warning" | "info";

/** What happens to code that is left as it is. */
export type Effect = "hard error" | "silent change" | "cost" | "opportunity";

/** A replacement of a stretch of a file; an insertion where start equals end. */
export interface Edit extends Place {
  readonly text: string;
}

/** `safe`: keeps behaviour, applied by --fix. `suggested`: needs a person's decision, applied by --fix=suggested. */
export type Applicability = "safe" | "suggested";

/** Edits that are applied together or not at all; they may span files. */
export interface Fix {
  readonly applicability: Applicability;
  readonly description: string;
  readonly edits: readonly Edit[];
}

/** What a rule says of one place. */
export interface Problem {
  readonly message: string;
  readonly place: Place;
  /** Where it differs from the rule's own for the target. */
  readonly severity?: Severity;
  readonly host?: HostVerdict;
  /** How the value was found, nearest step first; empty for a literal on the spot. */
  readonly path?: readonly string[];
  readonly fix?: Fix;
  /** Why there is no fix, or none that is safe. */
  readonly manual?: string;
}

/** Languages of examples, and the name of the file an example is tested as. */
export const exampleFiles = {
  ts: "example.ts",
  js: "example.js",
  py: "example.py",
  yaml: "example.yaml",
  compose: "docker-compose.yaml",
  json: "example.json",
  toml: "example.toml",
  env: ".env",
  sh: "example.sh",
  dockerfile: "Dockerfile",
  http: "example.http",
} as const;
type ExampleLanguage = keyof typeof exampleFiles;

/** A piece of code before and after, for one target: documentation and test at once. */
export interface Example {
  readonly target: Target;
  readonly language: ExampleLanguage;
  readonly before: string;
  readonly after: string;
  /** Which fixes lead from before to after; `none` where a person has to write it. */
  readonly by: Applicability | "none";
  /** Other files of the project that the finding depends on (package.json), by path. */
  readonly beside?: Readonly<Record<"before" | "after", Readonly<Record<string, string>>>>;
}

/** One difference between the versions: how to recognise it, why it matters, what to do. */
export interface Rule {
  /** Kebab-case name of the pattern found. */
  readonly id: string;
  /** Short form: `R01`. */
  readonly code: string;
  readonly title: string;
  /** null: the rule does not apply to that target. */
  readonly severity: Readonly<Record<Target, Severity | null>>;
  readonly effect: Effect;
  /**
   * The version with which the difference came. A rule of `v3.1` has nothing to say of code that was written for V3.1
   * already. Left out: it holds for code of every age.
   */
  readonly since?: "v3.1" | "later";
  /** One paragraph. */
  readonly explanation: string;
  readonly examples: readonly Example[];
  /** Its fixes change what other rules go by (the model's name), so they wait until a file has no other fix left. */
  readonly comesLast?: true;
  /** Its problems are those of suppression comments, which the scan itself finds after all other rules: `check` yields none. */
  readonly aboutSuppressions?: "malformed" | "unused";
  readonly source: {
    readonly urls: readonly string[];
    /** When the sources were read: YYYY-MM-DD. */
    readonly date: string;
    readonly confidence: "primary" | "secondary";
  };
  /** `from`: the version the code was written for. */
  check(facts: Facts, target: Target, from: Origin): Iterable<Problem>;
}

/** From the gravest down. */
export const severities: readonly Severity[] = ["error", "warning", "info"];
