import { axisOf, type GraphBuilder, type Value } from "../graph/builder.js";
import { formatShape } from "../tensor/tensor.js";
import { meanOver, shapeWithout, spreadMask, sumOver } from "./positions.js";

/** How a loss looks at the values it compares. */
export interface LossOptions {
  /** Softens the distributions: logits are divided by it. Losses over distributions are scaled by its square, so that gradients stay as large (Hinton et al. 2015). Default 1. */
  readonly temperature?: number;
  /** [N], [N, T] ...: 1 for positions that count; of any numeric dtype or bool. The leading axes of the values are its. */
  readonly mask?: Value | undefined;
  /** The axis of classes or features; default the last. All others are positions, of which the loss is the mean. */
  readonly axis?: number;
  /** Where a generalised JSD stands between the forward (0) and the reverse KL (1); default 0.5. */
  readonly beta?: number;
  /** The class that stands for "no symbol" in CTC; default 0. */
  readonly blank?: number;
  /** What a frame counts in which the teacher is certain of a blank; default 1. */
  readonly blankWeight?: number;
  /** In how many heads relations are looked at; default 1. */
  readonly heads?: number;
}

/** Writes a loss between what the student and the teacher have at the same place, as a scalar. No gradient is asked of the teacher's. */
export type Loss = (b: GraphBuilder, student: Value, teacher: Value, options?: LossOptions) => Value;

interface Distributions {
  readonly axis: number;
  /** log p, p of the teacher and log q of the student. */
  readonly logP: Value;
  readonly p: Value;
  readonly logQ: Value;
}

function distributions(b: GraphBuilder, student: Value, teacher: Value, options: LossOptions): Distributions {
  sameShape(student, teacher);
  const axis = axisOf(options.axis ?? -1, student.shape.length);
  const { temperature = 1 } = options;
  const soften = (logits: Value) => (temperature === 1 ? logits : b.div(logits, temperature));
  return {
    axis,
    logP: b.logSoftmax(soften(teacher), axis),
    p: b.softmax(soften(teacher), axis),
    logQ: b.logSoftmax(soften(student), axis),
  };
}

function sameShape(student: Value, teacher: Value): void {
  const [ours, theirs] = [formatShape(student.shape), formatShape(teacher.shape)];
  if (ours !== theirs) throw new Error(`a loss between a student's ${ours} and a teacher's ${theirs}`);
}

/** What positions cost -> the loss: their mean, times the square of the temperature. */
function overPositions(b: GraphBuilder, costs: Value, { mask, temperature = 1 }: LossOptions): Value {
  const mean = meanOver(b, costs, spreadMask(b, mask, costs.shape));
  return temperature === 1 ? mean : b.mul(mean, temperature ** 2);
}

/** KL(P || Q) along an axis, which goes. */
function divergence(b: GraphBuilder, p: Value, logP: Value, logQ: Value, axis: number): Value {
  return sumOver(b, b.mul(p, b.sub(logP, logQ)), axis);
}

/** Soft targets: KL(teacher || student) of softmaxed logits, times T^2 (Hinton et al. 2015). */
export const softTargets: Loss = (b, student, teacher, options = {}) => {
  const { axis, p, logP, logQ } = distributions(b, student, teacher, options);
  return overPositions(b, divergence(b, p, logP, logQ, axis), options);
};

/** KL(student || teacher), times T^2: the student may leave out what it cannot hold (MiniLLM, Gu et al. 2023). */
export const reverseTargets: Loss = (b, student, teacher, options = {}) => {
  const { axis, logP, logQ } = distributions(b, student, teacher, options);
  return overPositions(b, divergence(b, b.map("Exp", logQ), logQ, logP, axis), options);
};

/**
 * Generalised Jensen-Shannon divergence, times T^2, as GKD has it (Agarwal et al. 2023): beta KL(P || M) + (1 - beta)
 * KL(Q || M) with M = beta P + (1 - beta) Q; beta 0 and 1 stand for the forward and the reverse KL.
 */
