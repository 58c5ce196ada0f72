import { describe, expect, test } from "@jest/globals";
import { type Comment, emptyFacts, type FileFacts } from "../../../src/compat/facts.js";
import { applySuppressions, readSuppressions } from "../../../src/compat/gates/suppressions.js";
import { rules } from "../../../src/compat/rules/index.js";
import { scan } from "../../../src/compat/scan.js";
import { memorySources } from "../memory.js";

/** Facts of a file whose `//` and `#` comments with the marker are known. */
function fileWith(text: string, file = "a.ts"): FileFacts {
  const comments: Comment[] = [...text.matchAll(/(?:\/\/|#) ?(.*deepseek-compat-ignore.*)/g)].map((match) => ({
    text: match[1]!,
    place: { file, start: match.index, end: match.index + match[0].length },
  }));
  return { ...emptyFacts(file, "typescript", text), comments };
}

const finding = (text: string, code: string, rule = "retired-model-alias") => {
  const start = text.indexOf(code);
  return { rule, message: code, place: { file: "a.ts", start, end: start + code.length } };
};

const outcome = (text: string, found: readonly ReturnType<typeof finding>[], today = "2026-11-25", ran = rules) =>
  applySuppressions({ files: [fileWith(text)] }, found, rules, (id) => ran.some((rule) => rule.id === id), today);

describe("reach", () => {
  test("plain: its own line only", () => {
    const text = "one // deepseek-compat-ignore R01 -- kept for the tests\ntwo\n";
    const { active, suppressed } = outcome(text, [finding(text, "one"), finding(text, "two")]);
    expect(active.map(({ message }) => message)).toEqual(["two"]);
    expect(suppressed).toMatchObject([{ finding: { message: "one" }, by: { reason: "kept for the tests", line: 1 } }]);
  });

  test("-next-line: the next line of code, past blank lines and other comments", () => {
    const text =
      "# deepseek-compat-ignore-next-line retired-model-alias, R05 -- why\n\n# another comment\none = 1\ntwo = 2\n";
    const { active, suppressed, unused } = outcome(text, [finding(text, "one"), finding(text, "two")]);
    expect(active.map(({ message }) => message)).toEqual(["two"]);
    expect(suppressed).toHaveLength(1);
    expect(unused).toMatchObject([{ message: expect.stringContaining("max-completion-tokens finds nothing") }]);
  });

  test("-file: everywhere in the file, that rule only", () => {
    const text = "// deepseek-compat-ignore-file r01 -- fixtures\none\ntwo\n";
    const { active } = outcome(text, [finding(text, "one"), finding(text, "two"), finding(text, "two", "R05")]);
    expect(active.map(({ rule }) => rule)).toEqual(["R05"]);
  });

  test("lines with CRLF are counted the same", () => {
    const text = "x\r\n// deepseek-compat-ignore-next-line R01 -- why\r\none\r\n";
    expect(outcome(text, [finding(text, "one")]).active).toEqual([]);
  });
});

describe("what is malformed suppresses nothing and is said", () => {
  test.each([
    ["deepseek-compat-ignore", "it names no rule"],
    ["deepseek-compat-ignore -- because", "it names no rule"],
    ["deepseek-compat-ignore R01", "it gives no reason after --"],
    ["deepseek-compat-ignore R01 --", "it gives no reason after --"],
    ["deepseek-compat-ignore R01 because I can", "it gives no reason after --"],
    ["deepseek-compat-ignore all -- because", 'there is no rule "all"'],
    ["deepseek-compat-ignore R01, -- because", "there is a comma too many"],
    ["deepseek-compat-ignore R99 -- because", 'there is no rule "R99"'],
    ["deepseek-compat-ignore R62 -- because", "malformed-suppression cannot be suppressed"],
    ["deepseek-compat-ignore-line R01 -- because", "there is no deepseek-compat-ignore-line"],
    ["deepseek-compat-ignore R01 -- later until 2027-13-01", "2027-13-01 is no day written as YYYY-MM-DD"],
    ["deepseek-compat-ignore R01 -- until 2027-01-31", "it gives no reason before until"],
    ["see: deepseek-compat-ignore R01 -- because", "it must stand at the start of the comment"],
  ])("%s", (comment, why) => {
    const text = `one // ${comment}\n`;
    const { active, malformed } = outcome(text, [finding(text, "one")]);
    expect(active).toHaveLength(1);
    expect(malformed.map(({ message }) => message)).toEqual([`this comment suppresses nothing: ${why}`]);
  });

  test("prose that mentions the marker is neither", () => {
    const text = "// how deepseek-compat-ignore works is written in the guide\n";
    expect(readSuppressions(fileWith(text), rules)).toEqual({ valid: [], malformed: [] });
  });
});

