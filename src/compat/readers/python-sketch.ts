import type { ClientKind, HostVerdict, Request, Value } from "../facts.js";
import type { ReadObject } from "./python-objects.js";
import { type PyNode, placeOf } from "./python-tree.js";
import { hostByModel, settledModel } from "./requests-of-file.js";

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
  return {
    client,
    host: hostByModel(host, modelProperty),
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
