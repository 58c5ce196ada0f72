import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import { type Case, decisionsJunit } from "./bench-junit.js";
import { groupsOf } from "./bench-tables.js";
import { changeSentence, gateLine, headline, moreText } from "./bench-verdict.js";
import { statisticOf } from "./metric-words.js";

/** A case for the verdict, for each gate and for each comparison; those that do not decide pass. */
export function endpointsJunit(result: EndpointBenchResult): string {
  const verdict: Case = { name: "verdict", decision: result.verdict, words: headline(result) };
  const gates = result.gates.map((gate): Case => {
    return {
      name: `${gate.text} of ${gate.target} at ${gate.point}`,
      decision: gate.decision,
      words: gateLine(gate),
    };
  });
  const comparisons = groupsOf(result).map(({ candidate, baseline, point, comparisons }) => ({
    name: `${candidate} against ${baseline}, ${point}`,
    cases: comparisons.map((one): Case => {
      const words = [changeSentence(one), moreText(one), ...one.reasons].filter(Boolean).join("; ");
      return one.gated
        ? { name: statisticOf(one), decision: one.decision, words }
        : { name: statisticOf(one), decision: "PASS", words: `${one.verdict}, does not decide: ${words}` };
    }),
  }));
  return decisionsJunit(
    [{ name: "verdict", cases: [verdict] }, { name: "gates", cases: gates }, ...comparisons],
    result.settings.inconclusiveFails,
  );
}
