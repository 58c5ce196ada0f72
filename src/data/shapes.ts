import { UserError } from "../errors.js";
import { elementCount, formatShape } from "../tensor/tensor.js";

/** An input as far as its shape is concerned; an engine's ValueInfo fits. */
interface Declared {
  readonly name: string;
  readonly shape: readonly (number | string | null)[];
}

/** More elements than this in one input are taken for a slip of the keyboard. */
const maxElements = 2 ** 31;

/**
 * Reads `x=1x3x48x320` (or `sr=scalar`); the name may hold `=` itself. Throws a UserError on anything else.
 */
export function parseShapeOption(text: string): { readonly name: string; readonly shape: readonly number[] } {
  const at = text.lastIndexOf("=");
  if (at <= 0) throw new UserError(`--shape ${text}: write it as <input>=<sizes>, for example x=1x3x224x224`);
  const name = text.slice(0, at);
  const sizes = text.slice(at + 1);
  if (sizes === "scalar") return { name, shape: [] };
  const shape = sizes.split(/[x,]/).map((size) => {
    if (/^\d+$/.test(size) && Number(size) > 0) return Number(size);
    throw new UserError(`--shape ${text}: "${size}" is not a size; every axis needs a whole number above 0`);
  });
  if (elementCount(shape) > maxElements) {
    throw new UserError(`--shape ${text}: that is ${elementCount(shape)} elements; at most 2^31 are possible`);
  }
  return { name, shape };
}

/** The shapes of several `--shape` options, by input. Throws a UserError where an input is given twice. */
export function parseShapeOptions(texts: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const shapes = new Map<string, readonly number[]>();
  for (const text of texts) {
    const { name, shape } = parseShapeOption(text);
    if (shapes.has(name)) throw new UserError(`--shape ${text}: input "${name}" is given twice`);
    shapes.set(name, shape);
  }
  return shapes;
}

/**
 * A concrete shape for every input. A dynamic axis takes its size from the given shapes: its own, or that of an axis
 * of the same name in another input; a leading axis nobody gave is 1 (the batch). Throws a UserError that names the
 * `--shape` to add or mend.
 */
export function resolveShapes(
  inputs: readonly Declared[],
  given: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, readonly number[]> {
  for (const name of given.keys()) {
    if (inputs.some((input) => input.name === name)) continue;
    throw new UserError(
      `--shape ${name}=...: the model has no such input; its inputs: ${inputs.map(({ name }) => name).join(", ")}`,
    );
  }
  const named = new Map<string, number>();
  for (const input of inputs) {
    const shape = given.get(input.name);
    if (!shape) continue;
    checkFits(input, shape);
    input.shape.forEach((axis, at) => {
      if (typeof axis === "string" && !named.has(axis)) named.set(axis, shape[at]!);
    });
  }
  return new Map(
    inputs.map((input) => {
      const shape =
        given.get(input.name) ??
        input.shape.map((axis, at) => {
          if (typeof axis === "number") return axis;
          const size = (axis === null ? undefined : named.get(axis)) ?? (at === 0 ? 1 : undefined);
          if (size !== undefined) return size;
          throw new UserError(
            `input "${input.name}" has dynamic axes: give --shape ${input.name}=${remedy(input)} with a number for every ?`,
          );
        });
      if (elementCount(shape) > maxElements) {
        throw new UserError(`input "${input.name}": ${formatShape(shape)} is more than 2^31 elements`);
      }
      return [input.name, shape];
    }),
  );
}

/** The declared shape with 1 for a dynamic batch and ? for every other dynamic axis. */
function remedy(input: Declared): string {
  return formatShape(input.shape.map((axis, at) => (typeof axis === "number" ? axis : at === 0 ? 1 : null)));
}

/** A declared shape of rank 0 may also mean "rank unknown" and fits everything; onnxruntime has the last word. */
function checkFits(input: Declared, shape: readonly number[]): void {
  if (input.shape.length === 0) return;
  const option = `--shape ${input.name}=${formatShape(shape)}`;
  if (input.shape.length !== shape.length) {
    throw new UserError(
      `${option}: input "${input.name}" has ${input.shape.length} axes (${remedy(input)}), not ${shape.length}`,
    );
  }
  input.shape.forEach((axis, at) => {
    if (typeof axis !== "number" || axis === shape[at]) return;
    throw new UserError(`${option}: axis ${at} of input "${input.name}" is fixed at ${axis}, not ${shape[at]}`);
  });
}
