// Long because the rule turns round between its targets: what one must not send, the other must.
import { clients } from "../clients.js";
import { type Facts, type FileFacts, type HistoryItem, type MemberUse, type Request, textOf } from "../facts.js";
import { removeStatement } from "../fix/edits.js";
import { asksDeepSeek, settingOf, severityOf } from "../requests.js";
import type { Edit, Problem, Rule } from "../rule.js";
import type { Target } from "../targets.js";
import { parameterAt, thinkingReason } from "../thinking.js";
import { setUp } from "./example-client.js";

export const reasoningContentRoundtrip: Rule = {
  id: "reasoning-content-roundtrip",
  code: "R10",
  title: "Reasoning that is sent back where it must not be, or is missing where it must be",
  severity: { "v3.1": "error", current: "error" },
  effect: "hard error",
  explanation:
    'The rule turns round between versions. With R1, V3.1 and up to V3.2-Exp an input message with reasoning_content is refused with 400: read it, then append only the content. Pushing a whole answer of deepseek-reasoner into the history does send it. Since V3.2 it is the other way round in turns with tool calls, and today a request with tools whose model thinks must carry reasoning_content for all earlier answers, or it is refused with "The reasoning_content in the thinking mode must be passed back to the API."; without tools it is ignored. So for V3.1 the message is cut down, and today it is kept whole; a request that does not think is not concerned. The AI SDK, LangChain and litellm keep the history themselves. That a server of one\'s own refuses the field as the official API did is not certain.',
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "safe",
      before: `${setUp}const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Hello" }];
const reply = await client.chat.completions.create({ model: "deepseek-reasoner", messages });
messages.push(reply.choices[0].message);
`,
      after: `${setUp}const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "Hello" }];
const reply = await client.chat.completions.create({ model: "deepseek-reasoner", messages });
messages.push({ role: "assistant", content: reply.choices[0].message.content });
`,
    },
    {
      target: "current",
      language: "ts",
      by: "suggested",
      before: `${setUp}const reply = await client.chat.completions.create({ model: "deepseek-flash", messages, tools });
const { message } = reply.choices[0];
messages.push({ role: "assistant", content: message.content, tool_calls: message.tool_calls });
`,
      after: `${setUp}const reply = await client.chat.completions.create({ model: "deepseek-flash", messages, tools });
const { message } = reply.choices[0];
messages.push(message);
`,
    },
    {
      target: "current",
      language: "js",
      by: "suggested",
      before: `${setUp}for (const message of messages) {
  message.content ??= "";
  delete message.reasoning_content;
}
const reply = await client.chat.completions.create({ model: "deepseek-reasoner", messages, tools });
`,
      after: `${setUp}for (const message of messages) {
  message.content ??= "";
}
const reply = await client.chat.completions.create({ model: "deepseek-reasoner", messages, tools });
`,
    },
    {
      target: "v3.1",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-reasoner", messages=messages)
messages.append(reply.choices[0].message)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-reasoner", messages=messages)
messages.append({"role": "assistant", "content": reply.choices[0].message.content})
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
message = reply.choices[0].message
messages.append({"role": "assistant", "content": message.content, "tool_calls": message.tool_calls})
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
message = reply.choices[0].message
messages.append(message)
`,
    },
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
for message in messages:
    message.setdefault("content", "")
    message.pop("reasoning_content", None)
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
for message in messages:
    message.setdefault("content", "")
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
`,
    },
  ],
  source: {
    urls: [
      "https://api-docs.deepseek.com/guides/thinking_mode",
      "https://api-docs.deepseek.com/guides/reasoning_model",
      "https://github.com/cline/cline/commit/e8d6370b0c",
      "https://github.com/continuedev/continue/commit/4b6a09c9e7",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, target) {
    for (const file of facts.files) {
      yield* target === "v3.1" ? sentBack(facts, file) : leftOut(facts, file);
    }
  },
};

/** Does the program itself keep the history of such a request, which goes to DeepSeek? */
function isConcerned(request: Request): boolean {
  const { isPlain, isRouter } = clients[request.client];
  return isPlain && !isRouter && asksDeepSeek(request);
}

/** Requests that send a list of messages; the one whose answer goes into it, where that is known. */
function requestsAround(facts: Facts, file: FileFacts, item: HistoryItem): readonly Request[] {
  const { request: place } = item;
  if (place) {
    return facts.files
      .flatMap(({ requests }) => requests)
      .filter((one) => one.place.file === place.file && one.place.start === place.start && isConcerned(one));
  }
  return file.requests.filter((request) => {
    const messages = request.parameters.find(({ name }) => name === "messages")?.valuePlace;
    const code = messages && textOf(facts, messages.file).slice(messages.start, messages.end);
    return code !== undefined && isConcerned(request) && wordsOf(code).includes(item.list);
  });
}

