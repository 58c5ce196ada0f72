import {
  type Call,
  type Facts,
  type FileFacts,
  type HostVerdict,
  type Parameter,
  type Setting,
  textOf,
} from "../facts.js";
import { insertProperty } from "../fix/edits.js";
import type { Applicability, Edit, Problem, Rule } from "../rule.js";
import { writeProperty } from "../syntax.js";
import type { Target } from "../targets.js";
import { parameterAt } from "../thinking.js";

export const implicitDefaultModel: Rule = {
  id: "implicit-default-model",
  code: "R50",
  title: "No model is named, and the library's own default is retired",
  severity: { "v3.1": "info", current: "error" },
  effect: "hard error",
  explanation:
    "Some wrappers fill in a model where none is named, and their built-in default is a name that the official API refuses since 2026-07-24: deepseek-coder in @llamaindex/deepseek (0.0.41, marked as deprecated on npm) and in Continue, deepseek-chat in mem0 (Python and TypeScript) and in browser-use's ChatDeepSeek. A search for the retired names finds nothing in such a project, yet every request fails. Newer versions of these libraries may have another default; a model that is written down does not depend on it. Note that deepseek-flash thinks unless it is told not to, and that these wrappers have no documented place for the switch.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `import { DeepSeekLLM } from "@llamaindex/deepseek";
export const llm = new DeepSeekLLM({ apiKey: process.env.DEEPSEEK_API_KEY });
`,
      after: `import { DeepSeekLLM } from "@llamaindex/deepseek";
export const llm = new DeepSeekLLM({ apiKey: process.env.DEEPSEEK_API_KEY, model: "deepseek-flash" });
`,
    },
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `import { Memory } from "mem0ai/oss";
export const memory = new Memory({
  llm: { provider: "deepseek", config: { apiKey: process.env.DEEPSEEK_API_KEY } },
});
`,
      after: `import { Memory } from "mem0ai/oss";
export const memory = new Memory({
  llm: { provider: "deepseek", config: { apiKey: process.env.DEEPSEEK_API_KEY, model: "deepseek-flash" } },
});
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from browser_use.llm import ChatDeepSeek
llm = ChatDeepSeek(api_key="")
`,
      after: `from browser_use.llm import ChatDeepSeek
llm = ChatDeepSeek(api_key="", model="deepseek-flash")
`,
    },
  ],
  source: {
    urls: [
      "https://www.npmjs.com/package/@llamaindex/deepseek",
      "https://github.com/mem0ai/mem0/blob/main/mem0/llms/deepseek.py",
      "https://github.com/browser-use/browser-use/blob/main/browser_use/llm/deepseek/chat.py",
      "https://github.com/continuedev/continue/blob/main/core/llm/llms/Deepseek.ts",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    for (const file of facts.files) {
      for (const call of file.calls) {
        const problem = ofWrapper(facts, call, target) ?? ofMemory(facts, call, target);
        if (problem) yield problem;
      }
      yield* ofSettings(file, target);
    }
  },
};

/** Wrappers that fill in a model, and with which. */
const wrappers: readonly { readonly package: RegExp; readonly name: RegExp; readonly model: string }[] = [
  { package: /^@llamaindex\/deepseek$/, name: /^(DeepSeekLLM|deepseek)$/, model: "deepseek-coder" },
  { package: /^browser_use(\.llm(\.deepseek(\.chat)?)?)?$/, name: /^ChatDeepSeek$/, model: "deepseek-chat" },
];

const modelNames = /^(model|model_name|modelName|model_id)$/;

function ofWrapper(facts: Facts, call: Call, target: Target): Problem | undefined {
  const { from, parameters, host, arguments: given } = call;
  const row = wrappers.find((one) => from && one.package.test(from.package) && one.name.test(from.name));
  if (!row || call.name !== from?.name) return undefined;
  if (host.host !== "official" && host.host !== "unknown") return undefined;
  if (parameters.some(({ name }) => modelNames.test(name))) return undefined;
  const isEmpty = given.length === 0;
  // what is built elsewhere or spread in may name one
  const isKnown = isEmpty || (call.object !== undefined && isComplete(parameters, call.object.properties.length));
  // model may be a positional argument of the Python class
  if (given.some((one) => one.name === undefined && typeof one.literal === "string")) return undefined;
  if (!isKnown) return undefined;
  return problemOf(facts, row.model, call, host, target, insertion(facts, call));
}

/** Every property of the object is a parameter of its own: nothing is spread into it. */
const isComplete = (parameters: readonly Parameter[], properties: number): boolean =>
  parameters.length === properties && parameters.every(({ direct }) => direct);

const id = "deepseek-flash";

function insertion(facts: Facts, { object, place, arguments: given }: Call): readonly Edit[] | undefined {
  const text = textOf(facts, place.file);
  if (object) return insertProperty(text, object, undefined, writeProperty("model", id, object.syntax, '"'));
  const at = place.end - 1;
  if (given.length > 0 || text[at] !== ")" || !/\(\s*$/.test(text.slice(0, at))) return undefined;
  return [{ file: place.file, start: at, end: at, text: `{ model: "${id}" }` }];
}

/** mem0: `new Memory({ llm: { provider: "deepseek", config: {} } })`, `Memory.from_config({...})`. */
function ofMemory(facts: Facts, call: Call, target: Target): Problem | undefined {
  if (!call.from || !/^(mem0|mem0ai)([./]|$)/.test(call.from.package)) return undefined;
  const holder = call.parameters.find(({ name }) => name === "config" || name === "config_dict")?.parameters;
  const llm = parameterAt(call.parameters, ["llm"]) ?? parameterAt(holder, ["llm"]);
  const [provider] = parameterAt(llm?.parameters, ["provider"])?.value.candidates ?? [];
  if (!llm || provider?.value !== "deepseek") return undefined;
  const config = parameterAt(llm.parameters, ["config"]);
  if (config && !(config.object && isComplete(config.parameters ?? [], config.object.properties.length)))
    return undefined;
  if (config?.parameters?.some(({ name }) => modelNames.test(name))) return undefined;
  const text = textOf(facts, llm.place.file);
  const edits = config?.object
    ? insertProperty(text, config.object, undefined, writeProperty("model", id, config.object.syntax, '"'))
    : llm.object &&
      insertProperty(text, llm.object, undefined, writeProperty("config", { model: id }, llm.object.syntax, '"'));
  return problemOf(facts, "deepseek-chat", { place: llm.place }, call.host, target, edits);
}

function problemOf(
  _facts: Facts,
  model: string,
  { place }: { place: Call["place"] },
  host: HostVerdict | undefined,
  target: Target,
  edits: readonly Edit[] | undefined,
): Problem {
  const common = {
    message: `no model is named here, and the library's default, ${model}, is refused by the official API since 2026-07-24`,
    place,
    ...(host ? { host } : {}),
  };
  if (target === "v3.1") {
    return { ...common, manual: "the official API serves no V3.1; name the model and the host that shall serve it" };
  }
  const applicability: Applicability = "suggested";
  return {
    ...common,
    manual:
      "deepseek-flash thinks unless it is told not to, and a newer version of the library may have another default",
    ...(edits ? { fix: { applicability, description: `name the model: ${id}`, edits } } : {}),
  };
}

