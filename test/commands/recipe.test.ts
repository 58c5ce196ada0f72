import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { Ajv2020 } from "ajv/dist/2020.js";
import { z } from "zod";
import type { Host } from "../../src/cli.js";
import { compressCommand } from "../../src/commands/compress.js";
import { readRecipe } from "../../src/commands/recipe-file.js";
import { isRepeatable, recipeSchema } from "../../src/commands/recipe-schema.js";
import { UserError } from "../../src/errors.js";
import { encodeModel } from "../../src/formats/onnx.js";
import type { CompressResult } from "../../src/render/compress-result.js";
import { linear, writeSamples } from "../compress-models.js";
import { runCommand } from "../host.js";
import fc from "../property.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "recipe-"));
  mkdirSync(join(folder, "ci"));
  writeFileSync(join(folder, "model.onnx"), encodeModel(linear()));
  writeSamples(join(folder, "ci/samples"), "x", [3, 64], 4);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const write = (text: string, name = "ci/compress.yaml") => writeFileSync(join(folder, name), text);
const run = (...argv: string[]) => runCommand(compressCommand, argv, folder);
const read = async (text: string) => {
  write(text);
  return readRecipe({ cwd: folder } as Host, "ci/compress.yaml", compressCommand.options);
};

/** The result of a run by ci/compress.yaml that must succeed. */
async function compress(...argv: string[]): Promise<CompressResult> {
  const { code, stdout, stderr } = await run("--recipe", "ci/compress.yaml", ...argv, "--json");
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const usual = "model: ../model.onnx\nint8: true\ndata: samples/\nspeed-seconds: 0\ntarget: avx2\n";

describe("a recipe", () => {
  test("stands for model and options; its paths are beside it", async () => {
    write(`${usual}output: out/small.onnx\nreport: [out/small.md, out/small.html]\nseed: 7\n`);
    mkdirSync(join(folder, "ci/out"));
    const result = await compress();
    expect(result.output.path).toBe("ci/out/small.onnx");
    expect(result.seed).toBe(7);
    expect(result.verification).toMatchObject({ checked: true, synthetic: false });
    for (const name of ["small.onnx", "small.md", "small.html"]) {
      expect(existsSync(join(folder, "ci/out", name))).toBe(true);
    }
  });

  test("yields to what is typed, also where that is the default; lists are replaced", async () => {
    write(`${usual}output: a.onnx\nforce: true\nseed: 7\nmin-elements: 5000\ntensor: ["*=float"]\n`);
    const result = await compress("-o", "b.onnx", "--seed", "1", "--tensor", "*=unpack");
    expect(result.output.path).toBe("b.onnx");
    expect(result.seed).toBe(1);
    expect(result.settings.minElements).toBe(5000);
    expect(new Set(result.tensors.map(({ scheme }) => scheme))).not.toContain("qdq");
    expect(existsSync(join(folder, "ci/a.onnx"))).toBe(false);
    write("int8: true\nmodel: gone.onnx\nspeed-seconds: 0\n");
    expect((await compress("model.onnx", "--dry-run")).schema).toBe("deepseek/compress-plan@2");
  });

  test("may be JSON, with the schema it keeps to", async () => {
    write(`{\n\t"$schema": "./x.json",\n\t"model": "../model.onnx",\n\t"int8": true\n}\n`, "ci/compress.json");
    const { code } = await run("--recipe", "ci/compress.json", "--dry-run");
    expect(code).toBe(0);
  });

  test("hands values over as a command line does", async () => {
    const { options } = await read(
      [
        "max-drop: 2%",
        "no-verify: true",
        "no-balance: false",
        // not the number 1.2
        "ort-min: 1.20",
        "smooth: on",
        "image-mean: [0.485, 0.456, 0.406]",
        "image-std: 0.2,0.3,0.4",
        "tensor: head.*=float",
        "freeze:\n  - embed*\n  - &again head*\n  - *again",
        "rate: 1e-4",
        "warm-up: 5%",
        "qat: false",
      ].join("\n"),
    );
    expect(options).toEqual({
      maxDrop: 0.02,
      verify: false,
      ortMin: "1.20",
      smooth: "on",
      imageMean: [0.485, 0.456, 0.406],
      imageStd: [0.2, 0.3, 0.4],
      tensor: ["head.*=float"],
      freeze: ["embed*", "head*", "head*"],
      rate: 1e-4,
      warmUp: { share: 0.05 },
    });
  });

  test("of wrong options together is refused as a command line is", async () => {
    write(`${usual}int4: true\n`);
    const { code, stderr } = await run("--recipe", "ci/compress.yaml");
    expect(code).toBe(2);
    expect(stderr).toBe("error: --int8 and --int4: choose one\n");
  });
});

describe("a mistake is named with its line", () => {
  test.each([
    ["int8: true\nmax-dorp: 2%", ':2: there is no option "max-dorp"; did you mean max-drop?'],
    ["int8: true\n\n--data: x", ':3: there is no option "--data"; did you mean data?'],
    ["verify: false", ':1: there is no option "verify"; did you mean no-verify?'],
    ["maxDrop: 0.1", ':1: there is no option "maxDrop"; did you mean max-drop?'],
    ["recipe: other.yaml", ':1: there is no option "recipe"'],
    ["zzzzzzzzz: 1", ':1: there is no option "zzzzzzzzz"; --help lists the options'],
    ["__proto__: 1", ':1: there is no option "__proto__"'],
    ["? [a, b]\n: 1", ":1: there is no option"],
    ["int8: yes", ":1: int8: it must be true or false"],
    ["# first\nsmooth: maybe", ":2: smooth: it must be auto, on or off"],
    ["max-drop: 2", ":1: max-drop: 2: it must be a share from 0 to 1, such as 2% or 0.02. For 2 percent write 2%"],
    ["threads: many", ":1: threads: many: it must be a whole number from 1 to 256"],
    ["data:", ":1: data: it must be one value"],
    ["data: [a, b]", ":1: data: it must be one value"],
    ["data: true", ":1: data: it must be one value"],
    ["tensor: []", ":1: tensor: it must be a value or a list of values"],
    ["tensor: {a: float}", ":1: tensor: it must be a value or a list of values"],
    ["image-mean: [a]", ":1: image-mean: it must be a number or a list of numbers"],
    ["model: [a, b]", ":1: model: it must be a text"],
    ["int8: true\nint8: false", ":2: is not valid YAML or JSON: Map keys must be unique"],
    ["int8: true\n  int4: true", ":1: is not valid YAML or JSON: "],
    ["int8: true\ntensor: *attn", ":2: *attn: quote it: in YAML, * at the start means what &attn names"],
    ["tensor:\n  - a=float\n  - *b", ":3: *b: quote it"],
    ["- int8", ": holds no options; write one a line, such as `prune: 0.3`"],
    ["", ": holds no options; "],
  ])("%j", async (text, words) => {
    write(text);
    const { code, stderr, stdout } = await run("--recipe", "ci/compress.yaml");
    expect(stderr).toContain(`ci/compress.yaml${words.startsWith(":") ? words : ""}`);
    expect(stderr).toContain(words);
    expect(stderr.trimEnd().split("\n").length).toBe(1);
    expect([code, stdout]).toEqual([2, ""]);
  });

  test("a file that is not there, or is no recipe", async () => {
    expect((await run("--recipe", "gone.yaml")).stderr).toBe(
      "error: --recipe gone.yaml: cannot read it: no such file or folder\n",
    );
    writeFileSync(join(folder, "big.onnx"), new Uint8Array(1_000_001));
    expect((await run("--recipe", "big.onnx")).stderr).toMatch(/big\.onnx: is no recipe: it has 1000001 bytes/);
    expect((await run("--recipe", "ci")).code).toBe(2);
    // neither what the bytes of a model nor those of a picture look like is shown
    for (const bytes of [Uint8Array.of(8, 7, 18, 4, 0, 58, 200), Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10)]) {
      writeFileSync(join(folder, "small.onnx"), bytes);
      const { code, stderr } = await run("--recipe", "small.onnx");
      expect(stderr).toBe("error: --recipe small.onnx: is no recipe: it is not a text (YAML or JSON in UTF-8)\n");
      expect(code).toBe(2);
    }
    write(`int8: true\n]${"x".repeat(5000)}`);
    expect((await run("--recipe", "ci/compress.yaml")).stderr.length).toBeLessThan(300);
  });

  test("rubbish never crashes", async () => {
    const keys = compressCommand.options.map(({ long }) => long!.slice(2));
    const part = fc.oneof(
      fc.constantFrom(...keys, ": ", "\n", "- ", "[", "]", "{", "}", "&a ", "*a", "!!set ", "true", "1e999", "|", "\t"),
      fc.string({ maxLength: 8 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
        try {
          await read(parts.join(""));
        } catch (error) {
          expect(error).toBeInstanceOf(UserError);
        }
      }),
      { numRuns: 100 },
    );
  });
});

