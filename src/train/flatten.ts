import { type NodeProto, readTensor } from "../formats/onnx.js";
import { freshFrom } from "../graph/names.js";
import { bothBranches, type Choice, isBranch, takenBranch } from "./branches.js";
import { ancestors } from "./fold.js";
import type { TrainableModel } from "./prepare.js";
import { type RunnableNodes, withNodes } from "./run-nodes.js";
import { never, type Variation, variationsOf, withIntegers } from "./variation.js";

/** Lets inputs keep the elements they have, from which these values come. */
export type Fix = (nodes: readonly NodeProto[], names: readonly string[]) => void;

/** Nodes without If. */
export interface Flat {
  readonly nodes: readonly NodeProto[];
  /** Where both branches are computed; their values must have one shape. */
  readonly choices: readonly Choice[];
  readonly notes: readonly string[];
}

/**
 * Puts the branches that are taken in the place of every If whose condition the data does not change, and both in the
 * place of the others.
 */
export async function withoutBranches(
  part: RunnableNodes,
  { copy }: TrainableModel,
  seeds: ReadonlyMap<string, Variation>,
  fix: Fix,
): Promise<Flat> {
  let { nodes } = part;
  let taken = 0;
  const choices: Choice[] = [];
  // values of branches that are not taken leave their names free
  const names = new Set<string>([...copy.graph!.input, ...copy.graph!.initializer].map(({ name }) => name));
  for (const { name, output } of nodes) for (const one of [name, ...output]) names.add(one);
  const fresh = freshFrom(names);
  for (;;) {
    const branches = nodes.filter(isBranch);
    const before = variationsOf(nodes, seeds);
    fix(
      nodes,
      branches.flatMap(({ input }) => (before.elements(input[0]!) === withIntegers ? [input[0]!] : [])),
    );
    const now = variationsOf(nodes, seeds);
    const decided = branches.filter(({ input }) => now.elements(input[0]!) === never);
    if (decided.length === 0) {
      if (branches.length === 0) break;
      nodes = nodes.flatMap((node) => {
        if (!isBranch(node)) return [node];
        const both = bothBranches(node, fresh);
        choices.push(both.choice);
        return both.nodes;
      });
      continue;
    }
    const wanted = [...new Set(decided.map(({ input }) => input[0]!))];
    const needed = ancestors(nodes, wanted);
    const made = new Set(needed.flatMap(({ output }) => output));
    const asked = wanted.filter((name) => made.has(name));
    const found = new Map(
      asked.length === 0
        ? []
        : await withNodes({ ...part, nodes: needed }, asked, (session, feeds) => session.runFor(feeds, asked)),
    );
    for (const tensor of copy.graph!.initializer) {
      if (wanted.includes(tensor.name)) found.set(tensor.name, readTensor(tensor, part.readExternal));
    }
    nodes = nodes.flatMap((node) => {
      const condition = isBranch(node) ? (found.get(node.input[0]!) ?? part.feeds.get(node.input[0]!)) : undefined;
      if (!condition || !decided.includes(node)) return [node];
      taken += 1;
      return takenBranch(node, Number(condition.data[0]) !== 0, fresh);
    });
  }
  const notes = taken > 0 ? [`${taken} If nodes replaced by the branch that is taken`] : [];
  if (choices.length > 0) notes.push(`both branches of ${choices.length} If nodes computed: the data decides`);
  return { nodes, choices, notes };
}
