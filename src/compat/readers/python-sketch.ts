import type { ClientKind, HostVerdict, Parameter, Request, Value } from "../facts.js";
import { hostOfModel } from "../host.js";
import type { ReadObject } from "./python-objects.js";
import { type PyNode, placeOf } from "./python-tree.js";

/** Names under which the model is given. */
export const modelNames = ["model", "model_name", "model_id", "engine"];

/** What a recogniser knows of a request. */
export interface Sketch {
  readonly client: ClientKind;
  readonly node: PyNode;
  readonly callee: string;
  readonly endpoint: string;
  readonly host: HostVerdict;
  readonly object: ReadObject;
  readonly baseUrl?: Value | undefined;
  readonly package?: string | undefined;
}

/** The facts of a request. */
export function build({ client, node, callee, endpoint, host, object, baseUrl, package: from }: Sketch): Request {
  const modelProperty = object.parameters.find(({ name }) => modelNames.includes(name));
  const only = modelProperty?.value.candidates.map(({ value }) => hostOfModel(String(value))).find(Boolean);
  const verdict: HostVerdict =
    host.certainty !== "certain" && only
      ? {
          host: only,
          certainty: "possible",
          evidence: `the id "${modelProperty?.value.candidates[0]?.value}" exists there only`,
        }
      : host;
  return {
    client,
    host: verdict,
    place: placeOf(node),
    callee,
    endpoint,
    ...(baseUrl ? { baseUrl } : {}),
    model: modelProperty && settledModel(modelProperty),
    modelProperty,
    parameters: object.parameters,
    spreads: object.spreads,
    object: object.shape,
    ...(from ? { package: from } : {}),
  };
}

/** The model, uncertain where it is sent under a condition only. */
function settledModel({ value, sure }: Parameter): Value {
  return sure || value.certainty !== "certain" ? value : { ...value, certainty: "possible" };
}
