// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the holes of other languages
import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../../src/compat/fix/fix.js";
import { memorySources } from "../memory.js";
import { at, errorsIn, readText } from "./read.js";

const wordsOf = async (text: string, file = "a.sh") =>
  (await readText(file, text)).commands.map(({ words }) => words.map((word) => word.text));

describe("commands and words", () => {
  test.each([
    ['a b \'c d\' "e\\"f" g\\ h', [["a", "b", "c d", 'e"f', "g h"]]],
    ["a \\\n  b # c\nd", [["a", "b"], ["d"]]],
    ["a | b && c || d; e & f", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]],
    ["if a; then b; else c; fi", [["a"], ["b"], ["c"]]],
    ["for x in 1 2; do a $x; done", [["a", "…"]]],
    ["x=$(a b)\nc `d`", [["a", "b"], ["d"], ["c", "…"]]],
    ["f() { a b; }\nf", [["a", "b"], ["f"]]],
    ["a > out 2>&1 < in b", [["a", "b"]]],
    ["a#b #c", [["a#b"]]],
    ["M=m\na $M ${M} \"x-$M\" '$M' ${N:-n} $N", [["a", "m", "m", "x-m", "$M", "n", "…"]]],
    ["cat <<EOF\na b\nEOF\nc", [["cat"], ["c"]]],
    ["(cd x && a)", [["cd", "x"], ["a"]]],
  ])("%j", async (text, expected) => expect(await wordsOf(text)).toEqual(expected));

  test("makefiles, Procfiles and PowerShell", async () => {
    expect(await wordsOf("M ?= m\n.PHONY: a\na: b\n\t@vllm serve $(M)\n", "Makefile")).toEqual([
      ["vllm", "serve", "m"],
    ]);
    expect(await wordsOf("web: vllm serve m\n", "Procfile")).toEqual([["vllm", "serve", "m"]]);
    expect(await wordsOf('vllm serve `\n  "m"\n', "a.ps1")).toEqual([["vllm", "serve", "m"]]);
  });

  test("secrets stay out of words", async () => {
    const words = await wordsOf(
      'curl -H "Authorization: Bearer abc.def" -u me:pw x\nvllm serve m --api-key hunter2 --hf-token=hunter2\ndocker run -e API_KEY=hunter2 x sk-0123456789abcdef0123',
    );
    expect(JSON.stringify(words)).not.toMatch(/abc\.def|me:pw|hunter2|0123456789abcdef/);
  });

  test("open quotes and here-docs are errors", async () => {
    expect(await errorsIn("a.sh", "a 'b\nc")).toBe(1);
    expect(await errorsIn("a.sh", "cat <<EOF\nx\n")).toBe(1);
    expect(await errorsIn("a.sh", "curl https://api.deepseek.com -d '{\"a\": }'")).toBe(1);
    expect(await errorsIn("a.sh", "a 'b'\ncat <<'EOF'\n'\nEOF\n# it's\n")).toBe(0);
  });
});

const body = '{"model": "deepseek-chat", "messages": []}';
const requestOf = async (text: string, file = "a.sh") => {
  const facts = await readText(file, text);
  expect(facts.requests).toHaveLength(1);
  const request = facts.requests[0]!;
  const [model] = request.model?.candidates ?? [];
  return {
    host: `${request.host.host} ${request.host.certainty}`,
    url: request.baseUrl?.candidates[0]?.value,
    endpoint: request.endpoint,
    model: model?.value,
    at: model && at(facts, model.place),
    path: model?.path,
    edits: request.object !== undefined,
  };
};

