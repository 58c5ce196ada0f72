import { UserError } from "../errors.js";
import type { ModelProto, NodeProto } from "../formats/onnx.js";
import type { LayerPair, LayerRole } from "./objective.js";
import { featureAxis } from "./projection.js";

/** A value of a model that another's can be held against. */
export interface Place {
  readonly value: string;
  readonly role: LayerRole;
  readonly shape: readonly number[];
}

/** Shapes of values in one run. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

/** The ends of layers, and the insides of attention, in the order of the graph. */
export function placesOf(
  model: ModelProto,
  layers: readonly { readonly end: string }[],
  shapes: Shapes,
): readonly Place[] {
  const found: { readonly value: string; readonly role: LayerRole }[] = [
    ...layers.map(({ end }) => ({ value: end, role: "hidden" as const })),
    ...attentionPlaces(model, shapes),
  ];
  return found.flatMap((place) => {
    const shape = shapes.get(place.value);
    return shape && shape.length >= 2 ? [{ ...place, shape }] : [];
  });
}

/** What may stand between the product of query and key and the softmax: scales and masks. */
const scaling = new Set(["Mul", "Div", "Add", "Sub", "Where", "Cast", "Identity"]);

/** Softmaxes over [N, H, T, T] between two products. */
function attentionPlaces(model: ModelProto, shapes: Shapes): readonly { value: string; role: LayerRole }[] {
  const { node: nodes } = model.graph!;
  const makers = new Map<string, NodeProto>();
  const readers = new Map<string, NodeProto[]>();
  for (const node of nodes) {
    for (const name of node.output) if (name) makers.set(name, node);
    for (const name of node.input) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const productBefore = (name: string): NodeProto | undefined => {
    const maker = makers.get(name);
    if (!maker || maker.opType === "MatMul") return maker;
    if (!scaling.has(maker.opType)) return undefined;
    const shape = String(shapes.get(name));
    const same = maker.input.find((one) => makers.has(one) && String(shapes.get(one)) === shape);
    return same === undefined ? undefined : productBefore(same);
  };
  return nodes.flatMap((node) => {
    const [map] = node.output as [string];
    if (node.opType !== "Softmax" || shapes.get(map)?.length !== 4) return [];
    const before = productBefore(node.input[0]!);
    const after = readers.get(map)?.find(({ opType, input }) => opType === "MatMul" && input[0] === map);
    if (!before || !after) return [];
    return [
      { value: map, role: "attention" as const },
      { value: before.input[0]!, role: "query" as const },
      { value: before.input[1]!, role: "key" as const },
      { value: after.input[1]!, role: "value" as const },
    ];
  });
}

function pairOf(student: Place, teacher: Place): LayerPair {
  return {
    student: student.value,
    teacher: teacher.value,
    role: student.role,
    studentShape: student.shape,
    teacherShape: teacher.shape,
  };
}

/** Whether a loss can hold one against the other: all axes alike but that of features (and of heads). */
function comparable({ role, shape }: Place, teacher: Place): boolean {
  if (role !== teacher.role || shape.length !== teacher.shape.length) return false;
  const free = role === "hidden" ? [featureAxis(shape)] : role === "attention" ? [1] : [1, role === "key" ? 2 : 3];
  return shape.every((size, axis) => free.includes(axis) || size === teacher.shape[axis]);
}

/**
 * Pairs found automatically, role by role: values of the same name where the student was made from the teacher (else a
 * third layer of six may be called as a third of twelve), or those at the same share of the depth that can be compared.
 */
export function matchPlaces(
  student: readonly Place[],
  teacher: readonly Place[],
  madeFrom = true,
): readonly LayerPair[] {
  const roles = [...new Set(student.map(({ role }) => role))];
  return roles.flatMap((role) => {
    const [ours, theirs] = [student, teacher].map((places) => places.filter((place) => place.role === role));
    const byName = ours!.flatMap((place) => {
      const same = theirs!.find(({ value }) => value === place.value);
      return same && comparable(place, same) ? [pairOf(place, same)] : [];
    });
    if (madeFrom && byName.length > 0) return byName;
    return ours!.flatMap((place, at) => {
      // the last is held against the last
      const there = theirs![Math.round(((at + 1) * theirs!.length) / ours!.length) - 1];
      return there && comparable(place, there) ? [pairOf(place, there)] : [];
    });
  });
}

/**
 * Pairs as given: `0:0,1:2` by number of layer (student:teacher), or `name:name` by value; = does as well. Throws a UserError for what is
 * not there or cannot be compared.
 */
export function parsePairs(
  text: string,
  student: readonly Place[],
  teacher: readonly Place[],
  option = "--pairs",
): readonly LayerPair[] {
  return text.split(",").map((part) => {
    // names of values may have colons themselves
    const [ours = "", theirs = "", ...more] = part.split(part.includes("=") ? "=" : ":").map((name) => name.trim());
    if (ours === "" || theirs === "" || more.length > 0) {
      throw new UserError(
        `${option} ${part}: must be <student's layer>:<teacher's layer>, or with = where names have colons`,
      );
    }
    const [one, other] = [find(student, ours, "student", option), find(teacher, theirs, "teacher", option)];
    if (!comparable(one, other)) {
      throw new UserError(
        `${option} ${part}: the student's ${one.value} is ${one.shape.join("x")}, the teacher's ${other.value} ${other.shape.join("x")}; only widths may differ`,
      );
    }
    return pairOf(one, other);
  });
}

function find(places: readonly Place[], name: string, whose: string, option: string): Place {
  const hidden = places.filter(({ role }) => role === "hidden");
  const found = /^\d+$/.test(name) ? hidden[Number(name)] : places.find(({ value }) => value === name);
  if (found) return found;
  const known = hidden.map(({ value }, at) => `${at} (${value})`).join(", ");
  throw new UserError(`${option}: the ${whose} has no layer ${name}; it has ${known || "none"}`);
}
