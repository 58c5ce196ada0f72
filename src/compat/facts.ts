/**
 * Facts: what the readers found in source files, as plain data. Rules see these and never a syntax tree.
 * Long because it is the one vocabulary of all readers and rules, and most of it is comments.
 */
import type { View } from "./view.js";

/** A stretch of a file in UTF-16 code units; `end` is exclusive. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A span and the file it lies in (path as it was given to the scan, with forward slashes). */
export interface Place extends Span {
  readonly file: string;
}

/**
 * How sure a value is. `certain`: the only value there can be. `possible`: one of several, or a default that the
 * environment or a caller may replace. `unknown`: nothing is known of it.
 */
export type Certainty = "certain" | "possible" | "unknown";

export type Primitive = string | number | boolean;

/** One value an expression can have. */
export interface Candidate {
  readonly value: Primitive;
  /** A string of which only parts are known; each unknown part is written `…`. */
  readonly partial: boolean;
  /** The literal itself, quotes included. */
  readonly place: Place;
  /** How it was found, nearest step first: `MODEL, src/config.ts:4`. Empty for a literal on the spot. */
  readonly path: readonly string[];
  /** The environment variable that, when set, replaces this value. */
  readonly environment?: string;
}

/** All that is known of an expression's value. */
export interface Value {
  readonly certainty: Certainty;
  readonly candidates: readonly Candidate[];
  /** It may come from a place that is not known here, other than an environment variable with a default. */
  readonly open: boolean;
  /** Environment variables it may come from, with or without a default. */
  readonly environment: readonly string[];
}

/** Who serves the API. */
export type HostName =
  | "official"
  | "openrouter"
  | "together"
  | "fireworks"
  | "siliconflow"
  | "novita"
  | "nebius"
  | "huggingface"
  | "groq"
  | "azure"
  | "github-models"
  | "bedrock"
  | "vertex"
  | "alibaba"
  | "baidu"
  | "volcengine"
  | "nvidia"
  | "baseten"
  | "vercel"
  | "ollama"
  | "self-hosted"
  | "other"
  | "unknown";

/** The host a request goes to, and what says so. Only a `certain` official host allows safe fixes. */
export interface HostVerdict {
  readonly host: HostName;
  readonly certainty: Certainty;
  /** In words: `baseURL "https://api.deepseek.com" (BASE_URL, src/config.ts:3)`. */
  readonly evidence: string;
}

/**
 * The library by which a request is made; it decides the names of parameters and how a new one travels (clients.ts).
 * `http`: a body sent as it is by Python (requests, httpx, aiohttp), curl or a .http file.
 */
export type ClientKind =
  | "openai-node"
  | "openai-python"
  | "fetch"
  | "axios"
  | "http"
  | "ai-sdk"
  | "langchain"
  | "langchain-python"
  | "anthropic"
  | "anthropic-python"
  | "llamaindex"
  | "llamaindex-python"
  | "litellm"
  | "pydantic-ai";

/**
 * How a property is written: `name: v` (js), `name=v` among the arguments of a call (keywords), `"name": v` with
 * Python's values (dict) or JSON's (json), `name: v` on a line of its own (yaml).
 */
export type Syntax = "js" | "keywords" | "dict" | "json" | "yaml";

/** An object literal (or a call's argument list, for `keywords`) into which a property can be put. */
export interface ObjectShape {
  readonly syntax: Syntax;
  /** From bracket to bracket, both included; for yaml from the first key to the end of the last value. */
  readonly place: Place;
  /** From name to end of value, one for each property or spread, in order. */
  readonly properties: readonly Span[];
  /**
   * True where a property the type does not know is refused by the TypeScript compiler: a literal against a declared
   * type, without a cast.
   */
  readonly checked: boolean;
  /** A compiler directive, a type of the project's own or a filter stands in the way: adding needs a person's eye. */
  readonly directives: boolean;
}