describe("requests of curl, wget and httpie", () => {
  const plain = {
    host: "official certain",
    url: "https://api.deepseek.com/v1/chat/completions",
    endpoint: "/v1/chat/completions",
    model: "deepseek-chat",
    at: '"deepseek-chat"',
    path: [],
    edits: true,
  };
  const url = plain.url;

  test.each([
    ["data", `curl -s -X POST ${url} -H 'A: b' -d '${body}'`],
    ["data first", `curl --data-raw '${body}' --url "${url}"`],
    ["json", `curl --json '${body}' ${url} | jq .`],
    ["joined flags", `curl -sSd '${body}' ${url}`],
    ["an equals sign", `wget --post-data='${body}' ${url}`],
    ["a here-doc", `curl ${url} -d @- <<'EOF'\n${body}\nEOF`],
    ["a here-doc with holes allowed, but none in it", `curl ${url} -d @- <<EOF\n${body}\nEOF`],
    ["a here-string", `curl ${url} -d @- <<< '${body}'`],
    ["a pipe", `echo '${body}' | curl -d @- ${url}`],
    ["a pipe from a here-doc", `cat <<'EOF' | curl -d @- ${url}\n${body}\nEOF`],
    ["httpie", `http POST ${url} A:b --raw '${body}'`],
    ["httpie from a pipe", `echo '${body}' | http ${url}`],
    ["a substitution", `R=$(curl ${url} -d '${body}')`],
    ["a substitution in quotes", `echo "$(curl ${url} -d '${body}')"`],
    ["a variable as URL", `URL=${url}\ncurl "$URL" -d '${body}'`],
  ])("%s", async (_, text) => expect(await requestOf(text)).toEqual(plain));

  test("a body in double quotes is understood and never edited", async () => {
    expect(await requestOf(`curl ${url} -d "{\\"model\\": \\"deepseek-chat\\", \\"messages\\": []}"`)).toEqual({
      ...plain,
      at: '\\"deepseek-chat\\"',
      edits: false,
    });
  });

  test("variables lead to their values, with the way there", async () => {
    const text = `BASE=\${DEEPSEEK_BASE_URL:-https://api.deepseek.com}\nMODEL=deepseek-chat\ncurl $BASE/v1/chat/completions -d "{\\"model\\": \\"$MODEL\\", \\"n\\": $N, \\"messages\\": []}"`;
    expect(await requestOf(text)).toEqual({ ...plain, at: "deepseek-chat", path: ["MODEL, a.sh:2"], edits: false });
    const quoted = `MODEL=deepseek-chat\ncurl ${url} -d '{"model": "'"$MODEL"'", "messages": []}'`;
    expect(await requestOf(quoted)).toEqual({ ...plain, at: "deepseek-chat", path: ["MODEL, a.sh:1"], edits: false });
  });

  test("a variable that may be another is not certain", async () => {
    const text = `M=deepseek-chat\nif [ "$1" ]; then M=$1; fi\ncurl ${url} -d "{\\"model\\": \\"$M\\", \\"messages\\": []}"`;
    const { requests } = await readText("a.sh", text);
    expect(requests[0]?.model).toMatchObject({ certainty: "possible", open: true });
  });

  test.each([
    ["another host", `curl https://openrouter.ai/api/v1/chat/completions -d '${body}'`, "openrouter certain"],
    ["nobody knows", `curl "$URL" -d '${body}'`, "unknown unknown"],
    ["a name alone", `curl "$DEEPSEEK_BASE_URL/x" -d '${body}'`, "official possible"],
  ])("the host: %s", async (_, text, host) => expect((await requestOf(text)).host).toBe(host));

  test.each([
    `curl ${url}`,
    `curl ${url} -d @file.json`,
    `curl ${url} -d 'a=b'`,
    `curl ${url} -d '{"input": 1}'`,
    `echo curl '${body}'`,
  ])("%s is none", async (text) => expect((await readText("a.sh", text)).requests).toEqual([]));

  test("in workflows, Dockerfiles, package scripts and makefiles", async () => {
    const call = `curl ${url} -d '${body}'`;
    expect(
      await requestOf(`jobs:\n  a:\n    steps:\n      - run: |\n          ${call}\n`, ".github/workflows/a.yml"),
    ).toEqual(plain);
    expect(
      await requestOf(`a:\n  script:\n    - >-\n      curl ${url}\n      -d '${body}'\n`, ".gitlab-ci.yml"),
    ).toEqual(plain);
    expect(await requestOf(`FROM x\nRUN a && \\\n  ${call}\n`, "Dockerfile")).toEqual(plain);
    expect(await requestOf(`a:\n\t@${call}\n`, "Makefile")).toEqual(plain);
    expect(await requestOf(JSON.stringify({ scripts: { a: call } }), "package.json")).toEqual({
      ...plain,
      at: '\\"deepseek-chat\\"',
      edits: false,
    });
  });
});

