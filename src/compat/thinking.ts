import { bodyPath } from "./body.js";
import { clients } from "./clients.js";
import { type Facts, type ObjectShape, type Parameter, type Request, textOf } from "./facts.js";
import { insertProperty } from "./fix/edits.js";
import { isCurrentId } from "./models.js";
import { isAnthropic, isFim, modelsOf } from "./requests.js";
import type { Applicability, Edit } from "./rule.js";
import { type Written, writeProperty } from "./syntax.js";
import type { Target } from "./targets.js";

/** State of the thinking switch in a request; undefined where it has none. */
export type Thinking = "enabled" | "disabled" | "unknown" | undefined;

/** A parameter at a path of property names: `["extra_body", "thinking"]`. */
export function parameterAt(
  parameters: readonly Parameter[] | undefined,
  path: readonly string[],
): Parameter | undefined {
  const [name, ...rest] = path;
  const found = parameters?.find((parameter) => parameter.name === name);
  return rest.length === 0 ? found : parameterAt(found?.parameters, rest);
}

/** Where a client keeps the switch, or may. */
const switchPaths = (request: Request): readonly (readonly string[])[] => [
  [...(bodyPath(request) ?? clients[request.client].body), "thinking"],
  ...(clients[request.client].takesExtraBody ? [["extra_body", "thinking"]] : []),
];

/** Stands the switch in `extra_body`, where the server does not hear it, though its author meant it? */
function isUnheard({ client, parameters }: Request): boolean {
  const { takesExtraBody, body } = clients[client];
  return (
    !takesExtraBody && !body.includes("extra_body") && parameterAt(parameters, ["extra_body", "thinking"]) !== undefined
  );
}

/** May what is spread in after the switch, and is not known, set another one? */
function isReplaceable(request: Request): boolean {
  const [top] = switchPaths(request).flatMap(([name]) => request.parameters.filter((one) => one.name === name));
  return request.spreads.some(
    ({ known, place }) => !known && (place.file !== top?.place.file || place.start > top.place.start),
  );
}

/** May something that is spread into an object on the way hold the switch, or another one? */
function isOpenOnTheWay(request: Request, path: readonly string[]): boolean {
  return path.some((_, index) => parameterAt(request.parameters, path.slice(0, index + 1))?.open === true);
}

const effortNames = ["reasoning_effort", "reasoningEffort"];

/** Nearly every rule asks it of every request. */
const known = new WeakMap<Request, { readonly thinking: Thinking }>();

/** What a request says of thinking. */
export function thinkingOf(request: Request): Thinking {
  let answer = known.get(request);
  if (!answer) {
    answer = { thinking: readThinking(request) };
    known.set(request, answer);
  }
  return answer.thinking;
}

function readThinking(request: Request): Thinking {
  const paths = switchPaths(request);
  if (paths.some((path) => isOpenOnTheWay(request, path))) return "unknown";
  const [parameter] = paths.flatMap((path) => parameterAt(request.parameters, path) ?? []);
  if (parameter) {
    if (!parameter.sure) return "unknown";
    const type = parameterAt(parameter.parameters, ["type"])?.value;
    const [only, ...others] = type?.candidates ?? [];
    if (!only || others.length > 0) return "unknown";
    return only.value === "enabled" || only.value === "disabled" ? only.value : "unknown";
  }
  if (isUnheard(request)) return "unknown";
  // options from elsewhere may hold it
  const [name] = bodyPath(request) ?? [];
  const holder = request.parameters.find((parameter) => parameter.name === name);
  return holder && !holder.parameters ? "unknown" : undefined;
}

/** Does the request name a reasoning effort, be it where the server does not read it? */
export function hasEffort(request: Request): boolean {
  return (
    request.parameters.some(({ name }) => effortNames.includes(name)) ||
    [...effortNames].some(
      (name) => parameterAt(request.parameters, [...clients[request.client].body, name]) !== undefined,
    ) ||
    parameterAt(request.parameters, ["extra_body", "reasoning_effort"]) !== undefined
  );
}

/** Why a request thinks, in words; undefined where it does not, or where that is not known. */
export function thinkingReason(request: Request, target: Target): string | undefined {
  const ids = modelsOf(request);
  if (ids.length === 0 || isFim(request)) return undefined;
  const state = thinkingOf(request);
  if (ids.every((id) => id === "deepseek-reasoner")) return "deepseek-reasoner always thinks";
  if (state === "disabled" || state === "unknown") return undefined;
  const known = ids.every((id) => isCurrentId(id) || id === "deepseek-chat" || id === "deepseek-reasoner");
  if (state === "enabled" && known) return "thinking is switched on here";
  const open = request.spreads.some(({ known: all }) => !all);
  if (target === "current" && ids.every(isCurrentId) && !open) return `${ids[0]} thinks unless told not to`;
  return undefined;
}

/** How a switch gets into a request: the edits and how far they can be trusted, or why there are none. */
export type Switch =
  | { readonly edits: readonly Edit[]; readonly applicability: Applicability; readonly note?: string }
  | { readonly manual: string };

const guardedObject = "a type of your own, a compiler directive or a filter of names may stand in the switch's way";

