import type { Facts, FileFacts, Literal, NamedNumber, Setting } from "../facts.js";
import { hostOfUrl } from "../host.js";
import { isCurrentId, isRetiredAlias } from "../models.js";
import { officialFile } from "../official.js";
import { type Price, prices, type Rate } from "../proof/prices.js";
import type { Problem, Rule } from "../rule.js";
import type { Origin, Target } from "../targets.js";

const surePrice = /cost|pric(e|ing)|usd|per_?(token|million|1?[mk](?![a-z]))/i;
const maybePrice = /^(input|output|prompt|completion|cache|cached|hit|miss)(?!\w*(limit|max|window|length))/i;
/** Numbers of one table stand no further apart. */
const widest = 1500;

export const priceTable: Rule = {
  id: "price-table",
  code: "R18",
  title: "Prices, or off-peak hours, of an older version",
  severity: { "v3.1": "warning", current: "warning" },
  effect: "cost",
  explanation:
    "Prices per million tokens have moved often: deepseek-chat cost 0.07 for cached input, 0.27 for other input and 1.10 for output in V3.0's time (R1: 0.14, 0.55, 2.19), with a discount from 16:30 to 00:30 UTC; with V3.1, from 2025-09-05 16:00 UTC, both names cost 0.07, 0.56 and 1.68 and the discount ended; since 2026-09-10 deepseek-flash costs 0.003, 0.15 and 0.60, twice that at peak hours (01:00 to 04:00 and 06:00 to 10:00 UTC, Monday to Friday). A table of old prices reckons wrong costs in silence. Prices are never rewritten, since they move on: read them from the pricing page, and note their date. V3.1's price of 0.56 was read from an image; another source has 0.57.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `export const prices = {
  "deepseek-chat": { cacheHit: 0.07, input: 0.27, output: 1.1 },
};
`,
      after: `export const prices = {
  "deepseek-flash": { cacheHit: 0.003, input: 0.15, output: 0.6 },
};
`,
    },
    {
      target: "v3.1",
      language: "js",
      by: "none",
      before: `const apiKey = process.env.DEEPSEEK_API_KEY;
export const isOffPeak = (time) => time >= "16:30" || time < "00:30"; // DeepSeek's off-peak discount
`,
      after: `const apiKey = process.env.DEEPSEEK_API_KEY;
export const isOffPeak = () => false;
`,
    },
    {
      target: "current",
      language: "py",
      by: "none",
      before: `PRICES = {
    "deepseek-chat": {"input": 0.27, "output": 1.10, "cache_hit": 0.07},
}
`,
      after: `PRICES = {
    "deepseek-flash": {"input": 0.15, "output": 0.60, "cache_hit": 0.003},
}
`,
    },
    {
      target: "current",
      language: "json",
      by: "none",
      before: `{
  "deepseek/deepseek-chat": {
    "litellm_provider": "deepseek",
    "input_cost_per_token": 2.7e-07,
    "output_cost_per_token": 1.1e-06
  }
}
`,
      after: `{
  "deepseek/deepseek-flash": {
    "litellm_provider": "deepseek",
    "input_cost_per_token": 1.5e-07,
    "output_cost_per_token": 6e-07
  }
}
`,
    },
    {
      target: "v3.1",
      language: "yaml",
      by: "none",
      before: `models:
  - name: deepseek-chat
    input_price: 0.27
    output_price: 1.1
`,
      after: `models:
  - name: deepseek-chat
