import { describe, expect, test } from "@jest/globals";
import { findComponents } from "../../../src/compat/plan/components.js";
import { readOwners } from "../../../src/compat/plan/owners.js";
import { type ComponentKind, kindByPath, signalsOf } from "../../../src/compat/plan/signals.js";

const sourcesOf = (files: Readonly<Record<string, string>>) => ({
  paths: Object.keys(files).sort(),
  has: (path: string) => Object.hasOwn(files, path),
  read: (path: string) => files[path],
});
const componentsOf = async (files: Readonly<Record<string, string>>) =>
  (await findComponents(sourcesOf(files))).components.map(({ root, name, kind }) => `${root || "."} ${name}: ${kind}`);

describe("what a file of code or commands says", () => {
  test.each<[path: string, text: string, kinds: readonly ComponentKind[]]>([
    ["a.ts", 'import express from "express";', ["inference service"]],
    ["a.js", 'const { Hono } = require("hono");', ["inference service"]],
    ["a.ts", 'import { expression } from "./express-like.js";', []],
    ["app/api/chat/route.ts", "export async function POST() {}", ["inference service"]],
    ["a.py", "from fastapi import FastAPI\n", ["inference service"]],
    ["a.py", "from celery import Celery\n", ["inference service"]],
    ["a.py", "# import fastapi\nfrom fastapix import y\n", []],
    ["a.py", "from trl import SFTTrainer\n", ["training"]],
    ["a.py", "loss.backward()\noptimizer.step()\n", ["training"]],
    ["a.py", "from vllm import LLM\n", ["serving"]],
    ["a.py", "import pyspark.sql\n", ["data pipeline"]],
    ["a.py", "from datasets import load_dataset\n", ["data pipeline"]],
    ["a.py", "import lm_eval\n", ["evaluation"]],
    ["run.sh", "torchrun --nproc 8 train.py", ["training"]],
    ["run.sh", "vllm serve deepseek-ai/DeepSeek-V3 --tool-call-parser deepseek_v3", ["serving"]],
    ["run.sh", "python -m sglang.launch_server --model-path x", ["serving"]],
    ["run.sh", "echo train the model", []],
    ["crontab", "0 3 * * * node a.js", ["data pipeline"]],
    ["a.ipynb", '{"cells":[{"cell_type":"code","source":[\n"from peft import LoraConfig\\n"\n]}]}', ["training"]],
    ["a.ipynb", '{"cells":[{"cell_type":"code","source":[\n"print(1)"\n]}]}', ["evaluation"]],
    ["notes.md", "import fastapi", []],
  ])("%s: %s", (path, text, kinds) => {
    expect([...new Set(signalsOf(path, text).map(({ kind }) => kind))]).toEqual(kinds);
  });

  test("tests and documentation go by names that tools go by", () => {
    expect(
      ["src/a.test.ts", "tests/a.py", "test_a.py", "docs/a.ts", "README.md", "src/latest.ts"].map(kindByPath),
    ).toEqual(["test", "test", "test", "docs", "docs", undefined]);
  });
});