/** Continue's configuration, and mem0's written as YAML or JSON. */
function* ofSettings(file: FileFacts, target: Target): Iterable<Problem> {
  const at = new Map(file.settings.map((setting) => [JSON.stringify(setting.path), setting] as const));
  const has = (path: readonly string[]) => at.has(JSON.stringify(path));
  for (const setting of file.settings) {
    if (setting.name !== "provider" || setting.value !== "deepseek") continue;
    const parent = setting.path.slice(0, -1);
    const model = isContinue(file, setting)
      ? has([...parent, "model"])
        ? undefined
        : "deepseek-coder"
      : parent.at(-1) === "llm" && /mem0|vector_?store|embedder/i.test(file.text)
        ? has([...parent, "config", "model"])
          ? undefined
          : "deepseek-chat"
        : undefined;
    if (!model) continue;
    const edit = target === "current" && model === "deepseek-coder" ? besideSetting(file, setting) : undefined;
    yield {
      message: `no model is named beside this provider, and the program's default, ${model}, is refused by the official API since 2026-07-24`,
      place: setting.place,
      ...(edit
        ? { fix: { applicability: "suggested", description: `name the model: ${id}`, edits: [edit] } as const }
        : {}),
      manual:
        target === "v3.1"
          ? "the official API serves no V3.1; name the model and the host that shall serve it"
          : "add a model, for example deepseek-flash, which thinks unless it is told not to",
    };
  }
}

/** The model written after the provider, on its line in JSON, on a line of its own in YAML; undefined in other layouts. */
function besideSetting({ file, text }: FileFacts, { place, namePlace }: Setting): Edit | undefined {
  if (file.endsWith(".json")) {
    if (text[place.end] !== '"') return undefined;
    return { file, start: place.end + 1, end: place.end + 1, text: `, "model": "${id}"` };
  }
  const lineStart = text.lastIndexOf("\n", namePlace.start - 1) + 1;
  const before = text.slice(lineStart, namePlace.start);
  const after = /^["']?[ \t]*(?=\r?\n|$)/.exec(text.slice(place.end))?.[0];
  if (!/^[ \t]*(- +)?$/.test(before) || after === undefined) return undefined;
  const at = place.end + after.length;
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  return { file, start: at, end: at, text: `${eol}${before.replace("-", " ")}model: ${id}` };
}

function isContinue({ file, settings }: FileFacts, { path }: Setting): boolean {
  if (!/(^|\/)(\.continue\/.*|config)\.(json|ya?ml)$/.test(file)) return false;
  return (
    path[0] === "tabAutocompleteModel" || (path[0] === "models" && settings.some(({ path: [top] }) => top === "models"))
  );
}