/** The edits that switch thinking on or off where the client expects it. An existing object is extended, never doubled. */
export function switchThinking(facts: Facts, request: Request, mode: "enabled" | "disabled"): Switch {
  const state = thinkingOf(request);
  if (state === "unknown") {
    return {
      manual: isUnheard(request)
        ? "its thinking switch in extra_body is not heard; settle that first"
        : "the request's thinking options are not known here",
    };
  }
  if (state === "disabled" && mode === "enabled") {
    return {
      manual: "the request says thinking disabled, but deepseek-reasoner always thought; decide which is meant",
    };
  }
  if (state && isReplaceable(request)) {
    return { manual: "something that is not known here may replace the request's thinking switch" };
  }
  // what the request says already was heard before, and is heard now
  if (state) return { edits: [], applicability: "safe" };
  if (isAnthropic(request)) {
    return { manual: "the Anthropic endpoint maps unknown names instead of refusing them; choose the model by hand" };
  }
  if (isFim(request)) return { manual: "this endpoint has no thinking switch of its own" };
  if (hasEffort(request)) return { manual: "the request names a reasoning effort; decide whether it shall think" };
  const { object } = request;
  if (!object)
    return {
      manual:
        "the request has no object of its own here to put the switch into: it is used in several places, built elsewhere or not there",
    };
  if (request.spreads.some(({ known }) => !known)) {
    return { manual: "an object spread into the request is not known here and may set model or thinking" };
  }
  const text = textOf(facts, object.place.file);
  const anchor = request.modelProperty?.direct ? request.modelProperty.place : undefined;
  const put = (path: readonly string[], spread = false, comment?: string): readonly Edit[] | undefined =>
    insertAt(text, object, request.parameters, path, { thinking: { type: mode } }, quoteOf(text, request), {
      anchor,
      ...(spread ? { spread } : {}),
      ...(comment ? { comment } : {}),
    });
  const finish = (edits: readonly Edit[] | undefined, applicability: Applicability): Switch =>
    edits
      ? { edits, applicability, ...(object.directives ? { note: guardedObject } : {}) }
      : { manual: "the layout of the object leaves no clean place for the switch" };
  const { isDocumented } = clients[request.client];
  const body = bodyPath(request);
  if (!body) return { manual: `set thinking in the way ${request.package} passes provider options on` };
  switch (request.client) {
    case "openai-node":
    case "openai-python": {
      if (!/(^|\.)chat\.completions\./.test(request.endpoint)) {
        return { manual: "this endpoint has no thinking switch of its own" };
      }
      // where the compiler tries several overloads it complains elsewhere than at the property; what is spread in is
      // not compared with the type at all
      const overloaded =
        object.directives || request.spreads.length > 0 || request.parameters.some(({ name }) => name === "stream");
      const edits = !object.checked
        ? put(body)
        : overloaded
          ? put(body, true)
          : put(body, false, "// @ts-expect-error DeepSeek-only field");
      return finish(edits, object.directives ? "suggested" : "safe");
    }
    case "fetch":
    case "axios":
    case "http": {
      const isChat = request.parameters.some(({ name }) => name === "messages");
      return finish(put(body, object.checked), isChat && !object.directives ? "safe" : "suggested");
    }
    case "ai-sdk":
      return finish(put(body), request.package === "@ai-sdk/deepseek" ? "safe" : "suggested");
    case "llamaindex":
      // what is spread in is not compared with the option's type, which knows the parameters of openai only
      return finish(put(body, object.checked), "suggested");
    default:
      return finish(put(body), isDocumented ? "safe" : "suggested");
  }
}

interface Insertion {
  readonly anchor?: Parameter["place"] | undefined;
  /** Written as `...{ x }`, which the compiler does not compare with the type. */
  readonly spread?: boolean;
  readonly comment?: string;
}

/** Puts properties into an object at a path, making the objects on the way that are missing. */
function insertAt(
  text: string,
  shape: ObjectShape,
  parameters: readonly Parameter[] | undefined,
  path: readonly string[],
  added: { readonly [name: string]: Written },
  quote: string,
  { anchor, spread, comment }: Insertion = {},
): readonly Edit[] | undefined {
  const [name, ...rest] = path;
  const existing = parameters?.find((parameter) => parameter.name === name);
  if (existing) {
    if (!existing.object || !existing.direct) return undefined;
    return insertAt(text, existing.object, existing.parameters, rest, added, quote);
  }
  const whole = path.reduceRight<{ readonly [name: string]: Written }>((inner, key) => ({ [key]: inner }), added);
  const property = Object.entries(whole)
    .map(([key, value]) => writeProperty(key, value, shape.syntax, quote))
    .join(", ");
  return insertProperty(text, shape, anchor, spread ? `...{ ${property} }` : property, comment);
}

/** The quote the model id is written with, so that the switch looks like its neighbours. */
export function quoteOf(text: string, request: Request): string {
  const place = request.modelProperty?.valuePlace;
  const quote = place && /["']/.exec(text.slice(place.start, place.end))?.[0];
  return quote ?? (text.split("'").length > text.split('"').length ? "'" : '"');
}
