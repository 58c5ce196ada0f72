import { describe, expect, test } from "@jest/globals";
import { packageVersion } from "../../src/compat/sources.js";
import { memorySources } from "./memory.js";

const name = "@ai-sdk/deepseek";
const version = (files: Readonly<Record<string, string>>, file = "src/a.ts", manifest = "package.json") =>
  packageVersion(
    memorySources({ [manifest]: JSON.stringify({ dependencies: { [name]: "^2.0.10" } }), ...files }),
    file,
    name,
  );

describe("the installed version of a package", () => {
  test.each([
    ["npm", "package-lock.json", JSON.stringify({ packages: { [`node_modules/${name}`]: { version: "2.0.64" } } })],
    ["npm 6", "package-lock.json", JSON.stringify({ dependencies: { [name]: { version: "2.0.64" } } })],
    [
      "pnpm 9",
      "pnpm-lock.yaml",
      `lockfileVersion: '9.0'\n\nimporters:\n\n  .:\n    dependencies:\n      '${name}':\n        specifier: ^2.0.10\n        version: 2.0.64(zod@4.0.0)\n\npackages:\n\n  '${name}@2.0.64':\n    resolution: {}\n`,
    ],
    ["pnpm 5", "pnpm-lock.yaml", `lockfileVersion: 5.4\ndependencies:\n  '${name}': 2.0.64\npackages:\n  /x/1.0.0:\n`],
    [
      "Yarn 1",
      "yarn.lock",
      `# yarn lockfile v1\n\n"${name}@^1.0.0":\n  version "1.0.9"\n\n"${name}@^2.0.10", "${name}@^2.0.9":\n  version "2.0.64"\n`,
    ],
    [
      "Yarn 4",
      "yarn.lock",
      `__metadata:\n  version: 8\n\n"${name}@npm:^2.0.10":\n  version: 2.0.64\n  resolution: "${name}@npm:2.0.64"\n`,
    ],
  ])("%s", (_, file, text) => {
    expect(version({ [file]: text })).toBe("2.0.64");
    expect(version({ [file]: text.replaceAll("\n", "\r\n") })).toBe("2.0.64");
  });

  test("of a workspace below the lock file", () => {
    const lock = JSON.stringify({
      packages: {
        "packages/app": {},
        [`packages/app/node_modules/${name}`]: { version: "2.0.30" },
        [`node_modules/${name}`]: { version: "3.0.50" },
      },
    });
    const inApp = ["packages/app/src/a.ts", "packages/app/package.json"] as const;
    expect(version({ "package-lock.json": lock }, ...inApp)).toBe("2.0.30");
    const pnpm = `importers:\n  .:\n    dependencies:\n      '${name}':\n        specifier: ^3.0.0\n        version: 3.0.50\n  packages/app:\n    dependencies:\n      '${name}':\n        specifier: ^2.0.10\n        version: 2.0.30\n`;
    expect(version({ "pnpm-lock.yaml": pnpm }, ...inApp)).toBe("2.0.30");
  });

  test.each([
    ["no lock file", {}],
    ["a broken one", { "package-lock.json": "{" }],
    ["one without the package", { "package-lock.json": '{ "packages": {} }' }],
    ["one that is no object", { "package-lock.json": "null" }],
    ["an empty one", { "yarn.lock": "" }],
  ])("%s: the range as written", (_, files) => {
    expect(version(files)).toBe("^2.0.10");
  });

  test("the lock file of another project above says nothing", () => {
    const lock = JSON.stringify({ packages: { [`node_modules/${name}`]: { version: "1.0.0" } } });
    expect(version({ "package-lock.json": lock }, "app/src/a.ts", "app/package.json")).toBe("^2.0.10");
  });
});
