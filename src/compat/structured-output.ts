import { type Call, type Facts, type Place, type Request, textOf } from "./facts.js";
import type { Edit } from "./rule.js";

/** A call of LangChain's structured output, and the making of the model it is called on. */
export interface StructuredCall {
  readonly call: Call;
  readonly request: Request;
}

/** Calls of `withStructuredOutput`, `bindTools` and the like on a model whose making is known. */
export function callsOnModels(facts: Facts, names: RegExp): readonly StructuredCall[] {
  const requests = new Map(
    facts.files.flatMap((file) => file.requests).map((request) => [keyOf(request.place), request]),
  );
  return facts.files
    .flatMap((file) => file.calls)
    .flatMap((call) => {
      const request = names.test(call.name) && call.maker ? requests.get(keyOf(call.maker)) : undefined;
      return request ? [{ call, request }] : [];
    });
}

/** Calls of LangChain's structured output. */
export function structuredCalls(facts: Facts): readonly StructuredCall[] {
  return callsOnModels(facts, /^(withStructuredOutput|with_structured_output)$/);
}

const keyOf = ({ file, start }: { file: string; start: number }): string => `${file}:${start}`;

/** Options of the call: its keywords, or the object after the schema. */
function optionsOf(call: Call): Call["arguments"][number] | "keywords" | undefined {
  if (isPython(call)) return "keywords";
  return call.arguments[1];
}

const isPython = ({ name }: Call): boolean => name.includes("_");

/** The method asked for; undefined where none is, null where it is not known. */
export function methodOf(call: Call): string | undefined | null {
  const options = optionsOf(call);
  if (!options) return undefined;
  if (options === "keywords") {
    const keyword = call.arguments.find(({ name }) => name === "method");
    if (keyword) return typeof keyword.literal === "string" ? keyword.literal : null;
    return call.arguments.some(({ text }) => text.startsWith("**")) ? null : undefined;
  }
  const method = /(?:^|[{,\s])method\s*:\s*(?:(["'`])(\w+)\1|(\S+))/.exec(options.text);
  if (method) return method[2] ?? null;
  // options from elsewhere, or spread in, may name one
  return /^\{(?!.*\.\.\.)/.test(options.text) ? undefined : null;
}

/** Edits that make the call use JSON mode; undefined where its options are not written out. */
export function setJsonMode(facts: Facts, call: Call): readonly Edit[] | undefined {
  const { file } = call.place;
  const text = textOf(facts, file);
  const last = call.arguments.at(-1);
  if (!last) return undefined;
  const insert = (at: number, added: string) => [{ file, start: at, end: at, text: added }];
  if (isPython(call)) {
    const keyword = call.arguments.find(({ name }) => name === "method");
    if (keyword) return replaceMatch(text, keyword.place, /()(?:json_schema|function_calling)/, "json_mode");
    return methodOf(call) === undefined ? insert(last.place.end, ', method="json_mode"') : undefined;
  }
  const quote = text.split("'").length > text.split('"').length ? "'" : '"';
  const [, options] = call.arguments;
  if (!options) return insert(last.place.end, `, { method: ${quote}jsonMode${quote} }`);
  const method = methodOf(call);
  if (method)
    return replaceMatch(text, options.place, /(method\s*:\s*["'`])(?:jsonSchema|functionCalling)/, "jsonMode");
  const start = method === undefined && /^\{\s*(?=[\w"'])/.exec(text.slice(options.place.start, options.place.end));
  return start ? insert(options.place.start + start[0].length, `method: ${quote}jsonMode${quote}, `) : undefined;
}

/** Replaces what a pattern finds in a stretch of text, but for its first group. */
function replaceMatch(text: string, place: Place, pattern: RegExp, value: string): readonly Edit[] | undefined {
  const match = pattern.exec(text.slice(place.start, place.end));
  if (!match) return undefined;
  const from = place.start + match.index;
  return [{ file: place.file, start: from + match[1]!.length, end: from + match[0].length, text: value }];
}
