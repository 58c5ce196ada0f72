import { describe, expect, test } from "@jest/globals";
import { scan } from "../../src/compat/scan.js";
import { type Project, readCorpus } from "./corpus.js";
import { memorySources } from "./memory.js";

const corpus = readCorpus();
const targets = ["v3.1", "current"] as const;

async function found(project: Project, target: (typeof targets)[number]): Promise<ReadonlySet<string>> {
  const { findings } = await scan(memorySources(project.files), { target });
  return new Set(findings.map(({ place, line, code }) => `${place.file}:${line} ${code}`));
}

interface Count {
  right: number;
  wrong: number;
  missed: number;
}

const precision = ({ right, wrong }: Count): number => (right + wrong === 0 ? 1 : right / (right + wrong));
const recall = ({ right, missed }: Count): number => (right + missed === 0 ? 1 : right / (right + missed));

describe("the labelled corpus", () => {
  test("has at least 120 files, a fifth of them traps", () => {
    const files = corpus.flatMap(({ files: own, isTrap }) => Object.keys(own).map(() => isTrap));
    expect(files.length).toBeGreaterThanOrEqual(120);
    expect(files.filter((isTrap) => isTrap).length).toBeGreaterThanOrEqual(24);
  });

  test("precision and recall are at least 0.97, for all rules together and for each", async () => {
    const counts = new Map<string, Count>();
    const mistakes: string[] = [];
    for (const project of corpus) {
      for (const target of targets) {
        const given = await found(project, target);
        for (const key of new Set([...given, ...project.expected[target]])) {
          const code = key.slice(-3);
          const count = counts.get(code) ?? { right: 0, wrong: 0, missed: 0 };
          counts.set(code, count);
          if (!project.expected[target].has(key)) count.wrong += 1;
          else if (given.has(key)) count.right += 1;
          else count.missed += 1;
          if (given.has(key) !== project.expected[target].has(key)) {
            mistakes.push(`${target} ${given.has(key) ? "wrong " : "missed"} ${project.name} ${key}`);
          }
        }
      }
    }
    const total: Count = { right: 0, wrong: 0, missed: 0 };
    const rows = [...counts].sort().map(([code, count]) => {
      for (const key of ["right", "wrong", "missed"] as const) total[key] += count[key];
      return `${code}  ${String(count.right).padStart(5)}  ${precision(count).toFixed(3)}  ${recall(count).toFixed(3)}`;
    });
    const all = `all  ${String(total.right).padStart(5)}  ${precision(total).toFixed(3)}  ${recall(total).toFixed(3)}`;
    console.log(["rule  right  precision  recall", ...rows, all, ...mistakes].join("\n"));
    expect(precision(total)).toBeGreaterThanOrEqual(0.97);
    expect(recall(total)).toBeGreaterThanOrEqual(0.97);
    const low = [...counts].filter(([, count]) => precision(count) < 0.97 || recall(count) < 0.97);
    expect(low.map(([code]) => code)).toEqual([]);
  });

  test.each(corpus.filter(({ isTrap }) => isTrap).map((project) => [project.name, project] as const))(
    "nothing at all is found in %s",
    async (_, project) => {
      for (const target of targets) expect([...(await found(project, target))]).toEqual([]);
    },
  );
});
