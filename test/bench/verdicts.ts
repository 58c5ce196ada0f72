/*
 * How far verdicts can be trusted: how often intervals of different kinds cover the truth, how often a version against
 * itself is called slower, and how often a difference of twice the tolerance is found at the size the tool recommends; on
 * simulated noise, and with --models on real model files (minutes). `npm run bench:verdicts -- [--trials 200] [--models]
 * [--only coverage|simulated|models]`. Prints tables; exits 1 where more than 5 % are false alarms or fewer than 90 % found.
 */
import { parseArgs } from "node:util";
import { coverageOf, roundNoise } from "./verdicts/intervals.js";
import { modelRates } from "./verdicts/models.js";
import { noiseModels, none } from "./verdicts/noise.js";
import { type Rates, ratesOf } from "./verdicts/rates.js";

const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "200" },
    models: { type: "boolean", default: false },
    rounds: { type: "string", default: "100" },
    only: { type: "string" },
  },
});
const trials = Number(values.trials);
const wanted = (part: string) => values.only === undefined || values.only === part;
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
let wrong = 0;

if (wanted("coverage")) {
  console.log("Coverage of 95 % intervals (median length in standard deviations of a round)\n");
  console.log("| noise of rounds | rounds | percentile | BCa | studentised | expanded percentile | signed-rank |");
  console.log("|---|---|---|---|---|---|---|");
  for (const [name, noise] of Object.entries(roundNoise)) {
    for (const rounds of [6, 8, 10, 20]) {
      const cells = Object.values(coverageOf(noise, rounds, 0.95, 2 * trials, 1)).map(
        ({ covered, length }) => `${percent(covered)} (${length.toFixed(2)})`,
      );
      console.log(`| ${[name, rounds, ...cells].join(" | ")} |`);
    }
  }
}

if (wanted("simulated")) {
  console.log(`\nVerdicts over ${trials} benchmarks each, tolerance 5 %, 24 pairs a round, default gates\n`);
  console.log("| noise | benchmark | rounds (median, most) | FAIL | PASS | INCONCLUSIVE | no recommendation |");
  console.log("|---|---|---|---|---|---|---|");
  const options = { trials, perRound: 24, tolerance: 0.05 };
  const pilot = { pilot: 10 };
  for (const model of noiseModels) {
    const row = (what: string, { rounds, fail, pass, inconclusive, unsure }: Rates, isGood: boolean) => {
      if (!isGood) wrong++;
      const cells = [fail, pass, inconclusive, unsure].map(percent).join(" | ");
      console.log(
        `| ${model.name} | ${what} | ${rounds.median}, ${rounds.most} | ${cells} |${isGood ? "" : " <-- missed"}`,
      );
    };
    const same = ratesOf(model, none, { ...options, seed: 1, rounds: 8 });
    row("A/A, 8 rounds", same, same.fail <= 0.05);
    const recommended = ratesOf(model, none, { ...options, seed: 2, rounds: pilot });
    row("A/A, recommended", recommended, recommended.fail <= 0.05);
    const edge = ratesOf(model, { ttft: 1.05, tpot: 1.05 }, { ...options, seed: 3, rounds: 20 });
    row("all 5 % slower, 20 rounds", edge, edge.fail <= 0.05);
    const tokens = ratesOf(model, { ttft: 1, tpot: 1.1 }, { ...options, seed: 4, rounds: pilot });
    row("TPOT 10 % slower, recommended", tokens, tokens.fail >= 0.9);
    const first = ratesOf(model, { ttft: 1.1, tpot: 1 }, { ...options, seed: 5, rounds: pilot });
    row("TTFT 10 % slower, recommended", first, first.fail >= 0.9);
  }
}

if (values.models && wanted("models")) {
  console.log("\nReal models, fresh processes, rounds drawn from a long benchmark\n");
  console.log(
    "| models | time | rounds (median) | slower | same | faster | not slower | inconclusive | no recommendation |",
  );
  console.log("|---|---|---|---|---|---|---|---|---|");
  for (const { name, metric, rounds, size, unsure, verdicts } of modelRates(Number(values.rounds), trials)) {
    const shares = (["slower", "same", "faster", "not slower", "inconclusive"] as const).map(
      (one) => verdicts[one] ?? 0,
    );
    console.log(`| ${[name, metric, `${rounds} (${size})`, ...[...shares, unsure].map(percent)].join(" | ")} |`);
    if (name.endsWith("A/A") && shares[0]! > 0.05) wrong++;
    if (!name.endsWith("A/A") && metric === "cpu" && rounds === "recommended" && shares[0]! < 0.9) wrong++;
  }
}
process.exitCode = wrong > 0 ? 1 : 0;
