import type { Call, Comparison, FileFacts, HostVerdict, Place } from "../facts.js";
import { officialFile } from "../official.js";
import type { Problem, Rule } from "../rule.js";
import { setUp } from "./example-client.js";

export const httpErrors: Rule = {
  id: "http-errors",
  code: "R20",
  title: "Handling of errors and keep-alive lines that fits an older server",
  severity: { "v3.1": "info", current: "warning" },
  effect: "silent change",
  explanation:
    "DeepSeek's list of error codes is unchanged, but a body that it cannot read was answered with 422 in V3.0's time and, as dated reports of users show, with 400 by the end of 2025: code that tests for 422 alone misses it. V3.0 and V3.1 had no rate limit, and held a connection with empty lines or comments (: keep-alive) for up to 30 minutes; since V4 there are caps on concurrent requests, answered with 429, and a request that has not begun after 10 minutes is closed. A hand-written reader of the stream has to pass over lines that are no data in every version, or its JSON.parse throws on the first one.",
  examples: [
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `${setUp}export const isMalformed = (error: { status: number }) => error.status === 422;
export const ask = () => client.chat.completions.create({ model: "deepseek-flash", messages: [] });
`,
      after: `${setUp}export const isMalformed = (error: { status: number }) => (error.status === 400 || error.status === 422);
export const ask = () => client.chat.completions.create({ model: "deepseek-flash", messages: [] });
`,
    },
    {
      target: "v3.1",
      language: "js",
      by: "none",
      before: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: "deepseek-chat", messages, stream: true }),
});
for (const line of (await response.text()).split("\\n")) {
  handle(JSON.parse(line.slice(6)));
}
`,
      after: `const response = await fetch("https://api.deepseek.com/chat/completions", {
  method: "POST",
  body: JSON.stringify({ model: "deepseek-chat", messages, stream: true }),
});
for (const line of (await response.text()).split("\\n")) {
  if (!line.startsWith("data: ") || line.endsWith("[DONE]")) continue;
  handle(JSON.parse(line.slice(6)));
}
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
def is_malformed(error):
    return error.status_code == 422
client.chat.completions.create(model="deepseek-flash", messages=messages)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
def is_malformed(error):
    return error.status_code in (400, 422)
client.chat.completions.create(model="deepseek-flash", messages=messages)
`,
    },
    {
      target: "current",
      language: "py",
      by: "none",
      before: `import json
import requests
body = {"model": "deepseek-flash", "messages": messages, "stream": True}
response = requests.post("https://api.deepseek.com/chat/completions", json=body, stream=True)
for line in response.iter_lines():
    handle(json.loads(line[6:]))
`,
      after: `import json
import requests
body = {"model": "deepseek-flash", "messages": messages, "stream": True}
response = requests.post("https://api.deepseek.com/chat/completions", json=body, stream=True)
for line in response.iter_lines():
    if line.startswith(b"data: {"):
        handle(json.loads(line[6:]))
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/quick_start/error_codes",
      "https://api-docs.deepseek.com/quick_start/rate_limit",
      "https://github.com/eclipse-theia/theia/issues/15144",
      "https://github.com/marimo-team/marimo/issues/7036",
    ],
    date: "2026-11-23",
    confidence: "secondary",
  },
  *check(facts, target) {
    for (const file of facts.files) {
      const host = officialFile(file);
      if (!host) continue;
      yield* ofMalformed(file, host);
      yield* ofStreamReaders(file, host);
      if (target === "current") yield* ofRetries(file, host);
    }
  },
};

const isStatus = (subject: string): boolean => /(status|status_?code|code|http_?status)\)?$/i.test(subject);

/** Values that a subject is compared with, in tests and switches alike. */
interface Tested {
  readonly subject: string;
  readonly value: unknown;
  readonly place: Place;
  readonly comparison?: Comparison;
}

function statusTests(file: FileFacts): readonly Tested[] {
  return [
    ...file.comparisons
      .filter(({ operator }) => operator === "equals" || operator === "case")
      .map((comparison): Tested => ({ ...comparison, comparison })),
    ...file.switches.flatMap(({ subject, cases }) => cases.map((one): Tested => ({ subject, ...one }))),
  ].filter(({ subject, value }) => isStatus(subject) && Number.isFinite(Number(value)));
}

