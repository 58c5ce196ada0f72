import type { Primitive } from "../facts.js";
import { isRetiredAlias } from "../models.js";
import type { Body, Field, Node } from "./request-body.js";
import {
  type ApiVersion,
  type Condition,
  documented,
  fimModels,
  type Mode,
  models,
  type Row,
  rows,
} from "./schemas.js";

/** Something a version says of a field. */
export interface Reason {
  /** Path in the body; `model`; empty for the endpoint as a whole. */
  readonly field: string;
  /** A clause: "`logprobs` is refused with deepseek-reasoner". */
  readonly words: string;
  /** The server's own words, where they are known. */
  readonly error?: string;
}

/** What a version of the API would answer to a body. */
export interface Verdict {
  readonly answer: "accepted" | "rejected" | "unknown";
  /** Why it is rejected, or why that is not known. */
  readonly because: readonly Reason[];
  /** Taken, and without effect. */
  readonly ignored: readonly Reason[];
  /** Taken, with another meaning than in V3.0. */
  readonly changed: readonly Reason[];
  /** Sent, but in no documentation of that version; usually ignored without a word. */
  readonly undocumented: readonly string[];
}

/** What a version answers to a body. */
export function judge(body: Body, version: ApiVersion): Verdict {
  const known = documented[body.endpoint][version];
  if (known === null) {
    const what = { chat: "chat", fim: "FIM", anthropic: "Anthropic", responses: "Responses" }[body.endpoint];
    return rejection({ field: "", words: `there was no ${what} endpoint` });
  }
  const name = judgeModel(body, version);
  const modes = modesOf(body, version);
  const [first, ...others] = modes.map((mode) => judgeFields(body, version, mode, known));
  const fields = others.reduce(differing, first!);
  if (name?.answer === "rejected")
    return {
      ...fields,
      answer: "rejected",
      because: [...name.because, ...(fields.answer === "rejected" ? fields.because : [])],
    };
  if (fields.answer === "rejected") return fields;
  const because = [...(name?.because ?? []), ...fields.because];
  return { ...fields, answer: because.length > 0 ? "unknown" : "accepted", because };
}

const rejection = (reason: Reason): Verdict => ({
  answer: "rejected",
  because: [reason],
  ignored: [],
  changed: [],
  undocumented: [],
});

/** Undefined where the name is accepted. */
function judgeModel(body: Body, version: ApiVersion): Pick<Verdict, "answer" | "because"> | undefined {
  const unknown = (words: string) => ({ answer: "unknown" as const, because: [{ field: "model", words }] });
  const node = body.fields["model"]?.node;
  if (!node) return unknown("no model is named here");
  if (node.kind !== "value") return unknown("the model is not known here");
  // the Anthropic endpoint maps every name to a model of its own
  if (body.endpoint === "anthropic") return undefined;
  const refused = node.values.filter((value) => nameVerdict(String(value), body, version) === "rejected");
  const doubtful = node.values.filter((value) => nameVerdict(String(value), body, version) === "unknown");
  const [bad] = refused;
  if (bad === undefined) {
    if (doubtful.length > 0) return unknown(`whether \`${doubtful[0]}\` was accepted is not verified`);
    return node.isAll ? undefined : unknown(`the model may be another than \`${node.values.join("`, `")}\``);
  }
  if (refused.length < node.values.length || !node.isAll) {
    return unknown(`\`${bad}\` ${refusal(String(bad), version)}, but the model may be another`);
  }
  return {
    answer: "rejected",
    because: [
      {
        field: "model",
        words: `\`${bad}\` ${refusal(String(bad), version)}`,
        error: refusalText(String(bad), version),
      },
    ],
  };
}

function nameVerdict(name: string, body: Body, version: ApiVersion): "accepted" | "rejected" | "unknown" {
  const list =
    body.endpoint === "fim"
      ? { accepted: fimModels[version], unverified: [...models[version].accepted, ...models[version].unverified] }
      : models[version];
  if (list.accepted.includes(name)) return "accepted";
  // FIM never took the reasoner
  if (list.unverified.includes(name) && name !== "deepseek-reasoner") return "unknown";
  return "rejected";
}

function refusal(name: string, version: ApiVersion): string {
  if (version === "current" && isRetiredAlias(name)) return "is refused with HTTP 400 since 2026-07-24";
  return version !== "current" && models.current.accepted.includes(name) ? "did not exist yet" : "is no model of it";
}

function refusalText(name: string, version: ApiVersion): string {
  if (version !== "current") return "Model Not Exist";
  return `The supported API model names are deepseek-flash, deepseek-v4-pro, but you passed ${name}.`;
}

/** The modes a request may run in; both where that is not known. */
function modesOf(body: Body, version: ApiVersion): readonly Mode[] {
  const both: readonly Mode[] = ["chat", "thinking"];
  if (body.endpoint !== "chat") return body.endpoint === "fim" ? ["chat"] : both.slice(1);
  if (version !== "current") {
    const node = body.fields["model"]?.node;
    if (node?.kind !== "value" || !node.isAll) return node?.kind === "value" ? modesOfNames(node.values) : both;
    return modesOfNames(node.values);
  }
  const field = body.fields["thinking"];
  // the only value that may mean no thinking
  const effort = body.fields["reasoning_effort"]?.node;
  const mayBeNone = effort && (effort.kind !== "value" || effort.values.includes("none"));
  if (!field) return body.open || mayBeNone ? both : ["thinking"];
  const type = field.node.kind === "object" ? field.node.fields["type"]?.node : undefined;
  if (!field.sure || type?.kind !== "value" || !type.isAll) return both;
  return type.values[0] === "disabled" ? ["chat"] : ["thinking"];
}

