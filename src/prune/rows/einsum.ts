import { stringAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { type InputAxis, NotFollowed, type Row, type Rows } from "../row.js";

interface EinsumTerms {
  readonly inputs: readonly (readonly string[])[];
  readonly output: readonly string[];
}

/** The letters of each input and of the output; three dots become letters of their own, from the right. */
export function einsumTerms(equation: string, ranks: readonly number[], outputRank: number): EinsumTerms {
  const [left = "", right] = equation.replaceAll(" ", "").split("->");
  const lettersOf = (term: string, rank: number): string[] => {
    const [before = "", after] = term.split("...");
    if (after === undefined) return [...term];
    const count = Math.max(0, rank - before.length - after.length);
    return [...before, ...Array.from({ length: count }, (_, place) => `.${count - place}`), ...after];
  };
  const inputs = left.split(",").map((term, index) => lettersOf(term, ranks[index] ?? 0));
  if (right !== undefined) return { inputs, output: lettersOf(right, outputRank) };
  const all = inputs.flat();
  const once = [...new Set(all)].filter((letter) => all.indexOf(letter) === all.lastIndexOf(letter));
  const dots = [...new Set(all.filter((letter) => letter.length > 1))];
  return { inputs, output: [...dots, ...once.filter((letter) => letter.length === 1).sort()] };
}

/** Labels by letter: those that the output lacks are summed over. */
const einsum: Row = {
  axes(at) {
    const ranks = at.node.input.map((_, index) => at.required(index).shape.length);
    const equation = stringAttribute(at.node, "equation", "");
    const { inputs, output } = einsumTerms(equation, ranks, at.outputShape(0).length);
    if ([...inputs, output].some((letters) => new Set(letters).size !== letters.length)) {
      throw new NotFollowed("a letter stands twice in a term");
    }
    const places = new Map<string, InputAxis[]>();
    for (const [input, letters] of inputs.entries()) {
      const { shape } = at.required(input);
      if (letters.length !== shape.length) throw new NotFollowed("its equation does not fit its inputs");
      letters.forEach((letter, axis) => {
        if (shape[axis] !== 1) places.set(letter, [...(places.get(letter) ?? []), { input, axis }]);
      });
    }
    const axisOf = ({ input, axis }: InputAxis): Axis => at.required(input).axes[axis]!;
    const axes = new Map<string, Axis>();
    for (const [letter, [first, ...others]] of places) {
      for (const other of others) at.unify(axisOf(first!), axisOf(other));
      if (!output.includes(letter)) at.contracts(first!, others[0] ?? null);
      axes.set(letter, [first!, ...others].every((place) => axisOf(place)) ? axisOf(first!) : null);
    }
    return [output.map((letter) => axes.get(letter) ?? null)];
  },
};

export const einsums: Rows = { Einsum: einsum };
