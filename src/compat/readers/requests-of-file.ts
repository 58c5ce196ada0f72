import type { HostVerdict, Mention, Parameter, Place, Request, Value } from "../facts.js";
import { hostOfModel } from "../host.js";

/** Where a file says nothing itself: the one host that its requests go to. */
export function hostOfRequests(requests: readonly Request[]): HostVerdict | undefined {
  const [first, ...others] = requests.map((request) => request.host);
  if (!first || first.host === "unknown" || others.some((other) => other.host !== first.host)) return undefined;
  return { ...first, certainty: "possible", evidence: `the requests in the same file: ${first.evidence}` };
}

/** Where a file without requests says nothing itself: the one host that the requests of its importers go to. */
export function hostOfImporters(
  importers: readonly { readonly file: string; readonly requests: readonly Request[] }[],
): HostVerdict | undefined {
  const asking = importers.filter(({ requests }) => requests.length > 0);
  const verdict = hostOfRequests(asking.flatMap(({ requests }) => requests));
  const [first] = asking;
  if (!verdict || !first) return undefined;
  return {
    ...verdict,
    evidence: `the requests of ${first.file}, which imports it: ${first.requests[0]!.host.evidence}`,
  };
}

/** Facts of a file, with the host of its requests where they name none themselves. */
export function settleBy(
  host: HostVerdict | undefined,
): <Fact extends { readonly host: HostVerdict }>(fact: Fact) => Fact {
  return (fact) => (host && fact.host.host === "unknown" ? { ...fact, host } : fact);
}

/**
 * Starts of the literals of a file that stand in requests themselves: they are the request's, not mentions, unless only
 * the literal's own call names the host.
 */
export function directModels(file: string, requests: readonly Request[]): ReadonlySet<number> {
  return new Set(
    requests
      .filter((request) => request.host.host !== "unknown")
      .flatMap(({ model }) => model?.candidates ?? [])
      .filter(({ path, place }) => path.length === 0 && place.file === file)
      .map(({ place }) => place.start),
  );
}

/** Does every use of a constant's name (of which there is at least one) stand as the model of a request? */
export function isOnlyForRequests(
  mention: Pick<Mention, "place">,
  uses: readonly Place[] | undefined,
  requests: readonly Request[],
): boolean {
  if (!uses || uses.length === 0) return false;
  return uses.every((use) =>
    requests.some(({ modelProperty, model }) => {
      const value = modelProperty?.valuePlace;
      return (
        value?.file === use.file &&
        value.start <= use.start &&
        use.end <= value.end &&
        (model?.candidates ?? []).some(
          (one) => one.place.file === mention.place.file && one.place.start === mention.place.start,
        )
      );
    }),
  );
}

/** The host of a request, by an id that exists with one kind of host only where nothing surer is known. */
export function hostByModel(host: HostVerdict, model: Parameter | undefined): HostVerdict {
  const only = model?.value.candidates.map(({ value }) => hostOfModel(String(value))).find(Boolean);
  if (host.certainty === "certain" || !only) return host;
  return {
    host: only,
    certainty: "possible",
    evidence: `the id "${model?.value.candidates[0]?.value}" exists there only`,
  };
}

/** The model, uncertain where it is sent under a condition only. */
export function settledModel({ value, sure }: Parameter): Value {
  return sure || value.certainty !== "certain" ? value : { ...value, certainty: "possible" };
}