`,
    },
  ],
  source: {
    urls: ["https://api-docs.deepseek.com/quick_start/pricing", "https://api-docs.deepseek.com/news/news250821"],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts: Facts, target, from) {
    for (const file of facts.files) {
      for (const table of tablesOf(file)) {
        const problem = ofTable(table, target, from);
        if (problem) yield problem;
      }
      yield* ofHours(file);
    }
  },
};

/** Numbers that are prices by their names, by the model they belong to. */
function tablesOf(file: FileFacts): readonly (readonly NamedNumber[])[] {
  const tables: NamedNumber[][] = [];
  for (const number of file.numbers) {
    if (!isPrice(number)) continue;
    const isRouted = routed.test(number.owner ?? "");
    if (!isRouted && !isOurs(number)) continue;
    const own = isOfDeepSeek(number, file);
    if (own === false || (isRouted && !own)) continue;
    const last = tables.find((table) => {
      const other = table.at(-1)!;
      return subjectOf(other) === subjectOf(number) && number.place.start - other.place.end < widest;
    });
    // the same name again is the next table's
    if (last?.every(({ name }) => name !== number.name)) last.push(number);
    else tables.unshift([number]);
  }
  return tables.reverse();
}

/** Whose price it is: a model, a table's name, or what the names of single constants have in common. */
function subjectOf({ owner, name }: NamedNumber): string | undefined {
  return owner === name ? name.replace(/_?(input|output|prompt|completion|cache|hit|miss|pric|cost).*$/i, "") : owner;
}

function isPrice({ name, value, form, owner }: NamedNumber): boolean {
  if (value <= 0 || value > 100 || !["property", "constant", "assignment"].includes(form)) return false;
  return surePrice.test(name) || (owner !== undefined && maybePrice.test(name));
}

/** Does it belong to DeepSeek's own API, and not to another host's copy of a model? */
function isOurs({ owner, host }: NamedNumber): boolean {
  if (host.host !== "official" && host.host !== "unknown") return false;
  if (isRetiredAlias(owner) || isCurrentId(owner)) return true;
  if (host.host !== "official" && owner === undefined) return false;
  return !/distill|[/:]|[-_]r1|[-_]v[23]|\dB\b|openrouter|together|fireworks|azure/i.test(owner ?? "");
}

const providerName = /^(litellm_)?provider(_?(id|name))?$|^(base|api)_?ur[il]$/i;

/** Does the entry itself name a provider, and is it DeepSeek? The nearest name decides; undefined where there is none. */
function isOfDeepSeek({ place }: NamedNumber, { literals, settings }: FileFacts): boolean | undefined {
  const distance = (one: Literal | Setting): number => Math.abs(one.place.start - place.start);
  const near = [...literals, ...settings].filter((one) => providerName.test(one.name) && distance(one) < 800);
  const value = near.sort((a, b) => distance(a) - distance(b))[0]?.value;
  if (value === undefined) return undefined;
  const text = String(value);
  return text.includes("://") ? hostOfUrl(text) === "official" : /^deepseek$/i.test(text);
}

/** `deepseek/deepseek-chat`: the official API's model in litellm, a copy elsewhere; so its entry has to say it. */
const routed = /^deepseek\/deepseek-(chat|reasoner)$/;

const scales = [1, 1e3, 1e6];
const equal = (a: number, b: number): boolean => Math.abs(a - b) < 1e-6 * Math.max(a, b);
const ratesOf = ({ low, high }: Price): readonly number[] =>
  [low, high].flatMap(({ hit, miss, output }) => [hit, miss, output]);

/** The row of the price list that a table repeats, and the numbers that say so. */
function rowOf(table: readonly NamedNumber[]): { row: Price; matched: readonly NamedNumber[] } | undefined {
  let best: { row: Price; matched: readonly NamedNumber[] } | undefined;
  for (const row of prices) {
    for (const scale of scales) {
      const rates = ratesOf(row);
      const matched = table.filter(({ value }) => rates.some((rate) => equal(value * scale, rate)));
      const own = isRetiredAlias(table[0]!.owner) ? row.model === table[0]!.owner : true;
      if (matched.length > (best?.matched.length ?? 0) && own) best = { row, matched };
    }
  }
  return best;
}

function ofTable(table: readonly NamedNumber[], target: Target, from: Origin): Problem | undefined {
  const found = rowOf(table);
  const [first] = found?.matched ?? [];
  if (!found || !first) return undefined;
  const { row, matched } = found;
  // one number alone may be anything
  if (matched.length < 2) return undefined;
  const { owner } = first;
  const latest = prices.filter(({ model }) => model === currentOf(owner, row)).at(-1)!;
  if (
    isCurrentId(owner) &&
    matched.every(({ value }) => scales.some((scale) => ratesOf(latest).some((rate) => equal(value * scale, rate))))
  ) {
    return undefined;
  }
  if (!isRetiredAlias(owner) && row.from === latest.from) return undefined;
  if (target === "v3.1" && from === "v3.1" && row.from >= "2025-09-05") return undefined;
  const listed = matched.map(({ name, text }) => `${name} ${text}`).join(", ");
  const whose = owner === undefined || owner === first.name ? "these prices" : `the prices of "${owner}"`;
  return {
    message: `${whose} (${listed}) are those of ${row.from}${
      target === "current"
        ? `; since ${latest.from} ${latest.model} costs ${written(latest.low)} per million (hit, miss, output)${isFlat(latest) ? "" : `, up to ${written(latest.high)} at dear hours`}`
        : "; V3.1 on another host costs what that host asks"
    }`,
    place: first.place,
    host: first.host,
    manual: "prices move: take them from https://api-docs.deepseek.com/quick_start/pricing and note the date",
  };
}

/** The model of today that a table is about. */
function currentOf(owner: string | undefined, { model }: Price): string {
  return /pro\b/.test(isCurrentId(owner) ? owner! : model) ? "deepseek-v4-pro" : "deepseek-flash";
}

const written = ({ hit, miss, output }: Rate): string => `${hit}, ${miss}, ${output}`;
const isFlat = ({ low, high }: Price): boolean => low.miss === high.miss;

/** The hours of 2025's discount: from 16:30 to 00:30 UTC. */
function* ofHours(file: FileFacts): Iterable<Problem> {
  if (!/off[-_ ]?peak|discount/i.test(file.text)) return;
  const [start] = file.literals.filter(({ value, isDocumentation }) => !isDocumentation && /\b16:30\b/.test(value));
  const hasEnd = file.literals.some(({ value }) => /\b00?:30\b/.test(value));
  const named = file.numbers.find(({ name, value }) => /off_?peak/i.test(name) && [16.5, 990, 1630].includes(value));
  const place = start && hasEnd ? start.place : named?.place;
  const name = (start && hasEnd ? start : named)?.name ?? "";
  const byName = { host: "official", certainty: "possible", evidence: `the name ${name}` } as const;
  const host = officialFile(file) ?? (/deep_?seek/i.test(name) ? byName : undefined);
  if (!place || !host) return;
  yield {
    message: "the discount from 16:30 to 00:30 UTC ended on 2025-09-05; today other hours are dear",
    place,
    host,
    manual: "since 2026-09-10 the dear hours are 01:00 to 04:00 and 06:00 to 10:00 UTC, Monday to Friday",
  };
}
