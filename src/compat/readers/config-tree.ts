import type { Primitive, Span, Value } from "../facts.js";

/** A value in a configuration file or a JSON body: what YAML, JSON and TOML have in common, with positions in the file. */
export type ConfigNode = Scalar | Mapping | Sequence;

export interface Scalar {
  readonly kind: "scalar";
  readonly value: Primitive | null;
  /** Quotes included. */
  readonly span: Span;
  /** Without quotes. */
  readonly inner: Span;
  /** Set where the text has holes (`$MODEL`): what is known of the whole. */
  readonly known?: Value;
  /** How a string of several lines is written in YAML. */
  readonly block?: "literal" | "folded";
}

export interface Mapping {
  readonly kind: "mapping";
  readonly entries: readonly Entry[];
  readonly span: Span;
  /** How a property is put into it; undefined where nothing may be. */
  readonly syntax: "json" | "yaml" | undefined;
}

export interface Entry {
  readonly key: string;
  /** Without quotes. */
  readonly keySpan: Span;
  /** Quotes included. */
  readonly keyOuter: Span;
  readonly value: ConfigNode;
  readonly span: Span;
}

export interface Sequence {
  readonly kind: "sequence";
  readonly items: readonly ConfigNode[];
  readonly span: Span;
}

/** Texts beyond this are not read: no configuration is that large. In UTF-16 code units. */
export const maximumText = 5_000_000;
/** Nodes after which a tree is cut off: aliases may stand for more than a file holds. */
export const maximumNodes = 200_000;
/** Levels after which a tree is cut off. */
export const maximumDepth = 200;

/** The value of an entry; undefined where there is none of that name. */
export function entryOf(node: ConfigNode | undefined, key: string): ConfigNode | undefined {
  return node?.kind === "mapping" ? node.entries.find((entry) => entry.key === key)?.value : undefined;
}

/** A string scalar's value. */
export function stringOf(node: ConfigNode | undefined): string | undefined {
  return node?.kind === "scalar" && typeof node.value === "string" ? node.value : undefined;
}

const dataNames =
  /(^|\/)(package-lock|npm-shrinkwrap|composer-lock|deno\.lock|pnpm-lock|packages\.lock)\.|\.(lock|snap|geojson|tsbuildinfo|map)(\.json|\.ya?ml)?$|(^|\/)(locales?|i18n|translations?|cassettes|__snapshots__|_locales)\//i;
const measured = /pass_?rate|score|accuracy|\belo\b|latency|benchmark|seconds_per|percent_|rank$|tokens_per_second/i;

/** Is a file data and no configuration: recorded, generated or measured? */
export function isData(path: string, roots: readonly ConfigNode[]): boolean {
  if (dataNames.test(path)) return true;
  return roots.some((root) => {
    if (root.kind === "sequence") return isMeasured(root) || isRecords(root);
    if (root.kind !== "mapping") return false;
    const has = (key: string) => entryOf(root, key) !== undefined;
    if (has("http_interactions") || (has("interactions") && has("version")) || has("recorded_with")) return true;
    if (entryOf(root, "interactions")?.kind === "sequence") return true;
    if ((has("openapi") || has("swagger")) && (has("paths") || has("info"))) return true;
    if (has("nbformat") || stringOf(entryOf(root, "type")) === "FeatureCollection") return true;
    const schema = stringOf(entryOf(root, "$schema"));
    return schema !== undefined && /json-schema\.org/.test(schema);
  });
}

function isMeasured({ items }: Sequence): boolean {
  const hits = items.filter((item) => item.kind === "mapping" && item.entries.some(({ key }) => measured.test(key)));
  return hits.length >= 2 && hits.length * 2 >= items.length;
}

/** Many entries of one shape: records, not settings. */
export function isRecords({ items }: Sequence): boolean {
  return items.length > 1000 && items.every((item) => item.kind !== "scalar");
}
