import { type Answer, answerOf, listedModels } from "./answers.js";
import { thinksByDefault } from "./probe.js";
import type { Exchange, Recording } from "./recording.js";

/** One thing an endpoint does or does not do. */
export interface Capability {
  readonly id: string;
  readonly title: string;
  readonly answer: "yes" | "no" | "unknown";
  /** What the answer showed: `HTTP 400: Model Not Exist`. */
  readonly evidence: string;
}

type Judgement = Omit<Capability, "id" | "title">;

interface Row {
  readonly id: string;
  readonly title: string;
  judge(recording: Recording): Judgement;
}

const yes = (evidence: string): Judgement => ({ answer: "yes", evidence });
const no = (evidence: string): Judgement => ({ answer: "no", evidence });
const unknown = (evidence: string): Judgement => ({ answer: "unknown", evidence });

const find = ({ exchanges }: Recording, id: string): Exchange | undefined => exchanges.find((one) => one.id === id);

/** Judges a good answer; a refusal is a no, and whatever says nothing of the question is unknown. */
function judged(recording: Recording, id: string, good: (answer: Answer) => Judgement): Judgement {
  const exchange = find(recording, id);
  if (!exchange) return unknown("not asked");
  const answer = answerOf(exchange);
  if (answer.isGood) return good(answer);
  const words = exchange.status === 0 ? exchange.response || "no answer" : `HTTP ${exchange.status}: ${answer.error}`;
  // no such thing, no such field, no such model; the rest is load, money or a broken server
  return [400, 404, 405, 422].includes(exchange.status) ? no(words) : unknown(words);
}

function alias(name: string): Row {
  return {
    id: `alias-${name.replace("deepseek-", "")}`,
    title: `${name} is accepted`,
    judge: (recording) => {
      const id = recording.model === name ? "default" : `alias-${name.replace("deepseek-", "")}`;
      return judged(recording, id, ({ model }) => yes(model ? `answered by ${model}` : "answered"));
    },
  };
}

/** A switch is heard where the answer reasons and the default does not, or the other way round. */
function switched(id: string, title: string): Row {
  return {
    id,
    title,
    judge: (recording) => {
      const before = thinksByDefault(find(recording, "default"));
      return judged(recording, id, ({ reasoningField }) => {
        if (before === undefined) return unknown("what it does without a switch is not known");
        const now = reasoningField !== undefined;
        const words = `${before ? "reasons" : "does not reason"} without it, ${now ? "reasons" : "does not"} with it set to ${before ? "off" : "on"}`;
        return now === before ? no(words) : yes(words);
      });
    },
  };
}

const called = ({ callsTool }: Answer): Judgement =>
  callsTool ? yes("called the tool") : unknown("answered without calling the tool");

function isJson(text: string): boolean {
  try {
    JSON.parse(text.replace(/^```(json)?|```$/gm, ""));
    return true;
  } catch {
    return false;
  }
}

const answered = (): Judgement => yes("answered");
const inJson = ({ content }: Answer): Judgement =>
  isJson(content) ? yes("answered in JSON") : unknown("accepted, but the answer is no JSON");

