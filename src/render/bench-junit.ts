import type { Decision } from "../bench/compare/result.js";
import { element, escapeXml } from "./xml.js";

/** A decision as a test case. */
export interface Case {
  readonly name: string;
  readonly decision: Decision;
  /** What was found, in one line. */
  readonly words: string;
}

/** Test suites of decisions; FAIL is a failure, INCONCLUSIVE skipped, or a failure too. */
export function decisionsJunit(
  suites: readonly { readonly name: string; readonly cases: readonly Case[] }[],
  inconclusiveFails: boolean,
): string {
  const fails = ({ decision }: Case) => decision === "FAIL" || (decision === "INCONCLUSIVE" && inconclusiveFails);
  const counts = (cases: readonly Case[]) => ({
    tests: cases.length,
    failures: cases.filter(fails).length,
    errors: 0,
    skipped: cases.filter((one) => one.decision === "INCONCLUSIVE" && !fails(one)).length,
    time: 0,
  });
  const filled = suites.filter(({ cases }) => cases.length > 0);
  const body = filled.map(({ name, cases }) =>
    element(
      "testsuite",
      { name, ...counts(cases) },
      cases.map((one) => {
        const { decision, words } = one;
        const said = `${decision}: ${words}`;
        const outcome = fails(one)
          ? `<failure type="${decision}" message="${escapeXml(said)}"/>\n`
          : decision === "INCONCLUSIVE"
            ? element("skipped", { message: said })
            : `<system-out>${escapeXml(said)}</system-out>\n`;
        return element("testcase", { name: one.name, classname: name, time: 0 }, [outcome]);
      }),
    ),
  );
  const all = counts(filled.flatMap(({ cases }) => cases));
  return `<?xml version="1.0" encoding="UTF-8"?>\n${element("testsuites", { name: "deepseek bench", ...all }, body)}`;
}
