import type { Facts, FileFacts, Place } from "../facts.js";
import { idForSdk } from "../models.js";
import type { Problem, Rule } from "../rule.js";

const sdk = "@ai-sdk/deepseek";

export const sdkTooOld: Rule = {
  id: "sdk-too-old",
  code: "R51",
  title: "A client library that does not know today's models",
  severity: { "v3.1": null, current: "warning" },
  effect: "hard error",
  since: "later",
  explanation:
    "@ai-sdk/deepseek treats a model as V4 by its id: it keeps reasoning_content between turns and passes the reasoning effort on. It knows ids with deepseek-v4 from 1.0.38, 2.0.30 and 3.0.0 on, and deepseek-flash from 1.0.57, 2.0.64 and 3.0.44 on. With an older version a conversation with tools loses its earlier reasoning and the API answers HTTP 400 in the second turn, so a new model name alone is not enough. The version is read from the lock file beside package.json or above it, else from the range in package.json, whose lowest version counts. Between versions of the same major number an upgrade changes no call.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "none",
      before: `import { deepseek } from "@ai-sdk/deepseek"; // 2.0.10
export const model = deepseek("deepseek-flash");
`,
      after: `import { deepseek } from "@ai-sdk/deepseek"; // 2.0.69
export const model = deepseek("deepseek-flash");
`,
      beside: {
        before: { "package.json": '{ "dependencies": { "@ai-sdk/deepseek": "2.0.10" } }\n' },
        after: { "package.json": '{ "dependencies": { "@ai-sdk/deepseek": "2.0.69" } }\n' },
      },
    },
  ],
  source: {
    urls: [
      "https://github.com/vercel/ai/blob/main/packages/deepseek/CHANGELOG.md",
      "https://github.com/vercel/ai/commit/4d04f43117",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    const manifests = facts.files.filter(({ file }) => /(^|\/)package\.json$/.test(file));
    const covered: string[] = [];
    for (const manifest of manifests) {
      const setting = manifest.settings.find(({ name, path }) => name === sdk && /ependencies$/.test(path[0] ?? ""));
      const problem = setting && problemOf(facts, manifest, setting.place);
      if (!problem) continue;
      covered.push(manifest.file.slice(0, -"package.json".length));
      yield problem;
    }
    const seen = new Set<string>();
    for (const file of facts.files) {
      if (covered.some((folder) => file.file.startsWith(folder))) continue;
      const use = file.calls.find(({ from }) => from?.package === sdk);
      const problem = use && problemOf(facts, file, use.calleePlace);
      if (!problem) continue;
      const version = facts.packageVersion?.(file.file, sdk) ?? "";
      // one project, one finding
      const key = `${version} ${file.file.split("/").slice(0, 2).join("/")}`;
      if (seen.has(key)) continue;
      seen.add(key);
      yield problem;
    }
  },
};

/** From which version on deepseek-flash is known, by major version. */
const upgrades: Readonly<Record<string, string>> = { "0": "1.0.57", "1": "1.0.57", "2": "2.0.64", "3": "3.0.44" };

function problemOf(facts: Facts, { file }: FileFacts, place: Place): Problem | undefined {
  const version = facts.packageVersion?.(file, sdk);
  const { id, known } = idForSdk(version);
  if (!version || !known || id === "deepseek-flash") return undefined;
  const major = /\d+/.exec(version)![0];
  const isRange = /^[^\dv]/.test(version);
  // ^2.0.10 installs a version that knows it, unless a lock file that was not found holds it back
  const mayBeNew = /^(\^|>=)/.test(version) && major !== "0";
  const lack = id ? "treats deepseek-v4-flash as V4, but not deepseek-flash" : "knows no V4 model";
  return {
    message: `${sdk} ${version} ${mayBeNew ? "allows a version that " : ""}${lack}: with tools the second turn loses its reasoning and is refused`,
    place,
    ...(mayBeNew ? { severity: "info" as const } : {}),
    manual: `upgrade to ${upgrades[major]} or newer${isRange ? "; no lock file says which version is installed" : ""}${id ? ", or name deepseek-v4-flash until then" : ""}`,
  };
}