/** A property of a request's object. */
export interface Parameter {
  readonly name: string;
  /** Whole property, name to value. */
  readonly place: Place;
  readonly namePlace: Place;
  readonly valuePlace: Place;
  /** `{ temperature }`. */
  readonly shorthand: boolean;
  /** Written in the request's own object literal, not in one that is spread into it. */
  readonly direct: boolean;
  /** Always sent; false where the object spread in is one of several, or none. */
  readonly sure: boolean;
  readonly value: Value;
  /** The value is a literal on the spot. */
  readonly literal: boolean;
  /** Set where the value is an object literal on the spot. */
  readonly object?: ObjectShape;
  /** Properties, where the value is known to be one object, on the spot or elsewhere. */
  readonly parameters?: readonly Parameter[];
  /** Something that is not known is spread into that object: it may hold other properties, or other values. */
  readonly open?: true;
  /** Items, where the value is known to be one array written out, on the spot or elsewhere; named "0", "1", ... */
  readonly elements?: readonly Parameter[];
}

/** A `...spread` in a request's object. */
export interface Spread {
  readonly place: Place;
  /** Every property of it is known, and stands among the parameters. */
  readonly known: boolean;
}

/** A call to a model, or the making of a client that fixes its parameters (LangChain). */
export interface Request {
  readonly client: ClientKind;
  readonly host: HostVerdict;
  /** The whole call. */
  readonly place: Place;
  /** `client.chat.completions.create`. */
  readonly callee: string;
  /** The names called, after the root: `chat.completions.create`. */
  readonly endpoint: string;
  /** The base URL of the client, or the URL of a plain HTTP request; undefined where none is named. */
  readonly baseUrl?: Value;
  /** Undefined where the object names no model. */
  readonly model: Value | undefined;
  /** The property that names the model, in the request's own object. */
  readonly modelProperty: Parameter | undefined;
  readonly parameters: readonly Parameter[];
  readonly spreads: readonly Spread[];
  /** The request's own object, where it is a literal only this request uses. */
  readonly object: ObjectShape | undefined;
  /** The package of the provider that a model object comes from (AI SDK). */
  readonly package?: string;
  /** The installed version by the lock file, else the range in the nearest package.json: `2.0.69`, `^2.0.60`. */
  readonly packageVersion?: string;
  /** The name the provider was given, under which it reads its options: `createOpenAICompatible({ name })`. */
  readonly providerName?: string;
}

/** In what role a model id stands. */
export type MentionKind =
  | "property"
  | "argument"
  | "default"
  | "constant"
  | "comparison"
  | "switch case"
  | "text test"
  | "table key"
  | "type"
  | "list"
  | "attribute"
  /** The value of a key in a configuration file, or of an environment variable. */
  | "setting"
  | "other";

/**
 * A DeepSeek model id somewhere in code or configuration, whether or not a request is known to use it: those of the
 * official API and those of other hosts (`models.ts`: isDeepSeekId).
 */
export interface Mention {
  readonly id: string;
  readonly kind: MentionKind;
  readonly place: Place;
  /** Name of the property, constant or function concerned; empty where there is none. */
  readonly name: string;
  /** The host its surroundings speak of. */
  readonly host: HostVerdict;
  /** Requests use this literal and nothing else does, as far as all files that import it show. */
  readonly onlyRequests: boolean;
}

/** A number with a name, or one that is compared with something; those without either from 1000 on. */
export interface NamedNumber {
  /** `contextWindow`, `DEEPSEEK_CONTEXT_WINDOW`; for a comparison the other side; empty where there is none. */
  readonly name: string;
  readonly value: number;
  /** As written: `64_000`, `64 * 1024`. */
  readonly text: string;
  readonly place: Place;
  readonly form:
    | "property"
    | "constant"
    | "assignment"
    | "comparison"
    | "switch case"
    | "error text"
    | "argument"
    | "list";
  /** What ties it to DeepSeek: a model id (`deepseek-chat`), or the word in a name or condition. */
  readonly owner: string | undefined;
  readonly host: HostVerdict;
}

/** A boolean with a name, in a table, a constant or a keyword argument: `supportsToolCalls: false`. */
export interface NamedFlag {
  readonly name: string;
  readonly value: boolean;
  readonly place: Place;
  readonly owner: string | undefined;
  readonly host: HostVerdict;
}

