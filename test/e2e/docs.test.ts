import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { configSchema } from "../../src/compat/gates/config.js";

/* The commands and examples of docs/ci.md and docs/custom-rules.md do what the pages say. Needs the built programs. */
const repository = process.cwd();
const page = (name: string) => readFileSync(join(repository, "docs", name), "utf8");
const blocks = (name: string, kind: string) =>
  [...page(name).matchAll(new RegExp(`\`\`\`(?:${kind})\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, body]) => body!);
const commandsOf = (name: string) =>
  blocks(name, "bash|yaml").flatMap((body) =>
    [...body.matchAll(/^\s*(?:- run: |- |entry: )?(npx .*)$/gm)].map(([, command]) => command!),
  );

let folder: string;
const write = (name: string, text: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};
const shell = (command: string, env: Readonly<Record<string, string>> = {}) =>
  spawnSync("sh", ["-c", command], {
    cwd: folder,
    encoding: "utf8",
    env: { PATH: `${folder}${delimiter}${process.env["PATH"]}`, ...env },
  });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "docs-"));
  cpSync(join(repository, "fixtures/apps/support-bot"), folder, { recursive: true });
  write(
    "src/answer.ts",
    'new OpenAI({ baseURL: "https://api.deepseek.com" }).chat.completions.create({ model: "deepseek-chat" });\n',
  );
  const git = "git -c user.name=a -c user.email=a@example.org";
  const made = shell(
    `git init -q -b main . && git add -A && ${git} commit -qm one && git update-ref refs/remotes/origin/main HEAD`,
  );
  expect(made.stderr).toBe("");
  write("npx", `#!/bin/sh\nshift\nexec ${process.execPath} ${join(repository, "bin/deepseek-compat.js")} "$@"\n`);
  chmodSync(join(folder, "npx"), 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("docs/ci.md", () => {
  test("its example of a configuration is one", () => {
    const [text] = blocks("ci.md", "json");
    expect(configSchema.safeParse(JSON.parse(text!)).success).toBe(true);
  });

  test("its table has every key of the configuration", () => {
    const table = page("ci.md").split("| key |")[1]!;
    const keys = Object.keys(configSchema.shape).filter((key) => key !== "$schema");
    expect(keys.filter((key) => !table.includes(`\`${key}\``))).toEqual([]);
  });

  test.each(commandsOf("ci.md"))("%s", (command) => {
    const { status, stdout, stderr } = shell(command, { GITHUB_STEP_SUMMARY: join(folder, "summary.md") });
    expect(stderr).not.toMatch(/error/);
    expect([0, 1]).toContain(status);
    expect(stdout).not.toBe("");
  });
});

describe("docs/custom-rules.md", () => {
  const [rule] = blocks("custom-rules.md", "ts");
  const [config] = blocks("custom-rules.md", "json");
  beforeAll(() => {
    rmSync(join(folder, "deepseek-compat-baseline.json"), { force: true });
    write("rules/no-direct-api.ts", rule!);
    write("deepseek-compat.config.json", config!);
  });

  test.each(commandsOf("custom-rules.md"))("%s", (command) => {
    const { status, stdout, stderr } = shell(command);
    expect(stderr).toBe("");
    expect([0, 1]).toContain(status);
    expect(stdout).toContain("ACME01");
  });

  test("its example type-checks against the types that are published", () => {
    const types = join(repository, "dist/compat/plugin.d.ts");
    write("tsconfig.json", "");
    writeFileSync(
      join(folder, "tsconfig.json"),
      JSON.stringify({
        compilerOptions: {
          strict: true,
          exactOptionalPropertyTypes: true,
          noEmit: true,
          module: "nodenext",
          target: "es2022",
          types: [],
          paths: { "deepseek-compat": [types] },
        },
        files: ["rules/no-direct-api.ts"],
      }),
    );
    const compiler = join(repository, "node_modules/typescript/bin/tsc");
    const { stdout, status } = spawnSync(process.execPath, [compiler, "-p", folder], { encoding: "utf8" });
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });
});
