import type { HostVerdict, ObjectShape, Parameter, Place, Request, Span, Value } from "../facts.js";
import { hostOfModel } from "../host.js";
import { withoutSecrets } from "../secrets.js";
import { type ConfigNode, entryOf, type Mapping, type Scalar } from "./config-tree.js";

/** The value of a literal. */
export function literalValue(value: string | number | boolean, place: Place): Value {
  return {
    certainty: "certain",
    open: false,
    environment: [],
    candidates: [{ value: typeof value === "string" ? withoutSecrets(value) : value, partial: false, place, path: [] }],
  };
}

/** Nothing is known. */
export const unknownValue: Value = { certainty: "unknown", candidates: [], open: true, environment: [] };

/** Is this the body of a request to a model? */
export function isBody(node: ConfigNode | undefined): node is Mapping {
  if (node?.kind !== "mapping") return false;
  const model = entryOf(node, "model");
  const messages = entryOf(node, "messages") ?? entryOf(node, "prompt");
  return (model?.kind === "scalar" && messages !== undefined) || entryOf(node, "messages")?.kind === "sequence";
}

/** Objects and lists of one body that are looked into: aliases may stand for more than a file holds. */
const maximumParameters = 5000;

/** The parameters of a body, those of nested objects and arrays included. */
function parametersOf(
  mapping: Mapping,
  place: (span: Span) => Place,
  editable: boolean,
  depth = 0,
  budget = { left: maximumParameters },
): readonly Parameter[] {
  return mapping.entries.map((entry) =>
    parameterOf(entry.key, { ...entry, key: entry.keyOuter }, entry.value, place, editable, depth, budget),
  );
}

function parameterOf(
  name: string,
  spans: { readonly span: Span; readonly key: Span },
  node: ConfigNode,
  place: (span: Span) => Place,
  editable: boolean,
  depth: number,
  budget: { left: number },
): Parameter {
  const common = {
    name,
    place: place(spans.span),
    namePlace: place(spans.key),
    valuePlace: place(node.span),
    shorthand: false,
    direct: true,
    sure: true,
  };
  if (node.kind === "scalar") return { ...common, value: scalarValue(node, place), literal: isLiteral(node) };
  const nested = { ...common, value: unknownValue, literal: false };
  budget.left -= 1;
  if (depth > 40 || budget.left < 0) return nested;
  if (node.kind === "mapping") {
    const object = editable ? shapeOf(node, place) : undefined;
    return {
      ...nested,
      ...(object ? { object } : {}),
      parameters: parametersOf(node, place, editable, depth + 1, budget),
    };
  }
  return {
    ...nested,
    elements: node.items.map((item, index) =>
      parameterOf(String(index), { span: item.span, key: item.span }, item, place, editable, depth + 1, budget),
    ),
  };
}

const isLiteral = ({ value, known }: Scalar): boolean => value !== null && known === undefined;

function scalarValue({ value, known, span }: Scalar, place: (span: Span) => Place): Value {
  if (known) return known;
  return value === null ? { ...unknownValue, open: false } : literalValue(value, place(span));
}

/** Where a property can be put into a body. */
function shapeOf(mapping: Mapping, place: (span: Span) => Place): ObjectShape | undefined {
  if (!mapping.syntax) return undefined;
  return {
    syntax: mapping.syntax,
    place: place(mapping.span),
    properties: mapping.entries.map(({ span }) => span),
    checked: false,
    directives: false,
  };
}

/** A request whose body is written out. */
export interface Sent {
  readonly host: HostVerdict;
  readonly place: Place;
  readonly callee: string;
  readonly endpoint: string;
  readonly baseUrl?: Value;
  readonly body: Mapping;
  /** Positions in the body are exact, so that it can be edited. */
  readonly editable: boolean;
  /** Offsets of the body to places in the file. */
  readonly at: (span: Span) => Place;
}

/** The facts of such a request. */
export function requestOf({ host, place, callee, endpoint, baseUrl, body, editable, at }: Sent): Request {
  const parameters = parametersOf(body, at, editable);
  const modelProperty = parameters.find(({ name }) => name === "model");
  const only = modelProperty?.value.candidates.map(({ value }) => hostOfModel(String(value))).find(Boolean);
  return {
    client: "http",
    host:
      host.host === "unknown" && only
        ? {
            host: only,
            certainty: "possible",
            evidence: `the id "${modelProperty?.value.candidates[0]?.value}" exists there only`,
          }
        : host,
    place,
    callee,
    endpoint,
    ...(baseUrl ? { baseUrl } : {}),
    model: modelProperty?.value,
    modelProperty,
    parameters,
    spreads: [],
    object: editable ? shapeOf(body, at) : undefined,
  };
}