describe("model ids in commands", () => {
  test.each([
    ["vllm serve deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3 argument vllm: self-hosted certain"],
    [
      "python -m sglang.launch_server --model-path deepseek-ai/DeepSeek-R1",
      "deepseek-ai/DeepSeek-R1 argument model-path: self-hosted certain",
    ],
    [
      "docker run vllm/vllm-openai --model=deepseek-ai/DeepSeek-V3",
      "deepseek-ai/DeepSeek-V3 argument model: self-hosted certain",
    ],
    ["ollama run deepseek-r1:7b", "deepseek-r1:7b argument ollama: ollama certain"],
    ["aider --model deepseek/deepseek-chat", "deepseek/deepseek-chat argument model: official certain"],
    ["python x.py --model deepseek-chat", "deepseek-chat argument model: unknown unknown"],
    ["export MODEL=deepseek-chat", "deepseek-chat setting MODEL: unknown unknown"],
    ["model=deepseek-chat", "deepseek-chat constant model: unknown unknown"],
    ["docker run -e DEEPSEEK_MODEL=deepseek-chat x", "deepseek-chat setting DEEPSEEK_MODEL: unknown unknown"],
    ["gcloud run --set-env-vars=A=b,MODEL=deepseek-chat", "deepseek-chat setting MODEL: unknown unknown"],
    ["jq -n '{model:\"deepseek-chat\"}'", "deepseek-chat property model: unknown unknown"],
    ["for m in deepseek-chat; do x; done", "deepseek-chat list m: unknown unknown"],
  ])("%s", async (text, expected) => {
    const { mentions } = await readText("a.sh", text);
    expect(mentions.map(({ id, kind, name, host }) => `${id} ${kind} ${name}: ${host.host} ${host.certainty}`)).toEqual(
      [expected],
    );
  });
});

describe("fixes", () => {
  const fixed = async (file: string, text: string) =>
    (await applyFixes(memorySources({ [file]: text }), { target: "current" }, "safe")).changed.get(file);
  const after = '{"model": "deepseek-flash", "thinking": {"type": "disabled"}, "messages": []}';

  test.each([
    ["a.sh", `curl https://api.deepseek.com/chat/completions -d '${body}'\r\n`],
    ["a.sh", `curl https://api.deepseek.com/chat/completions -d @- <<'EOF'\n${body}\nEOF\n`],
    ["Dockerfile", `FROM x\nRUN curl https://api.deepseek.com/chat/completions -d '${body}'\n`],
    [
      ".github/workflows/a.yml",
      `steps:\n  - run: |\n      curl https://api.deepseek.com/chat/completions -d '${body}'\n`,
    ],
    ["a.http", `POST https://api.deepseek.com/chat/completions\n\n${body}\n`],
  ])("%s: name and switch, and not one character more", async (file, text) =>
    expect(await fixed(file, text)).toBe(text.replace(body, after)),
  );

  test("lines stay lines", async () => {
    const text = `steps:\n  - run: |\n      curl https://api.deepseek.com/chat/completions -d '{\n        "model": "deepseek-reasoner",\n        "messages": []\n      }'\n`;
    expect(await fixed(".github/workflows/a.yml", text)).toBe(
      text.replace('"deepseek-reasoner",', '"deepseek-flash",\n        "thinking": {"type": "enabled"},'),
    );
  });

  test.each([
    [
      "escapes",
      `curl https://api.deepseek.com/chat/completions -d "{\\"model\\": \\"deepseek-chat\\", \\"messages\\": []}"`,
    ],
    ["an unknown host", `curl $URL -d '${body}'`],
    ["a likely host", `curl $DEEPSEEK_BASE_URL/chat/completions -d '${body}'`],
    ["a chosen model", `curl https://api.deepseek.com -d '{"model": "'$MODEL'", "messages": []}'`],
  ])("never by itself: %s", async (_, text) => expect(await fixed("a.sh", text)).toBeUndefined());
});
