import type { Command, Facts } from "../facts.js";
import { isDeepSeekId } from "../models.js";
import { urlOf } from "../proof/request-body.js";
import type { Target } from "../targets.js";

/** A command that compares old and new, ready to be run. */
export interface BenchCommand {
  readonly command: string;
  /** Does the installed `deepseek bench` take it? */
  readonly works: boolean;
  readonly note: string;
}

interface Served {
  readonly url: string;
  readonly model: string;
}

/** Commands for the endpoints and model files found. `hasEndpoints`: the installed bench takes --endpoint. */
export function benchCommands(
  facts: Facts,
  modelFiles: readonly string[],
  target: Target,
  hasEndpoints: boolean,
): readonly BenchCommand[] {
  const requests = facts.files.flatMap((file) => file.requests);
  const official = requests.some(({ host }) => host.host === "official");
  const missing = hasEndpoints
    ? ""
    : "; the installed `deepseek bench` has no --endpoint yet and compares model files only";
  const commands: BenchCommand[] = [];
  const endpoints = (all: readonly (Served & { readonly name: string })[], note: string) =>
    commands.push({
      command: `deepseek bench ${all.map(({ name, url, model }) => `--endpoint ${quoted(`${name}=${url},model=${model}`)}`).join(" ")}`,
      works: hasEndpoints,
      note: note + missing,
    });
  if (official && target === "current") {
    const url = "https://api.deepseek.com";
    endpoints(
      [
        { name: "flash", url, model: "deepseek-flash" },
        { name: "pro", url, model: "deepseek-v4-pro" },
      ],
      "deepseek-chat and deepseek-reasoner are refused since 2026-07-24, so the old side comes from your own records",
    );
  }
  const own = [
    ...requests.flatMap(servedByRequest),
    ...facts.files.flatMap((file) => file.commands.flatMap(servedByCommand)),
  ];
  for (const served of unique(own)) {
    const model = successorOf(served.model);
    if (model === undefined) continue;
    endpoints(
      [
        { name: "old", ...served },
        { name: "new", url: "http://NEW-HOST:8000/v1", model },
      ],
      "start the new model beside the old one, name its host for NEW-HOST, and give both the same load",
    );
  }
  if (official && target === "v3.1") {
    endpoints(
      [
        { name: "old", url: "http://OLD-HOST:8000/v1", model: "deepseek-ai/DeepSeek-V3" },
        { name: "new", url: "http://NEW-HOST:8000/v1", model: "deepseek-ai/DeepSeek-V3.1" },
      ],
      "the official API serves neither V3.0 nor V3.1 any more; name the hosts that do",
    );
  }
  return [...commands, ...fileCommands(modelFiles)];
}

function servedByRequest(request: Facts["files"][number]["requests"][number]): readonly Served[] {
  const url = urlOf(request);
  const [first] = request.model?.candidates ?? [];
  if (!url || url.includes("…") || !/^(self-hosted|ollama|other)$/.test(request.host.host)) return [];
  return first && isDeepSeekId(String(first.value)) ? [{ url, model: String(first.value) }] : [];
}

/** What `vllm serve <model>`, `--model <model>`, `--model-path <model>` starts, and on which port. */
function servedByCommand({ words }: Command): readonly Served[] {
  const texts = words.flatMap(({ text }) => text.split("="));
  const line = texts.join(" ");
  const port = /(?:--port|-p)[ =](\d+)/.exec(line)?.[1] ?? (/sglang/.test(line) ? "30000" : "8000");
  return texts
    .filter((text) => /^deepseek-ai\//i.test(text))
    .map((model) => ({ url: `http://localhost:${port}/v1`, model }));
}

/** The V3.1 id that stands for the same place as a V3.0 one; undefined where there is none. */
function successorOf(model: string): string | undefined {
  if (/^deepseek-ai\/DeepSeek-(V3|V3-0324|R1|R1-0528)$/i.test(model)) return "deepseek-ai/DeepSeek-V3.1";
  return /^deepseek-(v3|r1)(:.*)?$/i.test(model) ? model.replace(/^deepseek-(v3|r1)/i, "deepseek-v3.1") : undefined;
}

function unique(all: readonly Served[]): readonly Served[] {
  return [...new Map(all.map((one) => [`${one.url} ${one.model}`, one])).values()];
}

/** `model.onnx` with `model.int8.onnx` and its like; one that stands alone is measured by itself. */
function fileCommands(paths: readonly string[]): readonly BenchCommand[] {
  const stemOf = (path: string) => path.replace(/\.onnx$/, "");
  const sorted = [...paths].sort();
  const bases = sorted.filter(
    (path) => !sorted.some((other) => other !== path && stemOf(path).startsWith(`${stemOf(other)}.`)),
  );
  return bases.map((base) => {
    const variants = sorted.filter((path) => path !== base && stemOf(path).startsWith(`${stemOf(base)}.`));
    const note =
      variants.length > 0
        ? "old against new: speed, memory and agreement of outputs"
        : "its own numbers, to compare with later";
    return { command: ["deepseek", "bench", base, ...variants].map(quoted).join(" "), works: true, note };
  });
}

/** A word as a shell takes it for one. */
const quoted = (word: string): string => (/^[\w./:=,@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