/** Names in an expression: `[...this.messages, last]` -> `this.messages`, `last`. */
const wordsOf = (code: string): readonly string[] =>
  code.match(/[\w$.]*[\w$]/g)?.map((one) => one.replace(/^\.+/, "")) ?? [];

/** Why all of some requests think; undefined where one does not, or there is none. */
function reasonOf(requests: readonly Request[], target: Target): string | undefined {
  const reasons = requests.map((request) => thinkingReason(request, target));
  return reasons.every((reason) => reason !== undefined) ? reasons[0] : undefined;
}

const hasTools = (request: Request): boolean => settingOf(request, /^(tools|functions)$/) !== undefined;

/** Target v3.1: what sends reasoning_content. */
function* sentBack(facts: Facts, file: FileFacts): Iterable<Problem> {
  for (const item of file.history) {
    const requests = requestsAround(facts, file, item);
    const reason = reasonOf(requests, "v3.1");
    const [request] = requests;
    if (!reason || !request || isTakenOut(file, item)) continue;
    const written = memberIn(file, item);
    if (item.kind === "rebuilt" && !written) continue;
    // it is taken out of the messages somewhere here, before or after they are put into the list
    if (item.kind === "response" && isStripped(file)) continue;
    yield {
      message: `the message put into ${item.list} carries reasoning_content (${reason}), and the next request with it is refused up to V3.2-Exp`,
      place: written?.place ?? item.place,
      host: request.host,
      ...severityOf(request),
      ...(written
        ? { manual: "leave reasoning_content out of messages that are sent again" }
        : cutDown(facts, file, item, request)),
    };
  }
  for (const request of file.requests.filter(isConcerned)) {
    for (const message of request.parameters.find(({ name }) => name === "messages")?.elements ?? []) {
      const field = parameterAt(message.parameters, ["reasoning_content"]);
      if (!field || file.history.some(({ place }) => holds(place, field.place))) continue;
      yield {
        message: "a message with reasoning_content is refused up to V3.2-Exp",
        place: field.place,
        host: request.host,
        ...severityOf(request),
        manual: "leave reasoning_content out of messages that are sent",
      };
    }
  }
}

/** `message.pop("reasoning_content")` in the same function before the message goes into the list. */
function isTakenOut(file: FileFacts, { text, place }: HistoryItem): boolean {
  const around = (offset: number) =>
    file.symbols.filter(
      ({ kind, start, end }) => (kind === "function" || kind === "method") && start <= offset && offset < end,
    ).length;
  return file.members.some(
    ({ name, form, object, place: own }) =>
      name === "reasoning_content" &&
      form === "remove" &&
      object === text &&
      own.end <= place.start &&
      around(own.start) === around(place.start) &&
      !file.symbols.some(
        ({ kind, start }) => kind !== "key" && kind !== "cell" && own.end <= start && start <= place.start,
      ),
  );
}

const holds = (outer: HistoryItem["place"], inner: HistoryItem["place"]): boolean =>
  outer.file === inner.file && outer.start <= inner.start && inner.end <= outer.end;

const isPython = ({ language }: FileFacts): boolean => language === "python" || language === "notebook";

/** Does the file take reasoning_content out of messages? */
function isStripped(file: FileFacts): boolean {
  return file.members.some(
    (member) => member.name === "reasoning_content" && member.form === "remove" && !isOfStream(file, member),
  );
}

/** Where a message built anew is given its reasoning. */
function memberIn(file: FileFacts, item: HistoryItem): MemberUse | undefined {
  if (item.kind !== "rebuilt") return undefined;
  return file.members.find(
    ({ name, form, place }) => name === "reasoning_content" && form === "write" && holds(item.place, place),
  );
}

