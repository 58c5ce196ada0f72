import type { FileFacts, Place, Setting } from "./facts.js";
import { type Generation, generationOf } from "./host-models.js";

/** An option of a model server and its value. */
export interface ServingOption {
  /** Without dashes, as vLLM and SGLang write it: `tool-call-parser`. */
  readonly name: string;
  readonly value: string;
  /** Of the value alone; undefined where it does not stand in the file in one piece. */
  readonly valuePlace: Place | undefined;
  readonly place: Place;
}

/** A command or block of settings that starts a model server. */
export interface Serving {
  readonly options: readonly ServingOption[];
  /** Generation of the weights; undefined where they are not DeepSeek's or not known. */
  readonly generation: Generation | undefined;
  /** The model is named by something that is not known here: a variable, an argument. */
  readonly isOpen: boolean;
  /** The model's id as written; empty where none is. */
  readonly model: string;
}

/** A word with the place of its text in a file. */
interface Word {
  readonly text: string;
  readonly place: Place;
}

const modelOption = /^(model|model-path|model-id|served-model-name|tokenizer|tokenizer-path|m)$/;

/** Everything in a file that starts a model server. */
export function servingsIn(file: FileFacts): readonly Serving[] {
  return [
    ...file.commands.map(({ words }) => ofWords(words, file.text)),
    ...commandLines(file).map((words) => ofWords(words, file.text)),
    ...settingGroups(file).map(ofSettings),
  ].filter((serving) => serving !== undefined);
}

const starters = /(^|\/)(vllm|sglang(\.launch_server)?|vllm\.entrypoints[\w.]*|llama-server|trtllm-serve|lmdeploy)$/;

function ofWords(words: readonly Word[], text: string): Serving | undefined {
  const options: ServingOption[] = [];
  const free: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const { text: word, place } = words[index]!;
    const flag = /^--?([A-Za-z][\w-]*)(?:=([\s\S]*))?$/.exec(word);
    if (!flag) {
      free.push(word);
      continue;
    }
    const name = flag[1]!.replaceAll("_", "-");
    if (flag[2] !== undefined) {
      const start = place.end - flag[2].length;
      const isPlain = text.slice(start, place.end) === flag[2];
      options.push({
        name,
        value: flag[2],
        place,
        valuePlace: isPlain ? { file: place.file, start, end: place.end } : undefined,
      });
      continue;
    }
    const next = words[index + 1];
    const hasValue = next && !/^--?[A-Za-z]/.test(next.text);
    if (hasValue) index += 1;
    const isPlain = hasValue && text.slice(next.place.start, next.place.end) === next.text;
    options.push({ name, value: hasValue ? next.text : "", place, valuePlace: isPlain ? next.place : undefined });
  }
  const isServer = words.some(({ text: word }) => starters.test(word));
  if (!isServer && !options.some(({ name }) => /^(tool-call-parser|reasoning-parser)$/.test(name))) return undefined;
  return serving(options, [...options.filter(({ name }) => modelOption.test(name)).map(({ value }) => value), ...free]);
}

function serving(options: readonly ServingOption[], names: readonly string[]): Serving {
  const own = names.filter((name) => generationOf(name) !== undefined);
  const generations = new Set(own.map(generationOf));
  const declared = options.filter(({ name }) => /^(model|model-path|model-id)$/.test(name));
  const isOpen =
    own.length === 0 &&
    (names.some((name) => /…|\$|^$/.test(name)) ||
      (declared.length === 0 && !names.some((name) => name.includes("/"))));
  return {
    options,
    generation: generations.size === 1 ? [...generations][0] : undefined,
    isOpen,
    model: own[0] ?? "",
  };
}

/** Command lines in strings of code: `execSync("vllm serve ...")`. Words of the string stand as they are in the file. */
function commandLines(file: FileFacts): readonly (readonly Word[])[] {
  return file.literals.flatMap(({ value, kind, place, isDocumentation }) => {
    if (kind !== "string" || isDocumentation || !/--(tool-call|reasoning)-parser/.test(value)) return [];
    const raw = file.text.slice(place.start, place.end);
    const offset = raw.indexOf(value);
    // escapes would shift what follows
    if (offset < 0) return [];
    return [
      [...value.matchAll(/\S+/g)].map((match) => {
        const start = place.start + offset + match.index;
        return { text: match[0], place: { file: place.file, start, end: start + match[0].length } };
      }),
    ];
  });
}

/** A parser's setting with those beside it, and the names of the model beside it or above: Helm values, configuration files of servers. */
interface Group {
  readonly settings: readonly Setting[];
  readonly models: readonly string[];
}

const modelSetting = /^(model|model-path|model-id|model-url|model-tag|served-model-name|model-name)$/;

function settingGroups(file: FileFacts): readonly Group[] {
  const parents = new Map<string, Setting[]>();
  const keyOf = (path: readonly string[]) => JSON.stringify(path);
  for (const setting of file.settings) {
    const parent = keyOf(setting.path.slice(0, -1));
    parents.set(parent, [...(parents.get(parent) ?? []), setting]);
  }
  const parsers = [...parents.values()].filter((group) =>
    group.some(({ name }) => /^(tool-call-parser|reasoning-parser)$/.test(dashed(name))),
  );
  return parsers.map((settings) => {
    // vllmConfig: { toolCallParser } below the entry that names the model
    for (let path = settings[0]!.path.slice(0, -1); ; path = path.slice(0, -1)) {
      const models = (parents.get(keyOf(path)) ?? []).filter(({ name }) => modelSetting.test(dashed(name)));
      if (models.length > 0) return { settings, models: models.map(({ value }) => String(value)) };
      if (path.length === 0) return { settings, models: [] };
    }
  });
}

/** `toolCallParser`, `tool_call_parser` -> `tool-call-parser`. */
const dashed = (name: string): string =>
  name
    .replace(/([a-z])([A-Z])/g, "$1-$2")
    .replaceAll("_", "-")
    .toLowerCase();

function ofSettings({ settings, models }: Group): Serving {
  const options = settings.map(({ name, value, place }) => ({
    name: dashed(name),
    value: String(value),
    place,
    valuePlace: place,
  }));
  return serving(options, models);
}
