import type { HostVerdict, Place, Request } from "../facts.js";
import { isRetiredAlias } from "../models.js";
import type { Scan } from "../scan.js";
import { type Cost, type CostOptions, costOf } from "./cost.js";
import { judge, type Reason, type Verdict } from "./judge.js";
import { type Body, bodyOf, concernsDeepSeek, type Field, holesOf, printBody, urlOf } from "./request-body.js";
import { type ApiVersion, apiVersions } from "./schemas.js";

/** A call site, the body it would send, and what each version would answer. */
export interface Proof {
  readonly place: Place;
  readonly callee: string;
  readonly host: HostVerdict;
  /** `…` stands for what is not known. Undefined where the request is not checked. */
  readonly body?: Readonly<Record<string, unknown>>;
  /** Parts of the body that are not known and were not checked. */
  readonly holes: readonly string[];
  readonly verdicts?: Readonly<Record<ApiVersion, Verdict>>;
  /** Where only the name is retired: what today's API says once the name alone is replaced. */
  readonly renamed?: Verdict;
  /** The verdicts in one sentence, or why there are none. */
  readonly sentence: string;
}

/** A proof at its place, as reports show it. */
export interface LocatedProof extends Proof {
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** What it cost before, at V3.1 and now, in a sentence; left out where no price applies. */
  readonly cost?: string;
  /** The same as figures. */
  readonly costs?: Cost["at"];
}

/** The proofs of all requests to DeepSeek, or with a DeepSeek model, that a scan found. */
export function proofsOf({ facts, positionOf }: Scan, options: CostOptions = {}): readonly LocatedProof[] {
  return facts.files.flatMap(({ file, requests }) =>
    requests.filter(concernsDeepSeek).map((request) => {
      const cost = costOf(request, options);
      const { line } = positionOf(request.place);
      return { file, line, ...prove(request), ...(cost ? { cost: cost.sentence, costs: cost.at } : {}) };
    }),
  );
}

const titles: Readonly<Record<ApiVersion, string>> = { "v3.0": "V3.0", "v3.1": "V3.1", current: "today's API" };

/** Checks the body a call site would send against each version of the official API. Offline and pure. */
export function prove(request: Request): Proof {
  const { place, callee, host } = request;
  if (host.host !== "official") {
    const who = host.host === "unknown" ? "an unknown host" : `another host (${host.host})`;
    const sentence = `not checked: it goes to ${who}, and only the official API's requests are described here`;
    return { place, callee, host, holes: [], sentence };
  }
  const body = bodyOf(request);
  const verdicts = Object.fromEntries(apiVersions.map((version) => [version, judge(body, version)])) as Record<
    ApiVersion,
    Verdict
  >;
  const renamed = renamedVerdict(body, verdicts.current);
  return {
    place,
    callee,
    host,
    body: printBody(body),
    holes: holesOf(body),
    verdicts,
    ...(renamed ? { renamed } : {}),
    sentence: sentenceOf(verdicts, renamed, host, urlOf(request)),
  };
}

/** Where the retired name is the only thing today's API minds: what it says of the rest once the name is replaced. */
function renamedVerdict(body: Body, current: Verdict): Verdict | undefined {
  const node = body.fields["model"]?.node;
  if (current.answer === "accepted" || node?.kind !== "value" || !node.values.every(isRetiredAlias)) return undefined;
  const id = body.endpoint === "fim" ? "deepseek-v4-pro" : "deepseek-flash";
  const model: Field = { node: { kind: "value", values: [id], isAll: true }, sure: true };
  return judge({ ...body, fields: { ...body.fields, model } }, "current");
}

function sentenceOf(
  verdicts: Readonly<Record<ApiVersion, Verdict>>,
  renamed: Verdict | undefined,
  host: HostVerdict,
  url: string | undefined,
): string {
  const of = (version: ApiVersion) => verdicts[version].answer;
  const list = (reasons: readonly Reason[]) => reasons.map(({ words }) => words).join("; ");
  const past = (["v3.0", "v3.1"] as const).map((version) =>
    of(version) === "accepted"
      ? `accepted by ${titles[version]}`
      : `${wordOf(of(version))} ${titles[version]} (${list(verdicts[version].because)})`,
  );
  const before = of("v3.0") === "accepted" && of("v3.1") === "accepted" ? "accepted before" : past.join(", ");
  const { current } = verdicts;
  const now =
    current.answer === "accepted"
      ? "accepted now"
      : `${current.answer === "rejected" ? "rejected now" : "not known now"}: ${list(renamed ? current.because.filter(({ field }) => field === "model") : current.because)}`;
  const after = renamed ?? current;
  const silent = [
    ...verdicts["v3.1"].changed.map((reason) => ({ reason, since: "V3.1" })),
    ...[...after.ignored, ...after.changed].map((reason) => ({ reason, since: "now" })),
  ];
  const quiet = (["V3.1", "now"] as const).map((when) => {
    const own = silent.filter(({ since }) => since === when).map(({ reason }) => reason);
    return own.length > 0 ? `; taken silently ${when === "now" ? "now" : "by V3.1"}: ${list(own)}` : "";
  });
  const rename =
    renamed && current.answer === "rejected"
      ? renamed.answer === "accepted"
        ? ""
        : `; with the name alone replaced ${renamed.answer === "rejected" ? "still rejected" : "not known"}: ${list(renamed.because)}`
      : "";
  const likely = host.certainty === "certain" ? "" : `; if ${url ?? "the host"} is what it asks`;
  return `${before}, ${now}${rename}${quiet.join("")}${likely}`;
}

const wordOf = (answer: Verdict["answer"]): string => (answer === "rejected" ? "rejected by" : "not known for");
