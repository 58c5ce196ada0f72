import { createRequire } from "node:module";
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { RunError, UserError } from "../errors.js";
import { type DType, elementCount, formatShape, type Tensor, type TensorData } from "../tensor/tensor.js";

/** An input or output as the model declares it. Axes: a size, the name of a dynamic axis, or null for an unnamed one. */
export interface ValueInfo {
  readonly name: string;
  readonly dtype: DType;
  /** Empty for a scalar, and also for a value whose rank the model leaves open: onnxruntime does not tell the two apart. */
  readonly shape: readonly (number | string | null)[];
}

/** How a model is loaded and run. */
export interface SessionSettings {
  /** Threads inside one operator; default 1. */
  readonly threads?: number;
  /** How far onnxruntime rewrites the graph while loading; default "all". */
  readonly graphOptimization?: "disabled" | "basic" | "extended" | "all";
  /** Session config entries of onnxruntime, e.g. `{"session.disable_quant_qdq": "1"}`; they win over our own. */
  readonly config?: Readonly<Record<string, string>>;
  /** Whether a run lays out its memory as a whole beforehand (from the second run of a shape on); default true. */
  readonly memoryPattern?: boolean;
  /** Where onnxruntime writes the graph as it optimized it. */
  readonly optimizedModelPath?: string;
  /** What every run is fed beside what it is given; the elements are read anew each time. */
  readonly fixed?: ReadonlyMap<string, Tensor>;
}

/** A model loaded for the CPU. Runs are serial: onnxruntime-node blocks the thread while it runs. */
export interface Session {
  readonly inputs: readonly ValueInfo[];
  /** The tensor outputs; sequences and maps are left out and never computed into results. */
  readonly outputs: readonly ValueInfo[];
  /** One inference. Throws a RunError with onnxruntime's reason when the model cannot run on these tensors. */
  run(feeds: ReadonlyMap<string, Tensor>): Promise<ReadonlyMap<string, Tensor>>;
  /** An inference that gives only these outputs: what others hold is not copied out of the runtime. */
  runFor(feeds: ReadonlyMap<string, Tensor>, wanted: readonly string[]): Promise<ReadonlyMap<string, Tensor>>;
  /** Frees the native memory; later calls do nothing. */
  close(): Promise<void>;
}

/**
 * Loads a model, from its path (so that external data beside it is found) or its bytes: one thread unless told
 * otherwise, sequential, no spinning (spinning threads burn CPU time between runs, which would be billed to the model).
 * Throws a UserError with onnxruntime's reason when it refuses the model, or when an input is not a tensor.
 */
export async function openSession(model: string | Uint8Array, settings: SessionSettings = {}): Promise<Session> {
  const ort = await loadRuntime();
  const label = typeof model === "string" ? model : "the model";
  const options: InferenceSession.SessionOptions = {
    executionProviders: ["cpu"],
    executionMode: "sequential",
    intraOpNumThreads: settings.threads ?? 1,
    interOpNumThreads: 1,
    graphOptimizationLevel: settings.graphOptimization ?? "all",
    enableMemPattern: settings.memoryPattern ?? true,
    // what goes wrong is thrown as well; a log line on stderr would only say it twice
    logSeverityLevel: 4,
    extra: {
      "session.intra_op.allow_spinning": "0",
      "session.inter_op.allow_spinning": "0",
      ...settings.config,
    },
    ...(settings.optimizedModelPath === undefined ? {} : { optimizedModelFilePath: settings.optimizedModelPath }),
  };
  let native: InferenceSession;
  try {
    // the two overloads of create() do not accept a union
    native = await (typeof model === "string"
      ? ort.InferenceSession.create(model, options)
      : ort.InferenceSession.create(model, options));
  } catch (error) {
    throw new UserError(`${label}: onnxruntime cannot load it: ${reasonOf(error)}`);
  }
  const inputs = native.inputMetadata.map((input) => {
    const info = valueInfo(input);
    if (!info)
      throw new UserError(`${label}: input "${input.name}" is not a plain tensor; such models cannot be run here`);
    return info;
  });
  const outputs = native.outputMetadata.map(valueInfo).filter((info) => info !== undefined);
  const fetches = outputs.map(({ name }) => name);
  const converted = (feeds: ReadonlyMap<string, Tensor>) =>
    Object.fromEntries([...feeds].map(([name, tensor]) => [name, toOrt(tensor, ort.Tensor)]));
  const fixed = converted(settings.fixed ?? new Map());
  let open = true;
  const runFor: Session["runFor"] = async (feeds, wanted) => {
    const given = { ...fixed, ...converted(feeds) };
    try {
      const results = await native.run(given, wanted);
      return new Map(wanted.map((name) => [name, fromOrt(results[name] as OrtTensor)]));
    } catch (error) {
      const fed = [...feeds].map(([name, { dtype, shape }]) => `${name}: ${dtype} ${formatShape(shape)}`).join(", ");
      throw new RunError(`${label}: onnxruntime cannot run it on ${fed}`, reasonOf(error));
    }
  };
  return {
    inputs,
    outputs,
    run: (feeds) => runFor(feeds, fetches),
    runFor,
    async close() {
      if (open) await native.release();
      open = false;
    },
  };
}

