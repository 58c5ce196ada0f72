import type { RatioVerdict } from "../bench/compare/verdict.js";
import type { Agreement } from "../evaluate/agreement.js";
import type { Drop } from "../evaluate/drop.js";
import type { Normalised } from "../graph/normalise/index.js";
import type { OpsetChange } from "../graph/opset.js";
import type { AccuracyReport } from "../quantize/accuracy.js";
import type { AppliedTensor } from "../quantize/apply.js";
import type { Gate, NoiseLimit } from "../quantize/gate.js";
import type { QuantizationPlan } from "../quantize/plan.js";
import type { RuntimeUse } from "../quantize/runtime.js";
import type { QuantizeSettings } from "../quantize/settings.js";
import type { FusedCount } from "../quantize/static/runtime.js";

/** What plan and result share. */
interface Source {
  readonly model: {
    readonly path: string;
    /** Of the .onnx file and the external data it uses. */
    readonly bytes: number;
    /** Of the .onnx file, in hex. */
    readonly sha256: string;
  };
  readonly opset: OpsetChange;
  /** What brought the file into the form that compression works on. */
  readonly normalised: Normalised["passes"];
}

/** The result of `deepseek compress --dry-run`, schema deepseek/compress-plan@2. */
export interface PlanResult extends Source {
  readonly schema: "deepseek/compress-plan@2";
  readonly plan: QuantizationPlan;
  /** Bytes of the file it leads to. */
  readonly estimatedBytes: number;
}

/** How the finished file was held against the original. */
export type Verification =
  | { readonly checked: false; readonly reason: string }
  | {
      readonly checked: true;
      /** Where the samples come from, in words. */
      readonly source: string;
      /** Which samples were for calibration and which for the check, in words. */
      readonly split: string;
      /** What was adapted to make samples fit the model, one line each. */
      readonly notes: readonly string[];
      readonly synthetic: boolean;
      readonly agreement: Agreement;
      readonly drop: Drop;
      /** What onnxruntime made of the quantized weights; null where its optimized graph could not be had. */
      readonly runtime: RuntimeUse | null;
      /** Of the nodes that static quantization has in 8 bits: how many run as one 8-bit kernel; empty without it. */
      readonly fused: readonly FusedCount[];
      /**
       * Signal over noise, in dB, between the file as the runtime optimizes it and as it stands; null where no integer
       * kernel comes out of fusions. Low values mean kernels that saturate, or round activations.
       */
      readonly unoptimizedDb: number | null;
      /** CPU time over the original's, one thread: a quick look; null with --speed-seconds 0. */
      readonly speed: RatioVerdict | null;
    };

/** What was seen of one activation, for a picture of its range. */
export interface ActivationRange {
  readonly name: string;
  /** The smallest and largest value that was seen. */
  readonly min: number;
  readonly max: number;
  /** Whole bins of equal width between `low` and `high`, how many elements fell into each; exact zeros are left out. */
  readonly histogram: { readonly low: number; readonly high: number; readonly counts: readonly number[] };
  /** Elements that were exactly 0. */
  readonly zeros: number;
  /** What 8 bits reach; null where the value stays in floats. */
  readonly range: { readonly min: number; readonly max: number } | null;
}

/** A result before it is known what to warn of. */
export type UnwarnedResult = Omit<CompressResult, "warnings">;

/** A file of the output. */
export interface OutputFile {
  readonly name: string;
  readonly bytes: number;
  /** In hex. */
  readonly sha256: string;
}

/** The result of `deepseek compress`, schema deepseek/compress@2. */
export interface CompressResult extends Source {
  readonly schema: "deepseek/compress@2";
  readonly versions: { readonly "deepseek-compat": string; readonly onnxruntime: string; readonly node: string };
  readonly output: {
    readonly path: string;
    /** Of all files of the output. */
    readonly bytes: number;
    /** Output bytes / input bytes. */
    readonly ratio: number;
    /** What the input would take with every float stored as float32; its own bytes for a float32 model. */
    readonly float32Bytes: number;
    /** Output bytes / `float32Bytes`. */
    readonly float32Ratio: number;
    /** As they were made; not published where the limit of --max-drop was missed. */
    readonly files: readonly OutputFile[];
  };
  readonly settings: QuantizeSettings;
  /** Of made-up samples, and of what parts samples. */
  readonly seed: number;
  /** What was decided, in words, the most bytes first: which scheme for how many tensors, and why. */
  readonly decisions: readonly string[];
  readonly tensors: readonly AppliedTensor[];
  /** Nodes whose bias makes up for what rounding moved. */
  readonly correctedBiases: number;
  /** What the means that correction goes by are of; null where no bias was corrected. */
  readonly correctedOn: "samples" | "made-up images" | null;
  /** Values inside the model have short names; --keep-names keeps the old ones. */
  readonly namesShortened: boolean;
  /** What was gathered for bias correction and static quantization; missing where nothing was. */
  readonly calibration:
    | {
        readonly source: string;
        readonly samples: number;
        /** How many values have statistics. */
        readonly values: number;
        /** How ranges of activations follow from them; null where no activation is quantized beforehand. */
        readonly ranges: string | null;
        /** The activations with the widest ranges, widest first, at most 24. */
        readonly widest: readonly ActivationRange[];
      }
    | undefined;
  /** Nodes of the main graph under static quantization; empty without it. */
  readonly nodes: readonly {
    readonly name: string;
    readonly opType: string;
    readonly output: string;
    readonly runs: "int8" | "float";
    /** Why it stays in floats. */
    readonly reason: string;
  }[];
  /** What was done to floats and their rounding for accuracy. */
  readonly accuracy: AccuracyReport;
  /** What was decided by measuring on the samples. */
  readonly choices: readonly {
    readonly what: "clip" | "range" | "schemes" | "smoothing";
    readonly chosen: string;
    /** Noise power over signal power of the outputs (clip, range, smoothing), or CPU time over the original's (schemes). */
    readonly measured: readonly { readonly name: string; readonly value: number }[];
  }[];
  readonly verification: Verification;
  /** The limit set to the noise from 8-bit activations to keep --max-drop; null where none was needed. */
  readonly noiseLimit: NoiseLimit | null;
  /** What stderr warns of: doubts about the loss, options without effect, broken or slow results, one line each. */
  readonly warnings: readonly string[];
  /** What was done to keep --max-drop; null where the first result kept it, or nothing was measured on real samples. */
  readonly gate: Gate | null;
}