export const jensenShannon: Loss = (b, student, teacher, options = {}) => {
  const { beta = 0.5 } = options;
  if (beta <= 0) return softTargets(b, student, teacher, options);
  if (beta >= 1) return reverseTargets(b, student, teacher, options);
  const { axis, p, logP, logQ } = distributions(b, student, teacher, options);
  const q = b.map("Exp", logQ);
  const mixed = b.add(b.mul(p, beta), b.mul(q, 1 - beta));
  // where both are 0 in float32, so is what the logarithm is multiplied with
  const logM = b.map("Log", b.add(mixed, tiny));
  const fromTeacher = b.mul(divergence(b, p, logP, logM, axis), beta);
  return overPositions(b, b.add(fromTeacher, b.mul(divergence(b, q, logQ, logM, axis), 1 - beta)), options);
};

const tiny = 1e-30;

/**
 * Soft targets of a CTC head [N, T, C], frame by frame. Most frames are blanks, which teach little: a frame counts 1 less
 * (1 - blankWeight) times the teacher's probability of a blank.
 */
export const frameTargets: Loss = (b, student, teacher, options = {}) => {
  const { blank = 0, blankWeight = 1, temperature = 1, mask } = options;
  const { axis, p, logP, logQ } = distributions(b, student, teacher, options);
  const costs = divergence(b, p, logP, logQ, axis);
  const valid = spreadMask(b, mask, costs.shape);
  const certain = b.softmax(teacher, axis);
  const blanks = b.reshape(b.slice(certain, [axis], [blank], [blank + 1]), costs.shape);
  const weights = b.sub(1, b.mul(blanks, 1 - blankWeight));
  const mean = meanOver(b, costs, blankWeight === 1 ? valid : valid ? b.mul(weights, valid) : weights);
  return b.mul(mean, temperature ** 2);
};

/** Mean of squared differences. */
export const meanSquare: Loss = (b, student, teacher, options = {}) => {
  sameShape(student, teacher);
  const gone = b.sub(student, teacher);
  if (student.shape.length === 0) return b.mul(gone, gone);
  const axis = axisOf(options.axis ?? -1, student.shape.length);
  const costs = b.reduce("ReduceMean", b.mul(gone, gone), [axis], false);
  return overPositions(b, costs, { mask: options.mask });
};

/**
 * Mean of squared differences over the mean square of the teacher's, both over the positions that count: 1 for a student
 * that says nothing, however large the values are.
 */
export const relativeSquare: Loss = (b, student, teacher, options = {}) => {
  const power = meanSquare(b, teacher, b.filled(0, teacher), options);
  return b.div(meanSquare(b, student, teacher, options), b.add(power, 1e-12));
};

/** 1 - the cosine of the angle between the vectors along the axis. */
export const cosineDistance: Loss = (b, student, teacher, options = {}) => {
  sameShape(student, teacher);
  const axis = axisOf(options.axis ?? -1, student.shape.length);
  const norm = (x: Value) => b.map("Sqrt", b.add(sumOver(b, b.mul(x, x), axis), 1e-12));
  const cosine = b.div(sumOver(b, b.mul(student, teacher), axis), b.mul(norm(student), norm(teacher)));
  return overPositions(b, b.sub(1, cosine), { mask: options.mask });
};

/** The mean over the heads of attention maps [N, H, T, T], where their numbers differ. */
function sameHeads(b: GraphBuilder, student: Value, teacher: Value): readonly [Value, Value] {
  if (student.shape.length !== 4 || student.shape[1] === teacher.shape[1]) return [student, teacher];
  return [b.reduce("ReduceMean", student, [1]), b.reduce("ReduceMean", teacher, [1])];
}

/** The mask [N, T] of a value [N, H, T, ...] of these position axes: [N, H, T]. */
function headMask(b: GraphBuilder, mask: Value | undefined, positions: readonly number[]): Value | undefined {
  if (!mask || positions.length !== 3 || mask.shape.length !== 2) return spreadMask(b, mask, positions);
  const [batch, , length] = positions as readonly [number, number, number];
  return b.expand(b.reshape(b.cast(mask, "float32"), [batch, 1, length]), positions);
}