/**
 * onnxruntime, with its telemetry off: since 1.29 it keeps an identifier on disk and reports to its maker on Linux and
 * macOS too, unless this variable is set before the native code starts (microsoft/onnxruntime#27379). Nothing here may
 * use the network unasked; whoever wants the telemetry sets the variable to 0.
 */
async function loadRuntime() {
  process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
  return import("onnxruntime-node");
}

/** The version of onnxruntime in use; does not load it. */
export function runtimeVersion(): string {
  version ??= (createRequire(import.meta.url)("onnxruntime-node/package.json") as { version: string }).version;
  return version;
}

let version: string | undefined;

const dtypes: ReadonlySet<string> = new Set<DType>([
  "float32",
  "float64",
  "float16",
  "int8",
  "uint8",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "bool",
  "string",
]);

function valueInfo(metadata: InferenceSession.ValueMetadata): ValueInfo | undefined {
  if (!metadata.isTensor || !dtypes.has(metadata.type)) return undefined;
  const shape = metadata.shape.map((size) => (size === "" ? null : size));
  return { name: metadata.name, dtype: metadata.type as DType, shape };
}

/** Where the platform has a Float16Array, onnxruntime takes and returns it instead of bits in a Uint16Array. */
const float16Array = (globalThis as { Float16Array?: new (buffer: ArrayBufferLike, at: number, n: number) => unknown })
  .Float16Array;

function toOrt(tensor: Tensor, ctor: typeof OrtTensor): OrtTensor {
  if (tensor.data.length !== elementCount(tensor.shape)) {
    throw new Error(`tensor of shape ${formatShape(tensor.shape)} holds ${tensor.data.length} elements`);
  }
  let data: unknown = tensor.data;
  if (tensor.dtype === "float16" && float16Array) {
    const bits = tensor.data as Uint16Array;
    data = new float16Array(bits.buffer, bits.byteOffset, bits.length);
  }
  return new ctor(tensor.dtype as "float32", data as Float32Array, tensor.shape);
}

function fromOrt(value: OrtTensor): Tensor {
  let data = value.data as TensorData;
  if (value.type === "float16" && !(data instanceof Uint16Array)) {
    const halves = data as unknown as Uint16Array;
    data = new Uint16Array(halves.buffer, halves.byteOffset, halves.length);
  }
  return { dtype: value.type as DType, shape: value.dims, data };
}

/** onnxruntime's message on one line, without what only its developers need (source paths, repeated prefixes). */
function reasonOf(error: unknown): string {
  // thrown by native code, so it need not be an Error of this realm
  const text = String((error as { message?: unknown } | undefined)?.message ?? error)
    .replace(/\s+/g, " ")
    .replace(/^Load model from .*? failed:\s*(Load model .*? failed\.\s*)?/, "")
    .replace(/^Exception during initialization:\s*/, "")
    // source file, signature and condition of its C++ checks; the words after them say what is wrong
    .replace(/\/\S*onnxruntime_src\/\S*\s*/g, "")
    .replace(/(?:(?:void|bool|int|std::[^()]*?) )?onnxruntime::[\w:~]+\([^)]*\)\s*(?:[^.:]* was false\.\s*)?/g, "")
    .replace(/^(Failed to load model because protobuf|Protobuf) parsing failed\.$/, "it is not an ONNX model")
    .replace(/^Unsupported data type: (\d+)$/, "an input or output has element type $1 of ONNX, which cannot be passed")
    .trim();
  return text.length > 400 ? `${text.slice(0, 400)}...` : text;
}
