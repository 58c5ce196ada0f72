import type { Batch } from "../data/batch.js";
import { UserError } from "../errors.js";
import type { Run } from "../evaluate/agreement.js";
import { type DType, elementCount, type Tensor, typedArrays } from "../tensor/tensor.js";
import { type Collector, type CollectSettings, startCollecting, type ValueStatistics } from "./statistics.js";

/** A model that outputs values from inside it, loaded; an engine's session fits. */
interface Probe {
  readonly outputs: readonly {
    readonly name: string;
    readonly dtype: DType;
    /** As far as it can be known before a run. */
    readonly shape: readonly (number | string | null)[];
  }[];
  readonly run: Run;
  close(): Promise<void>;
}

/**
 * Loads the model with these values as outputs as well (graph/expose.ts), where `inputShapes` are given for inputs of
 * just these shapes.
 */
export type OpenProbe = (
  names: readonly string[],
  inputShapes?: ReadonlyMap<string, readonly number[]> | undefined,
) => Promise<Probe>;

/** Samples that can be read again and again; a SampleSet fits. */
interface Readable {
  readonly count: number;
  read(at: number): Promise<Batch>;
}

/** What is gathered, and what that may cost. */
export interface CalibrateSettings extends CollectSettings {
  /** Bytes that the values of one run may take together; more values take more runs. Default 512 MB. */
  readonly maxBytes?: number;
  /** Told after each run. The total grows where values turn out larger than expected. */
  readonly onRun?: (done: number, total: number) => void;
}

/** What was gathered, and which of the values asked for have no statistics. */
export interface Gathered {
  readonly values: ReadonlyMap<string, ValueStatistics>;
  readonly skipped: readonly { readonly name: string; readonly reason: string }[];
}

/** Values that come out of one run, from sample number `start` on. */
interface Group {
  readonly names: readonly string[];
  readonly start: number;
}

/** Taken for a value whose shape is only known when it is there. */
const unknownBytes = 16e6;

/**
 * Runs samples one at a time and gathers statistics of the named values (computed in the main graph, or inputs of the
 * model). Memory does not grow with the number of samples: no sample is kept, and values that would be too large
 * together come from several runs. Throws a UserError for NaN and infinity, naming value and sample.
 */
export async function calibrate(
  open: OpenProbe,
  samples: Readable,
  names: readonly string[],
  settings: CalibrateSettings = {},
): Promise<Gathered> {
  const maxBytes = settings.maxBytes ?? 512e6;
  const first = await samples.read(0);
  const { inputs, sizes, skipped } = await examine(open, first, names);
  const collector = startCollecting(settings);
  const groups: Group[] = grouped(sizes, maxBytes).map((group) => ({ names: group, start: 0 }));
  // inputs need no run of their own
  if (groups.length === 0 && inputs.length > 0) groups.push({ names: [], start: 0 });
  let total = groups.length * samples.count;
  let done = 0;
  let inputsDone = 0;
  // grows while it is walked
  for (const group of groups) {
    const probe = group.names.length > 0 ? await open(group.names) : undefined;
    try {
      for (let at = group.start; at < samples.count; at++) {
        const batch = at === 0 ? first : await samples.read(at);
        const found = (await probe?.run(batch)) ?? new Map<string, Tensor>();
        let bytes = 0;
        for (const name of group.names) {
          const tensor = found.get(name)!;
          bytes += byteLength(tensor);
          addSample(collector, name, tensor, at);
        }
        if (at === inputsDone) {
          for (const name of inputs) addSample(collector, name, batch.get(name)!, at);
          inputsDone++;
        }
        settings.onRun?.(++done, total);
        const rest = samples.count - at - 1;
        if (bytes <= 2 * maxBytes || group.names.length === 1 || rest === 0) continue;
        // far larger than expected: the other samples in two runs each
        const half = Math.ceil(group.names.length / 2);
        groups.push({ names: group.names.slice(0, half), start: at + 1 });
        groups.push({ names: group.names.slice(half), start: at + 1 });
        total += rest;
        break;
      }
    } finally {
      await probe?.close();
    }
  }
  return { values: collector.statistics(), skipped };
}

function addSample(collector: Collector, name: string, tensor: Tensor, at: number): void {
  try {
    collector.add(name, tensor);
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`sample ${at + 1}: ${error.message}`);
    throw error;
  }
}

/** Which of the names are inputs, how many bytes each other value will take, and which are none to calibrate. */
async function examine(open: OpenProbe, first: Batch, names: readonly string[]) {
  const skipped: { name: string; reason: string }[] = [];
  const isFloat = (name: string, dtype: DType | undefined): boolean => {
    if (dtype?.startsWith("float")) return true;
    skipped.push({ name, reason: dtype ? `holds ${dtype}, not floats` : "is no plain tensor" });
    return false;
  };
  const inputs = names.filter((name) => first.has(name) && isFloat(name, first.get(name)!.dtype));
  const inner = names.filter((name) => !first.has(name));
  let outputs = inner.length > 0 ? await outputsOf(open, inner) : [];
  const vague = outputs.some(({ name, shape }) => inner.includes(name) && !isKnown(shape));
  if (vague) {
    // shapes of values that do not fit the sample's are no reason to fail: they only steer the grouping
    outputs = await outputsOf(open, inner, new Map([...first].map(([name, { shape }]) => [name, shape]))).catch(
      () => outputs,
    );
  }
  const byName = new Map(outputs.map((output) => [output.name, output]));
  const sizes = new Map<string, number>();
  for (const name of inner) {
    const output = byName.get(name);
    if (!isFloat(name, output?.dtype)) continue;
    const { dtype, shape } = output!;
    sizes.set(
      name,
      isKnown(shape) ? elementCount(shape) * typedArrays[dtype as "float32"].BYTES_PER_ELEMENT : unknownBytes,
    );
  }
  return { inputs, sizes, skipped };
}

async function outputsOf(open: OpenProbe, names: readonly string[], shapes?: ReadonlyMap<string, readonly number[]>) {
  const probe = await open(names, shapes);
  await probe.close();
  return probe.outputs;
}

function isKnown(shape: Probe["outputs"][number]["shape"]): shape is readonly number[] {
  return shape.every((axis) => typeof axis === "number");
}

/** The names in their order, in groups of at most `maxBytes`; one that is larger is a group of its own. */
function grouped(sizes: ReadonlyMap<string, number>, maxBytes: number): readonly (readonly string[])[] {
  const groups: string[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const [name, size] of sizes) {
    if (bytes + size > maxBytes) {
      groups.push([]);
      bytes = 0;
    }
    groups.at(-1)!.push(name);
    bytes += size;
  }
  return groups;
}

function byteLength({ data }: Tensor): number {
  return ArrayBuffer.isView(data) ? data.byteLength : 0;
}
