import type { NodeProto } from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import { intAttribute, isStandard } from "../graph/node.js";
import { producers } from "../graph/producers.js";
import type { Scope } from "../graph/scope.js";

/** Why the shape of a value is not known, and what helps where something does, for reports. */
export function unknownShape(scope: Scope, name: string): string {
  const remedy = remedyFor(scope, name);
  return `the shape of its input "${name}" is not known${remedy ? ` (${remedy})` : ""}`;
}

/** What holds a value up, here or in what it is made of. */
function remedyFor(scope: Scope, name: string): string | undefined {
  const seen = new Set<string>();
  const look = (from: Scope, value: string): string | undefined => {
    const owner = ownerOf(from, value);
    if (!value || !owner || seen.has(`${owner.path}:${value}`)) return undefined;
    seen.add(`${owner.path}:${value}`);
    if (owner.graph.sparseInitializer.some(({ values }) => values?.name === value)) {
      return `"${value}" is stored sparse; store it as an ordinary initializer`;
    }
    const maker = producers(owner).get(value);
    if (isBfloat16(owner, value, maker)) {
      return `onnxruntime computes next to nothing in bfloat16; convert the model to float32 or float16`;
    }
    for (const input of maker?.input ?? []) {
      const found = look(owner, input);
      if (found) return found;
    }
    return undefined;
  };
  return look(scope, name);
}

function ownerOf(scope: Scope, name: string): Scope | undefined {
  const holds = (scope: Scope) =>
    scope.initializers.has(name) ||
    scope.inputs.has(name) ||
    scope.graph.sparseInitializer.some(({ values }) => values?.name === name) ||
    producers(scope).has(name);
  for (let at: Scope | null = scope; at; at = at.parent) if (holds(at)) return at;
  return undefined;
}

function isBfloat16({ graph, initializers }: Scope, name: string, maker: NodeProto | undefined): boolean {
  const { type } = graph.input.find((input) => input.name === name) ?? {};
  const given = type?.value.case === "tensorType" ? type.value.value.elemType : 0;
  const cast = maker && isStandard(maker) && maker.opType === "Cast" ? intAttribute(maker, "to", 0) : 0;
  return [initializers.get(name)?.dataType, given, cast].some((code) => code && onnxType(code)?.dtype === "bfloat16");
}