/** A string or regular expression written out. Strings of more than 20,000 characters are left out. */
export interface Literal {
  /** Its value; for a template or f-string each hole is `…`; for a regular expression its source. */
  readonly value: string;
  readonly kind: "string" | "template" | "regex";
  /** Quotes included. */
  readonly place: Place;
  /** The property, keyword, constant or key it is the value of; empty where there is none. */
  readonly name: string;
  /** It documents code (a docstring): nobody sends it. */
  readonly isDocumentation?: true;
}

/** An argument of a call. In JavaScript the properties of an object given as argument are in `parameters`. */
export interface Argument {
  /** Set for a keyword argument. */
  readonly name?: string;
  /** Code on one line, at most 200 characters. */
  readonly text: string;
  readonly place: Place;
  /** Its value, where it is a literal on the spot. */
  readonly literal?: Primitive;
}

/** Any call in a file that is read. */
export interface Call {
  /** `client.beta.chat.completions.parse`, `Math.min`, `ChatDeepSeek`. */
  readonly callee: string;
  /** Last name of the callee: `parse`, `min`, `ChatDeepSeek`. */
  readonly name: string;
  /** `new X()` in JavaScript; in Python a call of a name that begins with a capital letter. */
  readonly isConstruction: boolean;
  /** The package and name the callee's root was imported from: `@langchain/deepseek`, `ChatDeepSeek`. */
  readonly from?: { readonly package: string; readonly name: string };
  /** The call that made the object whose method is called, where it is known: for `llm.bindTools()` the `new ChatDeepSeek()`. */
  readonly maker?: Place;
  readonly place: Place;
  readonly calleePlace: Place;
  readonly arguments: readonly Argument[];
  /** Keyword arguments, or the properties of an object literal given as an argument (the first that has any). */
  readonly parameters: readonly Parameter[];
  /** Where a parameter can be put. */
  readonly object?: ObjectShape;
  readonly host: HostVerdict;
}

/** A test of something against a literal. */
export interface Comparison {
  /** Code of what is tested, at most 200 characters: `error.status`, `chunk.choices.length`, `model`. */
  readonly subject: string;
  readonly value: Primitive;
  /** `contains`: `x.includes("v")`, `"v" in x`, `x.startsWith("v")`; `instance`: `e instanceof V`, `except V` (value: the name). */
  readonly operator: "equals" | "differs" | "contains" | "case" | "instance";
  readonly place: Place;
}

/** A `switch` or `match` over literals. */
export interface Switch {
  readonly subject: string;
  readonly cases: readonly { readonly value: Primitive; readonly place: Place }[];
  readonly hasDefault: boolean;
  readonly place: Place;
}

/** Members of messages and answers that rules ask for by name. */
export const watchedMembers: ReadonlySet<string> = new Set([
  "reasoning_content",
  "reasoningContent",
  "reasoning",
  "finish_reason",
  "finishReason",
  "usage",
  "prompt_cache_hit_tokens",
  "prompt_cache_miss_tokens",
  "e_score_correction_bias",
  "weight_scale_inv",
]);

/** A watched member that is read, removed or written. */
export interface MemberUse {
  readonly name: string;
  /** `delete x.name`, `x.pop("name")`, `{ name, ...rest } = x` remove it; `{ name: v }` in a message or `x.name = v` writes it. */
  readonly form: "read" | "remove" | "write";
  /** Code of the object: `response.choices[0].message`. Empty where it is a pattern. */
  readonly object: string;
  readonly place: Place;
}

/** A message put into a list of messages that is, or may be, sent again. */
export interface HistoryItem {
  /** Code of the list: `messages`. */
  readonly list: string;
  /**
   * `response`: the whole message of an answer (`res.choices[0].message`, `msg.model_dump()`); `rebuilt`: an object
   * with role assistant made from parts of it.
   */
  readonly kind: "response" | "rebuilt";
  /** The item. */
  readonly place: Place;
  readonly text: string;
  /** Property names of a rebuilt one. */
  readonly names: readonly string[];
  /** The request whose answer it is, where that is known. */
  readonly request?: Place;
}

/** A word of a command line. */
export interface Word {
  /** Its text without quotes; an unknown part is `…`. */
  readonly text: string;
  /** Without its quotes, as far as it stands in one piece. */
  readonly place: Place;
}