describe("until", () => {
  const text = "one // deepseek-compat-ignore R01 -- moves with the release until 2026-11-25\n";
  test("holds on its last day", () => {
    const { active, suppressed } = outcome(text, [finding(text, "one")], "2026-11-25");
    expect(active).toEqual([]);
    expect(suppressed[0]!.by).toEqual({ reason: "moves with the release", until: "2026-11-25", line: 1 });
  });
  test("is over on the next", () => {
    const { active, malformed, unused } = outcome(text, [finding(text, "one")], "2026-11-26");
    expect(active).toHaveLength(1);
    expect(malformed[0]!.message).toMatch(/ended on 2026-11-25 and suppresses nothing any more/);
    expect(unused).toEqual([]);
  });
});

test("of a rule that did not run, nothing can be said to be unused", () => {
  const text = "one // deepseek-compat-ignore R01 -- why\n";
  const ran = rules.filter(({ code }) => code === "R05");
  expect(outcome(text, [], "2026-11-25", ran).unused).toEqual([]);
  expect(outcome(text, []).unused).toHaveLength(1);
});

test("documentation may show comments of every kind; those in force hold there too", () => {
  const text = "one // deepseek-compat-ignore R01 -- why\ntwo // deepseek-compat-ignore R01\n";
  const facts = { files: [{ ...fileWith(text), reportOnly: true as const }] };
  const { active, malformed, unused } = applySuppressions(
    facts,
    [finding(text, "one")],
    rules,
    () => true,
    "2026-11-25",
  );
  expect([active, malformed, unused]).toEqual([[], [], []]);
  expect(applySuppressions(facts, [], rules, () => true).unused).toEqual([]);
});

describe("where no comment can stand inside", () => {
  const suppressedLines = async (file: string, text: string) => {
    const { suppressed, findings } = await scan(memorySources({ [file]: text }), { target: "current" });
    expect(findings.map(({ code, line }) => `${line} ${code}`)).toEqual([]);
    return suppressed.map(({ line }) => line);
  };
  const ignore = "# deepseek-compat-ignore-next-line R01 -- kept\n";
  const body = '{"model": "deepseek-chat", "messages": []}';
  const curl = "curl https://api.deepseek.com/chat/completions";

  test("-next-line covers a shell command over several lines, and what it reads from below", async () => {
    expect(await suppressedLines("a.sh", `${ignore}${curl} \\\n  -H 'x: y' \\\n  -d '${body}'\n`)).toEqual([4]);
    expect(await suppressedLines("a.sh", `${ignore}${curl} -d @- <<EOF\n${body}\nEOF\n`)).toEqual([3]);
  });

  test("-next-line covers a request of a .http file", async () => {
    const request = "POST https://api.deepseek.com/chat/completions\nContent-Type: application/json\n";
    expect(await suppressedLines("a.http", `${ignore}${request}\n${body}\n`)).toEqual([5]);
  });

  test("a comment in the markup of a Vue file speaks of its file and of lines of markup", async () => {
    const call =
      'new OpenAI({ baseURL: "https://api.deepseek.com" }).chat.completions.create({ model: "deepseek-chat" })';
    const page = (words: string) => `<!-- ${words} -->\n<script setup lang="ts">\n${call};\n</script>\n`;
    expect(await suppressedLines("a.vue", page("deepseek-compat-ignore-file R01 -- old page"))).toEqual([3]);
    const { findings } = await scan(memorySources({ "a.vue": page("deepseek-compat-ignore-file R01") }), {
      target: "current",
    });
    expect(findings.map(({ code, line }) => `${line} ${code}`)).toEqual(["1 R62", "3 R01"]);
  });
});