describe("the components of a repository", () => {
  test("folders alone say nothing: a folder named training without training is a library", async () => {
    const files = {
      "training/package.json": '{"name":"training","main":"a.js"}',
      "training/a.js": "export const a = 1;",
    };
    expect(await componentsOf(files)).toEqual(["training training: library"]);
  });

  test("compose services with an image stand alone, those with a build speak for their folder", async () => {
    const compose = `services:
  db:
    image: postgres:17
  llm:
    image: lmsysorg/sglang:latest
    command: ["python", "-m", "sglang.launch_server"]
  api:
    build: { context: ./api }
    command: uvicorn main:app
`;
    const files = { "compose.yaml": compose, "api/requirements.txt": "openai\n" };
    expect(await componentsOf(files)).toEqual(["api api: inference service", "compose.yaml llm: serving"]);
  });

  test("a line of a compose file speaks of the service it stands in", async () => {
    const compose =
      "services:\n  llm:\n    image: vllm/vllm-openai\n  api:\n    build: ./api\n    environment:\n      A: b\n";
    const files = { "compose.yaml": compose, "api/package.json": '{"dependencies":{"koa":"3"}}' };
    const { roleOf } = await findComponents(sourcesOf(files));
    expect([1, 3, 7].map((line) => roleOf("compose.yaml", line).component?.name)).toEqual([undefined, "llm", "api"]);
  });

  test("Kubernetes, workflows and several documents in a file", async () => {
    const k8s = `apiVersion: apps/v1
kind: Deployment
metadata: { name: llm }
spec: { template: { spec: { containers: [{ name: a, image: "vllm/vllm-openai:v0.9" }] } } }
---
kind: Service
metadata: { name: llm }
---
kind: CronJob
metadata: { name: nightly }
spec: { schedule: "0 1 * * *" }
`;
    const workflow = "on: push\njobs:\n  build:\n    steps:\n      - run: npm test\n";
    expect(await componentsOf({ "k8s/all.yml": k8s, ".github/workflows/ci.yml": workflow })).toEqual([
      "k8s/all.yml llm: serving",
      "k8s/all.yml nightly: data pipeline",
    ]);
  });

  test("a single package holds a service, and a training script beside it stands on its own", async () => {
    const files = {
      "package.json": '{"name":"app","dependencies":{"express":"5"}}',
      "src/server.ts": 'import express from "express";',
      "scripts/finetune.py": "from trl import SFTTrainer\n",
    };
    expect(await componentsOf(files)).toEqual([". app: inference service", "scripts scripts: training"]);
  });

  test("a module takes its role from the server that imports it, and files are ordered after what they import", async () => {
    const files = {
      "lib/ask.ts": 'export const ask = "deepseek-chat";',
      "lib/more.ts": 'import { ask } from "./ask.js";\nexport { ask };',
      "server.ts": 'import { createServer } from "node:http";\nimport "./lib/more.js";\ncreateServer(() => {});',
    };
    const { roleOf, inOrder } = await findComponents(sourcesOf(files));
    expect(roleOf("lib/ask.ts")).toMatchObject({ kind: "inference service", evidence: "server.ts imports it" });
    expect(inOrder(["server.ts", "lib/more.ts", "lib/ask.ts"])).toEqual(["lib/ask.ts", "lib/more.ts", "server.ts"]);
  });

  test("rubbish declares nothing and breaks nothing", async () => {
    const files = {
      "package.json": "{ nonsense",
      "a/package.json": "null",
      "b/package.json": '{"scripts":3,"dependencies":["x"],"name":{}}',
      "compose.yaml": "services: [\n  - : :\n\t- x",
      "k8s.yaml": "kind: &a [*a]\nservices: 3",
      ".github/workflows/x.yml": "jobs:\n  - a",
      "pyproject.toml": "\u0000[[[",
    };
    const { components } = await findComponents(sourcesOf(files));
    expect(components.every(({ kind }) => kind === "library")).toBe(true);
  });

  test("an import circle ends", async () => {
    const files = { "a.ts": 'import "./b.js";', "b.ts": 'import "./a.js";' };
    expect((await findComponents(sourcesOf(files))).inOrder(["a.ts", "b.ts"])).toEqual(["b.ts", "a.ts"]);
  });
});

test("CODEOWNERS: the last line that fits counts, comments and sections say nothing", async () => {
  const ownersOf = await readOwners(
    "# all\n* @all\n[Docs] @docs\n/src/ @src # inner\n*.py @py me@example.com\n/src/free/\n",
  );
  expect(
    ["a.ts", "src/a.ts", "src/a.py", "x/src/a.ts", "src/free/a.ts", "../a.ts"].map((file) => ownersOf(file)),
  ).toEqual([["@all"], ["@src"], ["@py", "me@example.com"], ["@all"], [], []]);
});
