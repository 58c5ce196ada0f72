import type { Request } from "../facts.js";
import { isRetiredAlias } from "../models.js";
import type { Finding, Unresolved } from "../scan.js";
import type { Target } from "../targets.js";

/** A question only a person can answer, and where it arises. */
export interface Decision {
  readonly question: string;
  /** `src/answer.ts:12`, in order. */
  readonly places: readonly string[];
  readonly rule?: string;
}

/** What a rule asks of a person where its finding has no safe fix. */
const questions: Readonly<Record<string, string>> = {
  R02: "Shall these calls think? Thinking is on unless it is switched off, takes longer and is billed as output.",
  R03: "Shall a limit stay? It counts reasoning and answer together: remove max_tokens, or raise it to 32768 or more.",
  R04: "How long may an answer be? The limit is outside what the target takes.",
  R05: "Is the limit high enough? It was ignored so far, and counts once it is renamed to max_tokens.",
  R06: "Is the longer context wanted? More of a conversation is kept, and each request costs more.",
  R08: "Is the reasoning needed where tools are called? V3.1 answers such requests without it.",
  R09: "Must a tool be called (thinking off), or may the model choose (tool_choice auto)?",
  R10: "Does this conversation use tools? Then reasoning_content must go back with it today, and must not in V3.1.",
  R12: "JSON mode with the schema in the prompt, or a strict tool? json_schema is refused.",
  R16: "Which model shall fill in the middle? Today only deepseek-v4-pro does, without thinking.",
  R18: "Where do these prices come from, and who keeps them up to date?",
  R33: "Which converter or kernel writes the scales? V3.1 expects powers of two and a gate bias in fp32.",
  R34: "Which version of the server runs here? The parser for V3.1 needs one that knows it.",
};

/** The questions that some findings, requests and unknowns leave to a person. */
export function decisionsOf(
  findings: readonly Finding[],
  requests: readonly (Request & { readonly line: number })[],
  unresolved: readonly Unresolved[],
  target: Target,
): readonly Decision[] {
  const found = new Map<string, { readonly rule?: string; readonly places: Set<string> }>();
  const ask = (question: string, place: string, rule?: string) => {
    const decision = found.get(question) ?? { places: new Set<string>(), ...(rule ? { rule } : {}) };
    decision.places.add(place);
    found.set(question, decision);
  };
  const retired = requests.filter(
    ({ model, host }) => host.host === "official" && model?.candidates.some(({ value }) => isRetiredAlias(value)),
  );
  if (target === "current") {
    for (const { place, line, model } of retired) {
      const reasons = model!.candidates.some(({ value }) => value === "deepseek-reasoner");
      if (reasons)
        ask(
          "deepseek-flash with thinking, or deepseek-v4-pro, for what deepseek-reasoner did?",
          `${place.file}:${line}`,
        );
    }
  } else {
    for (const { place, line } of retired) {
      ask(
        "Where shall V3.1 be asked? The official API has none: choose a host or your own servers.",
        `${place.file}:${line}`,
      );
    }
  }
  for (const { place, line, host, model } of requests) {
    const at = `${place.file}:${line}`;
    if (host.host === "official" && host.certainty === "possible") {
      ask(`Does this go to the official API where it runs? It is only likely: ${host.evidence}.`, at);
    }
    const [variable] = model?.environment ?? [];
    if (variable !== undefined && host.host === "official") {
      const [first] = model!.candidates;
      ask(`What is ${variable} set to where this runs?${first ? ` The code's own value is ${first.value}.` : ""}`, at);
    }
  }
  for (const finding of findings) {
    if (finding.fix?.applicability === "safe") continue;
    const at = `${finding.place.file}:${finding.line}`;
    const own = Object.hasOwn(questions, finding.code) ? questions[finding.code] : undefined;
    if (own) ask(own, at, finding.code);
    else if (finding.code === "R01" && finding.manual) {
      // what a variable holds is asked with the request
      if (!/may name another model/.test(finding.manual))
        ask(
          `How shall the name be replaced? ${finding.manual[0]!.toUpperCase()}${finding.manual.slice(1)}.`,
          at,
          "R01",
        );
    } else if (finding.severity !== "info")
      ask(
        `${finding.message}${finding.manual ? `: ${finding.manual}` : ""}. What shall stand there?`,
        at,
        finding.code,
      );
  }
  for (const { file, line, what } of unresolved)
    ask(`What is ${what}? It is not known here, so the request was not judged.`, `${file}:${line}`);
  return [...found].map(([question, { places, rule }]) => ({
    question,
    places: [...places],
    ...(rule ? { rule } : {}),
  }));
}