describe("the schema", () => {
  const schema = z.toJSONSchema(recipeSchema(compressCommand.options), { io: "input" });
  const isValid = new Ajv2020({ strict: false }).compile(schema);

  test("has every option but --recipe, as the help describes it, and nothing of this machine", () => {
    const { properties } = schema as { properties: Record<string, { description: string; default?: unknown }> };
    const names = compressCommand.options.map(({ long }) => long!.slice(2)).filter((name) => name !== "recipe");
    expect(new Set(Object.keys(properties))).toEqual(new Set(["$schema", "model", ...names]));
    expect(properties["int8"]!.description).toBe("quantize weights to 8-bit integers");
    expect(properties["samples"]!.default).toBe(4);
    expect(properties["threads"]).not.toHaveProperty("default");
    expect(properties["threads"]!.description).toContain("(default: one for each processor)");
  });

  test.each([
    [{ model: "a.onnx", int8: true, "max-drop": "2%", seed: 3, tensor: ["a=float"], "image-mean": [0.5] }, true],
    [{ "max-drop": 0.02, smooth: "auto", freeze: "a*" }, true],
    [{ int8: "yes" }, false],
    [{ smooth: "maybe" }, false],
    [{ "max-dorp": 1 }, false],
    [{ data: ["a", "b"] }, false],
  ])("tells good from bad as the program does: %j", async (content, good) => {
    expect(isValid(content)).toBe(good);
    const reading = read(JSON.stringify(content));
    await (good ? expect(reading).resolves.toBeDefined() : expect(reading).rejects.toThrow(UserError));
  });

  test("takes lists where the help says repeatable, and such options gather their values", () => {
    const repeatable = compressCommand.options.filter(isRepeatable);
    expect(repeatable.map(({ long }) => long)).toEqual(expect.arrayContaining(["--tensor", "--freeze", "--report"]));
    for (const { long, parseArg } of repeatable) {
      const value = long === "--limit" ? "50%" : "a=1";
      const both = parseArg!(value, parseArg!(value, undefined as never) as never);
      expect({ long, both }).toEqual({ long, both: [expect.anything(), expect.anything()] });
    }
  });
});

test("the recipes of the documentation can be read", async () => {
  const page = readFileSync(new URL("../../docs/recipe.md", import.meta.url), "utf8");
  const recipes = [...page.matchAll(/```yaml\n(# compress\.yaml[\s\S]*?)```/g)].map(([, text]) => text!);
  expect(recipes.length).toBeGreaterThan(1);
  for (const text of recipes) await expect(read(text)).resolves.toBeDefined();
});