/** `messages.push(message)` -> `messages.push({ role: "assistant", content: message.content })`. */
function cutDown(facts: Facts, file: FileFacts, item: HistoryItem, request: Request): Pick<Problem, "manual" | "fix"> {
  const advice = "append only role and content; tool_calls too where there are tools";
  if (request.host.host !== "official") return { manual: `${advice}; an unknown host is never fixed` };
  const code = file.text.slice(item.place.start, item.place.end);
  const source = /^([\w$]+(?:[\w$.!]|\?\.|\[\d+\])*?)(?:\.(?:model_dump|to_dict|dict)\([^()]*\))?$/.exec(code)?.[1];
  if (!source || hasTools(request)) return { manual: advice };
  const doubts = [
    ...(isPython(file) ? ["what reads the list has to take a dict"] : []),
    ...(item.request ? [] : ["whose answer this is, is not known here"]),
    ...(request.host.certainty === "certain" ? [] : [`the host is only likely: ${request.host.evidence}`]),
    ...(request.model?.certainty === "certain" && request.spreads.every(({ known }) => known)
      ? []
      : ["the model may be another, or tools may be given"]),
    ...(isReadElsewhere(facts) ? ["reasoning_content is read from messages elsewhere"] : []),
    ...(/\bChatCompletionMessage\b/.test(file.text) ? ["the list's type may ask for the whole message"] : []),
  ];
  const text = textOf(facts, item.place.file);
  const quote = text.split("'").length > text.split('"').length ? "'" : '"';
  const q = (word: string) => `${quote}${word}${quote}`;
  return {
    manual: doubts.length > 0 ? `${advice}; ${doubts.join("; ")}` : advice,
    fix: {
      applicability: doubts.length > 0 ? "suggested" : "safe",
      description: "append only role and content",
      edits: [
        {
          ...item.place,
          text: isPython(file)
            ? `{${q("role")}: ${q("assistant")}, ${q("content")}: ${source}.content}`
            : `{ role: ${q("assistant")}, content: ${source}.content }`,
        },
      ],
    },
  };
}

/** Is reasoning_content read from anything but an answer on the spot, such as the history that is shown? */
function isReadElsewhere(facts: Facts): boolean {
  return facts.files.some(({ members }) =>
    members.some(
      ({ name, form, object }) => name === "reasoning_content" && form === "read" && !/choices|delta/.test(object),
    ),
  );
}

/** Target current: what loses reasoning_content where tools ask for it. */
function* leftOut(facts: Facts, file: FileFacts): Iterable<Problem> {
  for (const item of file.history) {
    if (item.kind !== "rebuilt" || item.names.some((name) => /^(reasoning_content|\.\.\.|\*\*)/.test(name))) continue;
    const requests = requestsAround(facts, file, item).filter(hasTools);
    const reason = reasonOf(requests, "current");
    const [request] = requests;
    if (!reason || !request) continue;
    yield {
      message: `the answer put into ${item.list} has no reasoning_content; with tools the next request is refused (${reason})`,
      place: item.place,
      host: request.host,
      ...severityOf(request),
      ...keptWhole(file, item, request),
    };
  }
  const removals = file.members.filter(({ name, form }) => name === "reasoning_content" && form === "remove");
  if (removals.length === 0) return;
  const own = file.requests.filter(isConcerned);
  const all = own.length > 0 ? own : facts.files.flatMap(({ requests }) => requests).filter(isConcerned);
  const [request] = all.filter((one) => hasTools(one) && thinkingReason(one, "current") !== undefined);
  if (!request) return;
  for (const member of removals) {
    if (isOfStream(file, member)) continue;
    const edits =
      own.length > 0 && request.host.host === "official"
        ? removeStatement(file.text, member.place, isPython(file))
        : undefined;
    yield {
      message:
        "reasoning_content is taken out of messages; today a request with tools is refused without it while the model thinks",
      place: member.place,
      host: request.host,
      ...(own.length > 0 ? severityOf(request) : { severity: "warning" as const }),
      manual: "keep the messages whole; V3.1 asked for the opposite, so check that no older server is left",
      ...(edits
        ? { fix: { applicability: "suggested" as const, description: "keep reasoning_content in the messages", edits } }
        : {}),
    };
  }
}

/** Pieces of a stream are no messages: `const { reasoning_content, ...rest } = chunk.choices[0].delta`. */
function isOfStream(file: FileFacts, { object, place }: MemberUse): boolean {
  return (
    /delta|chunk/i.test(object) ||
    /^[^;\n]*\}\s*=\s*[^;\n]*(delta|chunk)/i.test(file.text.slice(place.end, place.end + 200))
  );
}

/** `{ role: "assistant", content: message.content, tool_calls: message.tool_calls }` -> `message`. */
function keptWhole(file: FileFacts, item: HistoryItem, request: Request): Pick<Problem, "manual" | "fix"> {
  const manual = "append the message of the answer whole";
  const code = file.text.slice(item.place.start, item.place.end);
  const source = /\bcontent["']?\s*:\s*([\w$]+(?:[\w$.!]|\?\.|\[\d+\])*?)\??\.content\b/.exec(code)?.[1];
  const isPlain = item.names.every((name) => ["role", "content", "tool_calls", "refusal"].includes(name));
  if (!source || !isPlain || request.host.host !== "official") return { manual };
  const edits: readonly Edit[] = [{ ...item.place, text: source }];
  return { manual, fix: { applicability: "suggested", description: `append ${source} whole`, edits } };
}
