import type { RatioVerdict } from "../bench/compare/verdict.js";
import type { AppliedTensor } from "../quantize/apply.js";
import type { TrainingSettings } from "../train/task.js";
import type { OutputFile } from "./compress-result.js";

/** A model file that a run started from. */
export interface SourceFile {
  readonly path: string;
  /** Of the .onnx file and the external data it uses. */
  readonly bytes: number;
  /** Of the .onnx file, in hex. */
  readonly sha256: string;
}

/** How well one model does on the held-out samples. */
export interface ModelScore {
  /** `teacher`, `student before`, `student after`; `float`, `rounded` (without training), `trained`. */
  readonly model: string;
  /** Elements of its float weights; null where nobody counted. */
  readonly parameters: number | null;
  /** Of the file; null where there is none. */
  readonly bytes: number | null;
  /** The score by labels or --metric; null without both. */
  readonly metric: number | null;
  /** What `training.measure` gives, by which the best step was chosen; null where it is a distance from this model. */
  readonly measured: number | null;
  /** How near its outputs are to the first model's; null for that itself. */
  readonly agreement: {
    /** Share of positions with the same largest class; null where there are no classes. */
    readonly topOne: number | null;
    /** Signal over noise of all outputs, in dB; null where nothing differs. */
    readonly sqnrDb: number | null;
  } | null;
  /** CPU time of a run over the first model's, one thread: a quick look; null where it was not measured. */
  readonly speed: RatioVerdict | null;
}

/** A part of training between two points of a curve. */
export interface CurvePoint {
  /** The last step of the part. */
  readonly step: number;
  /** Means over the part. */
  readonly loss: number;
  readonly terms: Readonly<Record<string, number>>;
  readonly rate: number;
  readonly gradientNorm: number;
}

/** One measurement during training. */
interface EvaluationPoint {
  readonly step: number;
  readonly value: number;
  readonly best: boolean;
}

/** How training went. */
export interface TrainingCourse {
  /** Steps done, of `settings.steps`. */
  readonly steps: number;
  /** Why it ended: all steps done, no better measurement for long (--patience), or --time. */
  readonly ended: "done" | "early" | "time";
  /** The step whose weights were kept; null where nothing was measured. */
  readonly bestStep: number | null;
  readonly finalLoss: number;
  /** Of this process; a resumed run does not count what came before. */
  readonly seconds: number;
  /** The step that a checkpoint let this run go on from; 0 for a fresh start. */
  readonly resumedAt: number;
  /** At most 400 parts of equal length. */
  readonly curve: readonly CurvePoint[];
  readonly evaluations: readonly EvaluationPoint[];
  /** What evaluations measure, in words, and whether more is better. */
  readonly measure: { readonly name: string; readonly higherIsBetter: boolean };
}

/** A tensor that trains, or does not. */
interface TrainedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: string;
}

/** What is trained. */
export interface TrainedWeights {
  readonly tensors: number;
  readonly elements: number;
  /** Float tensors of the model that stay as they are: frozen by name, or constants that no gradient is for. */
  readonly frozenTensors: number;
  readonly frozenElements: number;
  /** The largest that train, at most 50. */
  readonly largest: readonly TrainedTensor[];
}

/** One part of the loss. */
export interface LossPart {
  readonly term: string;
  readonly weight: number;
  readonly words: string;
  /** The values it compares, student's and teacher's; of labels and outputs alone their names. */
  readonly pairs: readonly { readonly student: string; readonly teacher: string }[];
}

/** What every training says. */
interface Trained {
  readonly versions: { readonly "deepseek-compat": string; readonly onnxruntime: string; readonly node: string };
  readonly settings: TrainingSettings;
  readonly data: {
    /** Where the samples come from, in words. */
    readonly source: string;
    readonly training: number;
    readonly heldOut: number;
    readonly labelled: boolean;
    /** What was adapted to make samples fit the model, one line each. */
    readonly notes: readonly string[];
  };
  readonly losses: readonly LossPart[];
  readonly weights: TrainedWeights;
  /** What the training copies of the models were prepared by, one line each. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

/** What a finished training says. */
interface Finished extends Trained {
  readonly output: {
    readonly path: string;
    /** Of all files of the output. */
    readonly bytes: number;
    readonly files: readonly OutputFile[];
  };
  /** The name of the score by labels or --metric; null without both. */
  readonly metric: { readonly name: string; readonly higherIsBetter: boolean } | null;
  /** The first is what the others are held against. */
  readonly scores: readonly ModelScore[];
  readonly training: TrainingCourse;
  /** The model of `scores` that was written: the one before training where that did harm. */
  readonly kept: string;
  /** Outputs are not finite, or --max-drop was given and is exceeded: exit code 1. */
  readonly missed: boolean;
}

/** How a student was come by. */
export interface StudentSource {
  /** In words: `student.onnx`, `6 of 12 layers of teacher.onnx`. */
  readonly words: string;
  /** Layers of the teacher, in order, and whether the student has them; empty for a student of its own. */
  readonly layers: readonly {
    readonly name: string;
    readonly parameters: number;
    readonly kept: boolean;
    readonly why: string;
  }[];
}

interface Distilled {
  readonly teacher: SourceFile & { readonly parameters: number };
  readonly student: StudentSource & { readonly parameters: number; readonly file: SourceFile | null };
  readonly temperature: number;
}

/** The result of `deepseek compress --distill`, schema deepseek/distill@1. */
export interface DistillResult extends Finished, Distilled {
  readonly schema: "deepseek/distill@1";
}

/** The result of `deepseek compress --distill --dry-run`, schema deepseek/distill-plan@1. */
export interface DistillPlan extends Trained, Distilled {
  readonly schema: "deepseek/distill-plan@1";
  /** Of one step, measured on a few; null where none ran. */
  readonly secondsPerStep: number | null;
}

/** The result of `deepseek compress --qat`, schema deepseek/qat@1. */
export interface QatResult extends Finished {
  readonly schema: "deepseek/qat@1";
  readonly model: SourceFile;
  readonly bits: 4 | 8;
  /** What the file holds of every float tensor. */
  readonly tensors: readonly AppliedTensor[];
  /** Activations whose ranges were trained. */
  readonly activations: number;
}

/** The result of `deepseek compress --qat --dry-run`, schema deepseek/qat-plan@1. */
export interface QatPlan extends Trained {
  readonly schema: "deepseek/qat-plan@1";
  readonly model: SourceFile;
  readonly bits: 4 | 8;
  readonly activations: number;
  readonly secondsPerStep: number | null;
}
