import type { NodeProto } from "../formats/onnx.js";
import type { Value } from "../graph/builder.js";
import type { FreshName } from "../graph/names.js";
import { graphsIn, makeNode } from "../graph/node.js";
import { type RunnableNodes, withNodes } from "./run-nodes.js";

const sequenceMakers: ReadonlySet<string> = new Set([
  ...["SequenceConstruct", "SequenceEmpty", "SequenceInsert", "SequenceErase", "SequenceMap", "SplitToSequence"],
  ...["Optional", "OptionalGetElement"],
]);

/**
 * The element type and shape of every value that nodes make, by running them once; sequences and element types that
 * cannot be passed are left out. The values themselves are not taken out of the runtime: only their shapes.
 */
export async function formsOf(part: RunnableNodes, fresh: FreshName): Promise<ReadonlyMap<string, Value>> {
  const names = part.nodes.filter(makesTensors).flatMap(({ output }) => output.filter(Boolean));
  const shapes = names.map((name) => ({ name, shape: fresh(`${name}_shape`) }));
  const ask = shapes.map(({ name, shape }) => makeNode("Shape", "", [name], [shape]));
  const outputs = [...names, ...shapes.map(({ shape }) => shape)];
  return withNodes({ ...part, nodes: [...part.nodes, ...ask] }, outputs, async (session, feeds) => {
    const types = new Map(session.outputs.map(({ name, dtype }) => [name, dtype]));
    const results = await session.runFor(
      feeds,
      shapes.map(({ shape }) => shape),
    );
    return new Map(
      shapes.flatMap(({ name, shape }) => {
        const dtype = types.get(name);
        const sizes = Array.from(results.get(shape)!.data as BigInt64Array, Number);
        return dtype ? [[name, { name, dtype, shape: sizes }] as const] : [];
      }),
    );
  });
}

function makesTensors(node: NodeProto): boolean {
  if (sequenceMakers.has(node.opType)) return false;
  return graphsIn(node).every(({ output }) =>
    output.every(({ type }) => type?.value.case === undefined || type.value.case === "tensorType"),
  );
}
