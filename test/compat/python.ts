import type { FileFacts, Request } from "../../src/compat/facts.js";
import { readFacts } from "../../src/compat/scan.js";
import { memorySources } from "./memory.js";

/** The facts of some files, by path. */
export async function pythonFacts(
  files: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, FileFacts>>> {
  const sources = memorySources(files);
  const facts = await readFacts(sources, sources.paths);
  return Object.fromEntries(facts.files.map((file) => [file.file, file]));
}

/** The facts of one file. */
export async function factsOf(text: string, file = "a.py"): Promise<FileFacts> {
  return (await pythonFacts({ [file]: text }))[file]!;
}

/** The only request in some files. */
export async function onlyPythonRequest(files: Readonly<Record<string, string>>): Promise<Request> {
  const requests = Object.values(await pythonFacts(files)).flatMap((file) => file.requests);
  if (requests.length !== 1) throw new Error(`${requests.length} requests instead of one`);
  return requests[0]!;
}