/** Tests for 422 in a file that does not know 400. */
function* ofMalformed(file: FileFacts, host: HostVerdict): Iterable<Problem> {
  const tests = statusTests(file);
  const knows = (status: number) => tests.some(({ value }) => Number(value) === status);
  const message =
    "a body the server cannot read is answered with 400 today, with 422 in V3.0's time; this tests for 422 alone";
  if (!knows(400)) {
    for (const { value, place, comparison, subject } of tests) {
      if (Number(value) !== 422) continue;
      yield {
        message,
        place,
        host,
        manual: "400 stands for other mistakes as well: read the error's message",
        ...fixOf(file, subject, place, comparison),
      };
    }
  }
  const classes = file.comparisons.filter(({ operator }) => operator === "instance");
  const named = (name: string) =>
    classes.filter(({ value }) => new RegExp(`(^|\\W)${name}(\\W|$)`).test(String(value)));
  if (named("BadRequestError").length > 0) return;
  for (const { place } of named("UnprocessableEntityError")) {
    yield {
      message: message.replace("tests for 422", "catches UnprocessableEntityError (422)"),
      place,
      host,
      manual: "catch BadRequestError (400) as well",
    };
  }
}

function fixOf(
  file: FileFacts,
  subject: string,
  place: Place,
  comparison: Comparison | undefined,
): Pick<Problem, "fix"> {
  const text = file.text.slice(place.start, place.end);
  const isPython = file.language === "python" || file.language === "notebook";
  const plain = isPython ? /^(\S+) == 422$/ : /^(\S+) ===? 422$/;
  // a value that is computed twice may differ: names and members only
  if (comparison?.operator !== "equals" || !plain.test(text) || !/^[\w.?[\]]+$/.test(subject)) return {};
  const operator = /===?/.exec(text)![0];
  const both = isPython ? `${subject} in (400, 422)` : `(${subject} ${operator} 400 || ${subject} ${operator} 422)`;
  return {
    fix: { applicability: "suggested", description: "test for 400 as well", edits: [{ ...place, text: both }] },
  };
}

const cutsData =
  /^\(?\w+(\.trim\(\)|\.strip\(\))?\)?(\.(slice|substring|substr)\((5|6|"data: ?"\.length|'data: ?'\.length)\)|\.replace\((["'])data: ?\5, ?(["'])\6\)|\.replace\(\/\^?data:[^/]*\/\w*, ?(["'])\7\)|\[(5|6|len\(.data: ?.\)):\]|\.removeprefix\(.data: ?.\))(\.trim\(\)|\.strip\(\))?$/;

/** `JSON.parse(line.slice(6))` where no line is passed over. */
function* ofStreamReaders(file: FileFacts, host: HostVerdict): Iterable<Problem> {
  // one that knows comment lines passes over them
  const chooses = file.comparisons.some(
    ({ operator, value }) => operator === "contains" && /^(\^?data:?|:$)/.test(String(value)),
  );
  const filters = file.literals.some(
    ({ kind, value }) => kind === "regex" && /data:/.test(value) && !/^\^?data:/.test(value),
  );
  if (chooses || filters) return;
  for (const call of file.calls) {
    if (!isParse(call) || !cutsData.test(call.arguments[0]?.text ?? "") || isGuarded(file, call)) continue;
    yield {
      message: `${call.callee} gets every line of the stream, blank ones and ": keep-alive" too, on which it throws`,
      place: call.place,
      host,
      severity: "warning",
      manual: 'pass over lines that do not begin with "data: ", and over "data: [DONE]"',
    };
  }
}

const isParse = ({ callee }: Call): boolean =>
  callee === "JSON.parse" || callee === "json.loads" || callee === "orjson.loads";

/** Stands the call in a try block, or behind a test on its line? */
function isGuarded(file: FileFacts, { place }: Call): boolean {
  const before = file.text.slice(Math.max(0, place.start - 200), place.start);
  return /\btry\s*[{:][^}]*$/.test(before) || /\bif\b[^\n]*$/.test(before) || /\?[^\n]*$/.test(before);
}

const retryWord = /\b(retr(y|ies|yable)|backoff|attempts?)\b|retry/i;

/** Retries that know a busy server, but not a cap on concurrent requests; retries switched off. */
function* ofRetries(file: FileFacts, host: HostVerdict): Iterable<Problem> {
  const tests = statusTests(file);
  const knows429 = tests.some(({ value }) => Number(value) === 429) || /\b429\b|RateLimit/.test(file.text);
  const busy = tests.find(({ value }) => Number(value) === 503);
  if (busy && !knows429 && retryWord.test(file.text)) {
    yield {
      message: "503 is tried again here, 429 is not; since V4 too many concurrent requests are answered with 429",
      place: busy.place,
      host,
      severity: "info",
      manual: "wait and try again on 429 as well, or send fewer requests at once",
    };
  }
  for (const call of file.calls) {
    const retries = call.parameters.find(({ name }) => name === "maxRetries" || name === "max_retries");
    const isClient = /^(Async)?OpenAI$|DeepSeek/.test(call.name) && call.isConstruction;
    if (!retries || !isClient || retries.value.candidates[0]?.value !== 0 || knows429) continue;
    yield {
      message: `${retries.name} 0 lets every 429 through; since V4 too many concurrent requests are answered so`,
      place: retries.place,
      host,
      severity: "info",
      manual: "leave the client's own retries on, or handle 429",
    };
  }
}
