import type { ValueInfo } from "../../engine/session.js";
import { UserError } from "../../errors.js";
import { formatShape } from "../../tensor/tensor.js";

interface Signature {
  readonly path: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
}

/**
 * Refuses (UserError) to compare models that cannot take the same samples or do not give the same outputs: names and
 * dtypes of inputs and names of outputs must be equal, and fixed axes must not contradict each other.
 */
export function checkSignatures(baseline: Signature, candidate: Signature): void {
  for (const side of ["inputs", "outputs"] as const) {
    const word = side.slice(0, -1);
    const names = (values: readonly ValueInfo[]) => values.map(({ name }) => name).join(", ") || "none";
    const others = new Map(candidate[side].map((value) => [value.name, value]));
    const refuse = (problem: string): never => {
      throw new UserError(`${candidate.path} and ${baseline.path} cannot be compared: ${problem}`);
    };
    if (others.size !== baseline[side].length || baseline[side].some(({ name }) => !others.has(name))) {
      refuse(`their ${side} are ${names(candidate[side])} and ${names(baseline[side])}`);
    }
    for (const value of baseline[side]) {
      const other = others.get(value.name)!;
      if (side === "inputs" && other.dtype !== value.dtype) {
        refuse(`${word} "${value.name}" is ${other.dtype} in one and ${value.dtype} in the other`);
      }
      const clash =
        value.shape.length !== other.shape.length ||
        value.shape.some((axis, at) => {
          const size = other.shape[at];
          return typeof axis === "number" && typeof size === "number" && axis !== size;
        });
      // rank 0 may also stand for "rank unknown"
      if (clash && value.shape.length > 0 && other.shape.length > 0) {
        refuse(
          `${word} "${value.name}" has shape ${formatShape(other.shape)} in one and ${formatShape(value.shape)} in the other`,
        );
      }
    }
  }
}
