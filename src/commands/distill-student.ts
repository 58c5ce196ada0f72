import type { Host, Options } from "../cli.js";
import type { Batch } from "../data/batch.js";
import { openSession, type Session } from "../engine/session.js";
import { UserError } from "../errors.js";
import { encodeModel, type ModelProto, type ReadExternal } from "../formats/onnx.js";
import { checkGraphs } from "../graph/check.js";
import type { SourceFile, StudentSource } from "../render/training-result.js";
import { refuseQuantized } from "./compress-refusals.js";
import { absolute } from "./files.js";
import { type ModelFile, readModelFile } from "./model-files.js";
import { fileOf } from "./training-describe.js";

/** The model that learns, before it has. */
export interface Student {
  /** What it is called in errors. */
  readonly name: string;
  readonly model: ModelProto;
  readonly readExternal: ReadExternal;
  readonly externalFiles: readonly string[];
  readonly source: StudentSource;
  readonly file: SourceFile | null;
  /** Runs it as it is. */
  open(threads: number): Promise<Session>;
}

/** Reads the student, or makes it from the teacher as the options say; `samples` are a few of those to learn from. */
export async function openStudent(
  host: Host,
  options: Options,
  teacher: ModelFile,
  samples: () => Promise<readonly Batch[]>,
): Promise<Student> {
  const path = options["student"] as string | undefined;
  if (path !== undefined) return studentFile(host, path);
  void samples;
  throw new UserError(`--student-layers: ${teacher.path}: give the student as a file with --student`);
}

async function studentFile(host: Host, path: string): Promise<Student> {
  const source = readModelFile(host, path);
  checkGraphs(source.model, path);
  refuseQuantized(path, source.model);
  return {
    name: path,
    model: source.model,
    readExternal: source.readExternal,
    externalFiles: source.externalFiles,
    source: { words: path, layers: [] },
    file: await fileOf(source),
    open: (threads) => openSession(absolute(host, path), { threads }),
  };
}

/** A student that is no file yet. */
export function madeStudent(
  model: ModelProto,
  { path, readExternal, externalFiles }: ModelFile,
  source: StudentSource,
): Student {
  return {
    name: `the student from ${path}`,
    model,
    readExternal,
    externalFiles,
    source,
    file: null,
    open: (threads) => openSession(encodeModel(model, readExternal), { threads }),
  };
}