const rows: readonly Row[] = [
  {
    id: "models",
    title: "GET /models lists its models",
    judge: (recording) =>
      judged(recording, "models", () => {
        const ids = listedModels(find(recording, "models")!);
        return ids.length > 0 ? yes(ids.slice(0, 12).join(", ")) : unknown("answered without a list");
      }),
  },
  alias("deepseek-chat"),
  alias("deepseek-reasoner"),
  {
    id: "thinks-by-default",
    title: "thinks unless told not to",
    judge: (recording) =>
      judged(recording, "default", ({ reasoningField }) =>
        reasoningField ? yes(`${reasoningField} in the answer`) : no("no reasoning in the answer"),
      ),
  },
  switched("thinking", "switch: thinking.type"),
  switched("enable-thinking", "switch: enable_thinking"),
  switched("template-kwargs", "switch: chat_template_kwargs"),
  {
    id: "reasoning-field",
    title: "reasoning stands in reasoning_content",
    judge: ({ exchanges }) => {
      const field = exchanges.map((one) => answerOf(one).reasoningField).find((one) => one !== undefined);
      if (!field) return unknown("no answer reasoned");
      return field === "reasoning_content" ? yes(field) : no(`it stands in ${field}`);
    },
  },
  { id: "tools", title: "tools", judge: (recording) => judged(recording, "tools", called) },
  {
    id: "tools-thinking",
    title: "tools while thinking",
    judge: (recording) =>
      judged(recording, "tools-thinking", (answer) =>
        answer.reasoningField ? called(answer) : no("answered without reasoning"),
      ),
  },
  {
    id: "tool-choice",
    title: "tool_choice required while thinking",
    judge: (recording) => judged(recording, "tool-choice", called),
  },
  {
    id: "reasoning-required",
    title: "reasoning_content must be sent back with tools",
    judge: (recording) =>
      aboutReasoning(
        judged(recording, "history-without", () => no("taken without it")),
        "yes",
      ),
  },
  {
    id: "reasoning-refused",
    title: "reasoning_content must not be sent back",
    judge: (recording) => {
      const refused = aboutReasoning(
        judged(recording, "history-with", () => no("taken with it")),
        "yes",
      );
      const required = aboutReasoning(
        judged(recording, "history-without", () => no("taken without it")),
        "yes",
      );
      return refused.answer === "unknown" && required.answer === "yes" ? no("it must be sent") : refused;
    },
  },
  {
    id: "json-object",
    title: "response_format json_object",
    judge: (recording) => judged(recording, "json-object", inJson),
  },
  {
    id: "json-schema",
    title: "response_format json_schema",
    judge: (recording) => judged(recording, "json-schema", inJson),
  },
  { id: "prefix", title: "prefix completion (/beta)", judge: (recording) => judged(recording, "prefix", answered) },
  { id: "fim", title: "fill in the middle (/beta)", judge: (recording) => judged(recording, "fim", answered) },
  {
    id: "max-completion-tokens",
    title: "max_completion_tokens limits",
    judge: (recording) =>
      judged(recording, "max-completion-tokens", ({ usage }) => {
        const tokens = usage?.["completion_tokens"];
        if (typeof tokens !== "number") return unknown("the answer counts no tokens");
        return tokens <= 8 ? yes(`${tokens} tokens for a limit of 5`) : no(`${tokens} tokens for a limit of 5`);
      }),
  },
  {
    id: "cache-fields",
    title: "usage tells of the cache",
    judge: (recording) =>
      judged(recording, "default", ({ usage }) => {
        if (!usage) return no("no usage in the answer");
        const names = Object.keys(usage).join(", ") || "usage without fields";
        return "prompt_cache_hit_tokens" in usage ? yes(names) : no(names);
      }),
  },
  {
    id: "stream-usage",
    title: "usage of a stream comes in a chunk without choices",
    judge: (recording) =>
      judged(recording, "stream", ({ streamUsage }) => {
        if (streamUsage === "none") return unknown("no usage in the stream");
        return streamUsage === "own chunk"
          ? yes("a last chunk with empty choices")
          : no("it rides on the last chunk with content");
      }),
  },
  { id: "developer", title: "role developer", judge: (recording) => judged(recording, "developer", answered) },
];

/** A refusal means something only where it speaks of reasoning. */
function aboutReasoning(judgement: Judgement, refusal: "yes"): Judgement {
  if (judgement.answer !== "no" || !judgement.evidence.startsWith("HTTP")) return judgement;
  return /reasoning/i.test(judgement.evidence)
    ? { ...judgement, answer: refusal }
    : { ...judgement, answer: "unknown" };
}

/** What a recording says of its endpoint. Pure: the same recording gives the same matrix. */
export function capabilitiesOf(recording: Recording): readonly Capability[] {
  return rows.map(({ id, title, judge }) => ({ id, title, ...judge(recording) }));
}
