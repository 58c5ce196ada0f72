import type { Facts, FileFacts, HostVerdict } from "../facts.js";
import { urlOf } from "../proof/request-body.js";
import type { Problem } from "../rule.js";
import { capabilitiesOf } from "./capabilities.js";
import { bareUrl, type Recording } from "./recording.js";

const asked = ({ baseUrl, date }: Recording): string => `probe of ${baseUrl} on ${date}`;

/** Facts in which a host that is only likely is certain, where its base URL is the one that was probed. */
export function raiseHosts(facts: Facts, recording: Recording): Facts {
  const raise = (host: HostVerdict, url: string | undefined = urlIn(host)): HostVerdict => {
    if (host.certainty !== "possible" || url === undefined || bareUrl(url) !== bareUrl(recording.baseUrl)) return host;
    return { ...host, certainty: "certain", evidence: `${host.evidence}; ${asked(recording)}` };
  };
  const all = <T extends { readonly host: HostVerdict }>(items: readonly T[]): readonly T[] =>
    items.map((item) => ({ ...item, host: raise(item.host) }));
  const files = facts.files.map(
    (file): FileFacts => ({
      ...file,
      requests: file.requests.map((request) => ({ ...request, host: raise(request.host, urlOf(request)) })),
      mentions: all(file.mentions),
      numbers: all(file.numbers),
      flags: all(file.flags),
      calls: all(file.calls),
    }),
  );
  return { ...facts, files };
}

function urlIn({ evidence }: HostVerdict): string | undefined {
  return /"(https?:\/\/[^"]+)"/.exec(evidence)?.[1];
}

/** A finding as the probed endpoint lets it stand: a retired name that it still takes is no error there. */
export function temper<F extends Problem & { readonly code: string }>(problem: F, recording: Recording): F {
  const url = problem.host && urlIn(problem.host);
  if (problem.code !== "R01" || url === undefined || bareUrl(url) !== bareUrl(recording.baseUrl)) return problem;
  const name = /deepseek-(chat|reasoner)/.exec(problem.message)?.[1];
  const accepted = capabilitiesOf(recording).find(({ id }) => id === `alias-${name}`);
  if (accepted?.answer !== "yes") return problem;
  return { ...problem, severity: "info", message: `${problem.message} (still accepted: ${asked(recording)})` };
}