/** A command that starts a program: in a shell script, Dockerfile, compose or Kubernetes file, workflow, package script, or a list in code. */
export interface Command {
  readonly words: readonly Word[];
  readonly place: Place;
  readonly context:
    | "shell"
    | "dockerfile"
    | "compose"
    | "kubernetes"
    | "workflow"
    | "package script"
    | "list"
    | "markdown";
}

/** A leaf of a configuration file, or an environment variable that is given a value. Secrets' values are not kept. */
export interface Setting {
  /** Key or variable. */
  readonly name: string;
  /** Keys from the top to it: `["services", "app", "environment", "MODEL"]`. */
  readonly path: readonly string[];
  readonly value: Primitive;
  /** The value, without quotes. */
  readonly place: Place;
  readonly namePlace: Place;
  /** It sets an environment variable. */
  readonly isEnvironment: boolean;
  /** Its name or value says that it is a key or token; `value` is "" then. */
  readonly isSecret: boolean;
}

/** A comment that speaks to this program (it contains `deepseek-compat-ignore`). */
export interface Comment {
  /** Without the comment signs. */
  readonly text: string;
  readonly place: Place;
}

/** A named stretch of code: for fingerprints and reports. */
export interface NamedSymbol {
  readonly name: string;
  readonly kind: "function" | "class" | "method" | "key" | "cell";
  readonly start: number;
  readonly end: number;
}

/** Kinds of files. */
export type Language =
  | "typescript"
  | "javascript"
  | "python"
  | "notebook"
  | "yaml"
  | "json"
  | "toml"
  | "env"
  | "shell"
  | "dockerfile"
  | "http"
  | "markdown";

/** What a reader found in one file. Places are offsets into `text`. */
export interface FileFacts {
  readonly file: string;
  readonly language: Language;
  /** The text that was read: the file's own, or for a notebook that of its view. */
  readonly text: string;
  /** Set where `text` is not the file's own text. */
  readonly view?: View;
  /** Findings here are never fixed: code in documentation. */
  readonly reportOnly?: true;
  readonly requests: readonly Request[];
  readonly mentions: readonly Mention[];
  readonly numbers: readonly NamedNumber[];
  readonly flags: readonly NamedFlag[];
  readonly literals: readonly Literal[];
  readonly calls: readonly Call[];
  readonly comparisons: readonly Comparison[];
  readonly switches: readonly Switch[];
  readonly members: readonly MemberUse[];
  readonly history: readonly HistoryItem[];
  readonly commands: readonly Command[];
  readonly settings: readonly Setting[];
  readonly comments: readonly Comment[];
  readonly symbols: readonly NamedSymbol[];
  /** Places where the file is no valid program. */
  readonly syntaxErrors: readonly { readonly message: string; readonly place: Place }[];
}

/** Facts of a file in which nothing was found; readers fill in what they find. */
export function emptyFacts(file: string, language: Language, text: string): FileFacts {
  return {
    file,
    language,
    text,
    requests: [],
    mentions: [],
    numbers: [],
    flags: [],
    literals: [],
    calls: [],
    comparisons: [],
    switches: [],
    members: [],
    history: [],
    commands: [],
    settings: [],
    comments: [],
    symbols: [],
    syntaxErrors: [],
  };
}

/** The facts of all files of a scan. */
export interface Facts {
  readonly files: readonly FileFacts[];
  /** Version of a package as a file sees it: installed by the lock file, else the range its nearest manifest states. */
  packageVersion?(file: string, name: string): string | undefined;
}

const texts = new WeakMap<Facts, ReadonlyMap<string, FileFacts>>();

/** The facts of one file. */
export function fileOf(facts: Facts, file: string): FileFacts | undefined {
  let byName = texts.get(facts);
  if (!byName) {
    byName = new Map(facts.files.map((one) => [one.file, one]));
    texts.set(facts, byName);
  }
  return byName.get(file);
}

/** The text of a file that has facts. */
export function textOf(facts: Facts, file: string): string {
  return fileOf(facts, file)?.text ?? "";
}