/** Mean of squared differences of attention maps [N, H, T, T]; heads are averaged where their numbers differ. */
export const attentionSquare: Loss = (b, student, teacher, options = {}) => {
  const [ours, theirs] = sameHeads(b, student, teacher);
  sameShape(ours, theirs);
  const gone = b.sub(ours, theirs);
  const costs = b.reduce("ReduceMean", b.mul(gone, gone), [-1], false);
  return meanOver(b, costs, headMask(b, options.mask, costs.shape));
};

/** KL of attention maps [N, H, T, T] that are probabilities along the last axis; heads as in `attentionSquare`. */
export const attentionDivergence: Loss = (b, student, teacher, options = {}) => {
  const [ours, theirs] = sameHeads(b, student, teacher);
  sameShape(ours, theirs);
  const log = (p: Value) => b.map("Log", b.add(p, 1e-9));
  const costs = divergence(b, theirs, log(theirs), log(ours), theirs.shape.length - 1);
  return meanOver(b, costs, headMask(b, options.mask, costs.shape));
};

/**
 * Relations between positions, of values of any width (MiniLMv2, Wang et al. 2021): the softmax of x xT / sqrt(width),
 * in `heads` parts of the width, KL from teacher to student. Values are [N, T, D], or [N, H, T, d] with H d for D.
 */
export const relations: Loss = (b, student, teacher, options = {}) => {
  const { heads = 1, mask } = options;
  const [ours, theirs] = [relationLogits(b, student, heads), relationLogits(b, teacher, heads)];
  const shown = (logits: Value) => {
    if (!mask) return logits;
    const [batch, , , length] = logits.shape as readonly [number, number, number, number];
    // nothing is related to padding
    const gone = b.mul(b.sub(b.cast(mask, "float32"), 1), 1e9);
    return b.add(logits, b.reshape(gone, [batch, 1, 1, length]));
  };
  const { p, logP, logQ, axis } = distributions(b, shown(ours), shown(theirs), {});
  const costs = divergence(b, p, logP, logQ, axis);
  return meanOver(b, costs, headMask(b, mask, costs.shape));
};

/** [N, T, D] or [N, H, T, d] -> [N, heads, T, T]. */
function relationLogits(b: GraphBuilder, x: Value, heads: number): Value {
  const flat =
    x.shape.length === 4
      ? b.reshape(b.transpose(x, [0, 2, 1, 3]), [x.shape[0]!, x.shape[2]!, x.shape[1]! * x.shape[3]!])
      : x;
  const [batch, length, width] = flat.shape as readonly [number, number, number];
  if (flat.shape.length !== 3 || width % heads !== 0) {
    throw new Error(`relations in ${heads} heads of a value of ${formatShape(x.shape)}`);
  }
  const each = width / heads;
  const parts = b.transpose(b.reshape(flat, [batch, length, heads, each]), [0, 2, 1, 3]);
  return b.matmul(parts, parts, { transY: true, alpha: 1 / Math.sqrt(each) });
}

/**
 * Attention transfer between feature maps [N, C, ...] of one size and any number of channels (Zagoruyko and Komodakis
 * 2017): the mean square over channels, as a unit vector over the places; the squared distance of those, 0 to 2.
 */
export const attentionTransfer: Loss = (b, student, teacher, { mask } = {}) => {
  const [ours, theirs] = [unitMap(b, student), unitMap(b, teacher)];
  sameShape(ours, theirs);
  const gone = b.sub(ours, theirs);
  const costs = sumOver(b, b.mul(gone, gone), 1);
  return overPositions(b, costs, { mask: mask && mask.shape.length === 1 ? mask : undefined });
};

function unitMap(b: GraphBuilder, x: Value): Value {
  const energy = b.reduce("ReduceMean", b.mul(x, x), [1], false);
  const flat = b.reshape(energy, [x.shape[0]!, shapeWithout(x.shape, [0, 1]).reduce((n, size) => n * size, 1)]);
  const norm = b.map("Sqrt", b.add(b.reduce("ReduceSum", b.mul(flat, flat), [1]), 1e-12));
  return b.div(flat, norm);
}