function modesOfNames(names: readonly Primitive[]): readonly Mode[] {
  return [...new Set(names.map((name): Mode => (name === "deepseek-reasoner" ? "thinking" : "chat")))];
}

/** Two modes are possible: what both say is sure, the rest is not. */
function differing(one: Verdict, other: Verdict): Verdict {
  const both = <T extends Reason>(a: readonly T[], b: readonly T[]): readonly T[] =>
    a.filter(({ words }) => b.some((same) => same.words === words));
  const agreed = both(one.because, other.because);
  if (one.answer === other.answer && (one.answer !== "rejected" || agreed.length > 0)) {
    return {
      ...one,
      because: agreed.length > 0 ? agreed : one.because,
      ignored: both(one.ignored, other.ignored),
      changed: both(one.changed, other.changed),
    };
  }
  const because = [
    ...one.because,
    ...other.because.filter(({ words }) => !one.because.some((same) => same.words === words)),
  ];
  return {
    ...one,
    answer: "unknown",
    because,
    ignored: both(one.ignored, other.ignored),
    changed: both(one.changed, other.changed),
  };
}

function judgeFields(body: Body, version: ApiVersion, mode: Mode, known: readonly string[]): Verdict {
  const found: Record<Row["verdict"], Reason[]> = { rejected: [], unknown: [], ignored: [], changed: [] };
  const hits = rows.filter(
    (row) => row.endpoint === body.endpoint && row.versions.includes(version) && (row.mode ?? mode) === mode,
  );
  for (const row of hits) {
    const truth = holds(row, body);
    if (truth === false) continue;
    const reason: Reason = {
      field: row.field,
      words: `\`${row.field}\` ${row.reason}`,
      ...(row.error ? { error: row.error } : {}),
    };
    if (truth) found[row.verdict].push(reason);
    // a value that is not known matters where it could be refused only
    else if (row.verdict === "rejected") {
      const words = `it is not known here whether \`${row.field}\` ${row.reason}`;
      if (!found.unknown.some((same) => same.words === words)) found.unknown.push({ field: row.field, words });
    }
  }
  if (body.open) found.unknown.push({ field: "", words: "a part of the request is not known here" });
  const answer = found.rejected.length > 0 ? "rejected" : found.unknown.length > 0 ? "unknown" : "accepted";
  return {
    answer,
    because: answer === "rejected" ? found.rejected : found.unknown,
    ignored: found.ignored,
    changed: found.changed,
    undocumented: Object.keys(body.fields).filter(
      (name) => !known.includes(name) && !hits.some(({ field }) => field.split(/[.[]/)[0] === name),
    ),
  };
}

/** Does a row hold for a body? undefined where that is not known. */
function holds(row: Row, body: Body): boolean | undefined {
  const { when } = row;
  if (when?.without === "beta" && body.beta) return false;
  if (when?.without === "stream") {
    const stream = body.fields["stream"]?.node;
    if (stream && (stream.kind !== "value" || stream.values[0] === true)) return false;
  }
  const truths = nodesAt(body.fields, row.field).map(({ node, sure, parent }) => {
    const truth = when ? fits(node, when) : true;
    const beside = when?.beside && parent?.[when.beside.field]?.node;
    const isBeside = when?.beside ? (beside ? fits(beside, { is: when.beside.is }) : undefined) : true;
    if (truth === false || isBeside === false) return false;
    return truth && isBeside && sure ? true : undefined;
  });
  const truth = truths.includes(true) ? true : truths.includes(undefined) ? undefined : false;
  return truth && when?.without === "beta" && body.beta === undefined ? undefined : truth;
}

interface Found extends Field {
  /** The fields beside it. */
  readonly parent?: Readonly<Record<string, Field>>;
}

/** The paths of the table, taken apart. */
const stepsOf = new Map<string, readonly string[]>();

/** The parts of a body at a path. What may lie in an object that is not known is a hole; of a list it is left out. */
function nodesAt(fields: Readonly<Record<string, Field>>, path: string): readonly Found[] {
  let steps = stepsOf.get(path);
  if (!steps) {
    steps = path.replaceAll("[]", ".[]").split(".");
    stepsOf.set(path, steps);
  }
  let nodes: readonly Found[] = [{ node: { kind: "object", fields }, sure: true }];
  for (const step of steps) {
    nodes = nodes.flatMap(({ node, sure }): readonly Found[] => {
      if (step === "[]") return node.kind === "array" ? node.items.map((item) => ({ node: item, sure })) : [];
      // lists of messages and tools come from elsewhere nearly always, and would leave nothing that is known
      if (node.kind === "hole") return path.includes("[]") ? [] : [{ node, sure: false }];
      const field = node.kind === "object" && Object.hasOwn(node.fields, step) ? node.fields[step] : undefined;
      return field && node.kind === "object"
        ? [{ node: field.node, sure: sure && field.sure, parent: node.fields }]
        : [];
    });
  }
  return nodes;
}

function fits(node: Node, when: Condition): boolean | undefined {
  if (when.shape && node.kind !== "hole") return node.kind === when.shape;
  if (when.longerThan !== undefined) return node.kind === "array" && node.items.length > when.longerThan;
  const test = (value: Primitive): boolean =>
    (when.above === undefined || (typeof value === "number" && value > when.above)) &&
    (when.below === undefined || (typeof value === "number" && value < when.below)) &&
    (when.is === undefined || when.is.includes(value)) &&
    (when.isNot === undefined || !when.isNot.includes(value));
  if (node.kind === "hole") return undefined;
  // an object is no value of a list, so it differs from all of them
  if (node.kind !== "value") return when.above === undefined && when.below === undefined && when.is === undefined;
  const truths = node.values.map(test);
  if (truths.every((truth) => !truth)) return node.isAll ? false : undefined;
  return node.isAll && truths.every(Boolean) ? true : undefined;
}
