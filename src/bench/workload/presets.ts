import { UserError } from "../../errors.js";
import type { Source } from "./make.js";
import { seedOf } from "./seeds.js";
import type { Vocabulary } from "./words.js";

/** Kinds of work, each a handful of prompts and the settings they are usual with. */
export const presetNames = ["chat", "long-text", "tools", "reasoning"] as const;
type PresetName = (typeof presetNames)[number];

/** A kind of work. */
export interface Preset {
  readonly name: PresetName;
  /** What it is, in a line. */
  readonly summary: string;
  /** Whether the model has to think: how it is told differs by host, see `thinkingBody`. */
  readonly thinks: boolean;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly prompts: readonly string[];
  /** Tokens of made-up text to work on, behind each prompt. */
  readonly textTokens: number;
}

const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather in a city now and over the next days",
    parameters: {
      type: "object",
      properties: {
        city: { type: "string", description: "Name of the city" },
        days: { type: "integer", description: "How many days, 1 to 7" },
      },
      required: ["city"],
    },
  },
};
const convert = {
  type: "function",
  function: {
    name: "convert_currency",
    description: "Converts an amount of money at today's rate",
    parameters: {
      type: "object",
      properties: {
        amount: { type: "number" },
        from: { type: "string", description: "ISO 4217 code" },
        to: { type: "string", description: "ISO 4217 code" },
      },
      required: ["amount", "from", "to"],
    },
  },
};
const findOrders = {
  type: "function",
  function: {
    name: "find_orders",
    description: "Orders of a customer, newest first",
    parameters: {
      type: "object",
      properties: {
        customer: { type: "string" },
        status: { type: "string", enum: ["open", "shipped", "returned"] },
        limit: { type: "integer" },
      },
      required: ["customer"],
    },
  },
};

const presets: Readonly<Record<PresetName, Preset>> = {
  chat: {
    name: "chat",
    summary: "short questions with short answers: max_tokens 50, stop at a line break, temperature 0.3",
    thinks: false,
    parameters: { max_tokens: 50, stop: ["\n"], temperature: 0.3 },
    prompts: [
      "What is the capital of Australia, and why is it not Sydney?",
      "Give me a polite way to say no to a meeting on Friday afternoon.",
      "How do I undo the last commit in git without losing my changes?",
      "Which is heavier, a litre of water or a litre of olive oil?",
      "Suggest a name for a small bakery by the sea.",
      "What does HTTP status 429 mean, in one sentence?",
      "Translate into French: the train leaves at half past seven.",
      "How long do I boil an egg for it to be soft?",
      "What is the difference between a list and a tuple in Python?",
      "Is it safe to charge a phone overnight?",
      "Who wrote The Master and Margarita?",
      "Say in one sentence what a hash table is good for.",
    ],
    textTokens: 0,
  },
  "long-text": {
    name: "long-text",
    summary: "questions on a text of about 8,000 tokens: max_tokens 400, temperature 0.3",
    thinks: false,
    parameters: { max_tokens: 400, temperature: 0.3 },
    prompts: [
      "Below is a long text. Say which words stand out in it and what it could be about, in three paragraphs.",
      "Read the following text and list the ten words that you find most often, each with a sentence that uses it.",
      "The text below has no order. Write a short story that uses as many of its words as possible.",
      "Sort what follows into groups of words that belong together, and say why for each group.",
    ],
    textTokens: 8000,
  },
  tools: {
    name: "tools",
    summary: "three tools and questions that need one: max_tokens 200, temperature 0",
    thinks: false,
    parameters: { tools: [weather, convert, findOrders], tool_choice: "auto", max_tokens: 200, temperature: 0 },
    prompts: [
      "Will I need an umbrella in Hamburg over the next three days?",
      "How much are 250 Swiss francs in Japanese yen today?",
      "Which orders of the customer Lindgren have not been shipped yet?",
      "What is the weather like in Nairobi right now?",
      "I have 1,200 dollars. What is that in euros?",
      "Show me the last five orders that Okafor sent back.",
    ],
    textTokens: 0,
  },
  reasoning: {
    name: "reasoning",
    summary: "problems to think about, with thinking switched on: max_tokens 2000",
    thinks: true,
    // no temperature: models that think ignore it or refuse it
    parameters: { max_tokens: 2000 },
    prompts: [
      "A farmer has 17 sheep, and all but 9 run away. He buys twice as many as he has left. How many are there now?",
      "Three switches outside a closed room belong to three lamps inside. You may enter once. How do you find out which is which?",
      "How many zeros are there at the end of 100 factorial? Show the steps.",
      "Two trains 300 km apart drive towards each other at 70 and 80 km/h. A bird flies at 100 km/h from one to the other and back until they meet. How far does it fly?",
      "Find all whole numbers n for which n squared plus n plus 1 divides n to the fourth plus 1.",
      "You have 12 coins, one of them lighter or heavier. Find it with three weighings and say which it is.",
    ],
    textTokens: 0,
  },
};

/** The preset of that name. Throws a UserError that lists them. */
export function findPreset(name: string): Preset {
  const found = presetNames.find((known) => known === name);
  if (found === undefined) throw new UserError(`--preset: there is no "${name}"; give ${presetNames.join(", ")}`);
  return presets[found];
}

/** A source of a preset's prompts, each once in a seeded order and again; long texts are others each time. */
export function presetSource(preset: Preset, seed: number, words: Vocabulary): Source {
  return {
    name: `preset ${preset.name}`,
    size: preset.prompts.length,
    ordered: false,
    arrivals: null,
    take(number, stretch) {
      const prompt = preset.prompts[number]!;
      const text =
        preset.textTokens === 0
          ? prompt
          : `${prompt}\n\n${words.text(preset.textTokens, "", seedOf(seed, "preset", number, stretch))}`;
      return {
        id: `${preset.name} ${number + 1}`,
        group: null,
        turns: [
          {
            messages: [{ role: "user", content: text }],
            parameters: preset.parameters,
            thinkSeconds: 0,
            recordedAnswer: null,
          },
        ],
      };
    },
  };
}

/** How hosts are told to think. */
export type ThinkingSwitch =
  | "thinking.type"
  | "reasoning.enabled"
  | "enable_thinking"
  | "think"
  | "chat_template_kwargs.thinking";

/** Body fields that switch thinking on (or off, for the other side of a comparison). */
export function thinkingBody(kind: ThinkingSwitch, on: boolean): Readonly<Record<string, unknown>> {
  switch (kind) {
    case "thinking.type":
      return { thinking: { type: on ? "enabled" : "disabled" } };
    case "reasoning.enabled":
      return { reasoning: { enabled: on } };
    case "enable_thinking":
      return { enable_thinking: on };
    case "think":
      return { think: on };
    case "chat_template_kwargs.thinking":
      // DeepSeek's templates read the first name, Qwen's the second; a template ignores what it does not know
      return { chat_template_kwargs: { thinking: on, enable_thinking: on } };
  }
}
