/** Facts: what the readers found in source files, as plain data. Rules see these and never a syntax tree. */

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

type Primitive = string | number | boolean;

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

/** The library by which a request is made; it decides the names of parameters and how a new one travels. */
export type ClientKind = "openai-node" | "fetch" | "axios" | "ai-sdk" | "langchain" | "anthropic" | "llamaindex";

/** An object literal into which a property can be put. */
export interface ObjectShape {
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
  readonly parameters?: readonly Parameter[];
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
  /** Its version in the nearest package.json, as written there: `^2.0.60`. */
  readonly packageVersion?: string;
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
  | "other";

/** A DeepSeek model id somewhere in code, whether or not a request is known to use it. */
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

/** A number that stands for a limit in tokens, or is compared with one. */
export interface NamedNumber {
  /** `contextWindow`, `DEEPSEEK_CONTEXT_WINDOW`. */
  readonly name: string;
  readonly value: number;
  /** As written: `64_000`, `64 * 1024`. */
  readonly text: string;
  readonly place: Place;
  readonly form: "property" | "constant" | "assignment" | "comparison" | "switch case" | "error text";
  /** What ties it to DeepSeek: a model id (`deepseek-chat`), or the word in a name or condition. */
  readonly owner: string | undefined;
  readonly host: HostVerdict;
}

/** What a reader found in one file. */
export interface FileFacts {
  readonly file: string;
  readonly language: "typescript" | "javascript";
  readonly text: string;
  readonly requests: readonly Request[];
  readonly mentions: readonly Mention[];
  readonly numbers: readonly NamedNumber[];
  /** Places where the file is no valid program. */
  readonly syntaxErrors: readonly { readonly message: string; readonly place: Place }[];
}

/** The facts of all files of a scan. */
export interface Facts {
  readonly files: readonly FileFacts[];
}

/** The text of a file that has facts. */
export function textOf(facts: Facts, file: string): string {
  return facts.files.find((one) => one.file === file)?.text ?? "";
}
