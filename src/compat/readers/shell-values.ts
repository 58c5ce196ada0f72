import type { Candidate, Command, HostVerdict, Place, Span, Value } from "../facts.js";
import { hostOfModel } from "../host.js";
import { withoutSecrets } from "../secrets.js";
import type { Draft } from "./config-facts.js";
import { unknownValue } from "./http-requests.js";
import { holeSign, joinedValue } from "./json-tree.js";
import type { Hole, RawWord, Script } from "./shell-words.js";

/** What is known of a script before it is read. */
export interface ScriptOptions {
  readonly context: Command["context"];
  readonly isPowerShell?: boolean;
  /** Variables that are set before it runs. */
  readonly variables?: ReadonlyMap<string, Value>;
  readonly host?: HostVerdict;
}

/** One script while it is read. */
export interface Reading {
  readonly draft: Draft;
  readonly script: Script;
  readonly options: ScriptOptions;
  /** What each variable may be at this point. */
  readonly variables: Map<string, readonly Value[]>;
  span(span: Span): Span;
  readonly host: HostVerdict;
}

/** A variable that nothing here sets. */
export const unset = (name: string): Value => ({
  certainty: "unknown",
  candidates: [],
  open: true,
  environment: [name],
});

/** The value of a variable, as far as the script shows it. */
export function resolve(reading: Reading, hole: Hole): Value {
  const { draft, variables, span } = reading;
  if (hole.name === "") return unknownValue;
  const found = variables.get(hole.name);
  const assigned = found && combined(found);
  if (!hole.fallback) return assigned ?? unset(hole.name);
  if (assigned && assigned.environment.length === 0) return assigned;
  const { text, start, end } = hole.fallback;
  const own: Candidate = {
    value: text,
    partial: false,
    place: draft.place(span({ start, end })),
    path: [],
    environment: hole.name,
  };
  return {
    certainty: "possible",
    open: false,
    candidates: [...(assigned?.candidates ?? []), own],
    environment: [hole.name],
  };
}

function combined(values: readonly Value[]): Value {
  const [only] = values;
  if (only && values.length === 1) return only;
  return {
    certainty: values.some(({ candidates }) => candidates.length > 0) ? "possible" : "unknown",
    open: values.some(({ open }) => open),
    candidates: values.flatMap(({ candidates }) => candidates),
    environment: [...new Set(values.flatMap(({ environment }) => environment))],
  };
}

/** All that is known of a word. */
export function wordValue(reading: Reading, word: RawWord): Value {
  const parts = word.text.split(holeSign);
  const place = reading.draft.place(reading.span(word.span));
  const holes = [...word.holes.values()].map((hole) => resolve(reading, hole));
  if (holes.length > 0) return joinedValue(parts, holes, place);
  return {
    certainty: "certain",
    open: false,
    environment: [],
    candidates: [{ value: withoutSecrets(word.text), partial: false, place, path: [] }],
  };
}

/** A word's text, as far as it is known; an unknown part is `…`. */
export function textOf(reading: Reading, word: RawWord | undefined): string {
  if (!word) return "";
  const holes = [...word.holes.values()];
  if (holes.length === 0) return word.text;
  return word.text
    .split(holeSign)
    .map((part, index) => {
      const hole = holes[index];
      const value = hole && resolve(reading, hole);
      const [only, ...others] = value?.candidates ?? [];
      return part + (hole ? (only && others.length === 0 ? only.value : "…") : "");
    })
    .join("");
}

/** From a word's first character to the end of its last, without quotes. */
export function innerOf(word: RawWord): Span {
  const start = word.offsets[0] ?? word.span.end;
  const end = word.offsets.at(-1) ?? start;
  return { start, end: Math.max(start, end) };
}

/** Hosts that a program itself stands for. */
const programs: readonly (readonly [pattern: RegExp, host: "self-hosted" | "ollama" | "huggingface"])[] = [
  [/(^|\s)ollama\s+(run|pull|create|show|serve|cp|rm|push)\b/, "ollama"],
  [
    /vllm|sglang|trtllm|llama-server|llama-cli|llama\.cpp|text-generation-launcher|lmdeploy|ktransformers|tensorrt|mlx_lm/,
    "self-hosted",
  ],
  [/(^|\s)(huggingface-cli|hf)\s+download\b/, "self-hosted"],
  [/(^|\s)git\s+(clone|lfs)\b.*huggingface\.co/, "self-hosted"],
];

/** The host that an id or the command it stands in means; undefined where they say nothing. */
export function hostOfCommand(id: string, line: string): HostVerdict | undefined {
  const own = hostOfModel(id);
  if (own) return { host: own, certainty: "certain", evidence: `the id "${id}"` };
  const program = programs.find(([pattern]) => pattern.test(line));
  if (program) return { host: program[1], certainty: "certain", evidence: `the command ${line.split(" ")[0]}` };
  const routed = /^deepseek\/deepseek-/.test(id) && /(^|[\s/])(aider|litellm)(\s|$)/.exec(line);
  return routed ? { host: "official", certainty: "certain", evidence: `${routed[2]}'s prefix in "${id}"` } : undefined;
}

/** The place of a stretch of a script. */
export function placeIn({ draft, span }: Reading, one: Span): Place {
  return draft.place(span(one));
}
