/** What a part of a repository is there for. */
export type ComponentKind =
  | "inference service"
  | "serving"
  | "training"
  | "data pipeline"
  | "evaluation"
  | "library"
  | "test"
  | "docs"
  | "config";

/** Something in a file that says what it is there for. */
export interface Signal {
  readonly kind: ComponentKind;
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** In words: `imports fastapi`. */
  readonly what: string;
}

type Source = "script" | "python" | "command";

interface Row {
  readonly kind: ComponentKind;
  readonly in: readonly Source[];
  readonly pattern: RegExp;
  /** `$1` stands for what the pattern found. */
  readonly what: string;
}

/** `import x`, `from x import`, in Python. */
const python = (names: string): RegExp => new RegExp(`^[ \\t]*(?:from|import)[ \\t]+(${names})(?=[.\\s,])`, "m");
/** `from "x"`, `require("x")`, in scripts. */
const script = (names: string): RegExp =>
  new RegExp(`(?:\\bfrom\\s*|\\brequire\\(\\s*|\\bimport\\(\\s*|^import\\s+)["'](${names})(?:/[^"'\\n]*)?["']`, "m");

/** Libraries and commands by what they are used for. */
const rows: readonly Row[] = [
  // trained
  {
    kind: "training",
    in: ["python"],
    pattern: python("trl|peft|deepspeed|accelerate|unsloth|axolotl|lightning|pytorch_lightning|llamafactory|torchtune"),
    what: "imports $1",
  },
  {
    kind: "training",
    in: ["python"],
    pattern: /\b((?:Seq2Seq|SFT|DPO|GRPO)?Trainer|TrainingArguments)\(/,
    what: "makes a $1",
  },
  { kind: "training", in: ["python"], pattern: /\b(\w+\.backward\(\))/, what: "computes gradients: $1" },
  {
    kind: "training",
    in: ["command"],
    pattern: /\b(torchrun|accelerate launch|deepspeed\s+(?!ai)\S+|llamafactory-cli train|axolotl train|tune run)\b/,
    what: "runs $1",
  },
  { kind: "training", in: ["script", "python"], pattern: /\b(fine_?[tT]uning\.jobs)\./, what: "starts $1" },
  // served by oneself
  {
    kind: "serving",
    in: ["command"],
    pattern:
      /(vllm serve|vllm\.entrypoints\S*|vllm\/vllm-openai|sglang\.launch_server|lmsysorg\/sglang|llama-server|ghcr\.io\/ggml-org\/llama\.cpp|text-generation-launcher|text-generation-inference|ollama (?:serve|run)|ollama\/ollama|tritonserver|lmdeploy serve)/,
    what: "runs $1",
  },
  {
    kind: "serving",
    in: ["python"],
    pattern: python("vllm|sglang|llama_cpp|lmdeploy|tensorrt_llm"),
    what: "imports $1",
  },
  // data
  {
    kind: "data pipeline",
    in: ["python"],
    pattern: python("airflow|prefect|dagster|pyspark|luigi|kedro|apache_beam|datasets|dbt"),
    what: "imports $1",
  },
  {
    kind: "data pipeline",
    in: ["command"],
    pattern: /\b(spark-submit|airflow|prefect|dagster|dbt run)\b/,
    what: "runs $1",
  },
  // judged
  {
    kind: "evaluation",
    in: ["python"],
    pattern: python("lm_eval|deepeval|ragas|inspect_ai|trulens|evaluate"),
    what: "imports $1",
  },
  {
    kind: "evaluation",
    in: ["command"],
    pattern: /\b(promptfoo|lm_eval|lm-eval|deepeval|inspect eval)\b/,
    what: "runs $1",
  },
  { kind: "evaluation", in: ["script"], pattern: script("promptfoo|evalite|autoevals"), what: "imports $1" },
  // asked while somebody waits
  {
    kind: "inference service",
    in: ["python"],
    pattern: python(
      "fastapi|flask|django|starlette|sanic|litestar|tornado|gradio|streamlit|chainlit|quart|aiohttp\\.web",
    ),
    what: "imports $1",
  },
  {
    kind: "inference service",
    in: ["python"],
    pattern: python("celery|rq|dramatiq|arq|huey|aiogram|telegram|discord"),
    what: "works off requests with $1",
  },
  {
    kind: "inference service",
    in: ["script"],
    pattern: script(
      "express|fastify|koa|hono|restify|polka|elysia|h3|@hapi/hapi|@nestjs/core|@nestjs/common|next/server|@slack/bolt|discord\\.js|telegraf|bullmq|kafkajs",
    ),
    what: "imports $1",
  },
  {
    kind: "inference service",
    in: ["script"],
    pattern: /\b(createServer|Bun\.serve|Deno\.serve)\(/,
    what: "answers requests: $1",
  },
  {
    kind: "inference service",
    in: ["command"],
    pattern: /\b(uvicorn|gunicorn|hypercorn|celery|next start|flask run|streamlit run)\b/,
    what: "runs $1",
  },
];

/** Kinds of files by name alone, where that is a convention that tools go by. */
export function kindByPath(path: string): ComponentKind | undefined {
  if (
    /(^|\/)(tests?|__tests__|spec|e2e)\/|\.(test|spec)\.[cm]?[jt]sx?$|(^|\/)(test_[^/]*|[^/]*_test|conftest)\.py$/.test(
      path,
    )
  ) {
    return "test";
  }
  if (/\.(md|mdx|rst|adoc)$|(^|\/)docs\//i.test(path)) return "docs";
  return undefined;
}

const sourceOf = (path: string): Source | undefined => {
  if (/\.([cm]?[jt]s|[jt]sx|vue|svelte)$/.test(path)) return "script";
  if (/\.(py|ipynb)$/.test(path)) return "python";
  if (/\.(sh|bash|zsh|ps1)$|(^|\/)(Dockerfile[^/]*|[^/]*\.Dockerfile|Procfile|Makefile|justfile|crontab)$/.test(path))
    return "command";
  return undefined;
};

/** Can a file of this name say what it is there for? */
export function isTelling(path: string): boolean {
  return sourceOf(path) !== undefined;
}

/** The signals of a file of code or commands. */
export function signalsOf(path: string, text: string): readonly Signal[] {
  const source = sourceOf(path);
  if (!source) return [];
  // in a notebook code stands in strings: one line each
  const code = path.endsWith(".ipynb") ? text.replace(/^[ \t]*"((?:[^"\\\n]|\\.)*)",?$/gm, "$1") : text;
  const found = signalsIn(code, source, path);
  if (path.endsWith(".ipynb") && found.length === 0) {
    return [{ kind: "evaluation", file: path, line: 1, what: "a notebook, run by hand" }];
  }
  if (source === "script" && /(^|\/)(pages\/api\/.+|app\/(.+\/)?route)\.[jt]sx?$/.test(path)) {
    return [...found, { kind: "inference service", file: path, line: 1, what: "a route of Next.js" }];
  }
  if (/(^|\/)crontab$/.test(path))
    return [...found, { kind: "data pipeline", file: path, line: 1, what: "a table of cron" }];
  return found;
}

/** The signals of a command line, wherever it stands; `line` is where. */
export function signalsOfCommand(command: string, file: string, line: number): readonly Signal[] {
  return signalsIn(command, "command", file).map((signal) => ({ ...signal, line }));
}

function signalsIn(text: string, source: Source, file: string): readonly Signal[] {
  return rows.flatMap((row) => {
    const match = row.in.includes(source) ? row.pattern.exec(text) : null;
    if (!match) return [];
    const line = text.slice(0, match.index + match[0].length).split("\n").length;
    return [{ kind: row.kind, file, line, what: row.what.replace("$1", match[1] ?? match[0]) }];
  });
}

/** Packages that make whatever depends on them a service; of other kinds only use in code tells. */
export const servicePackages =
  /^(express|fastify|koa|hono|restify|polka|elysia|@hapi\/hapi|@nestjs\/core|next|nuxt|@slack\/bolt|discord\.js|telegraf|bullmq|fastapi|flask|django|starlette|sanic|litestar|celery|rq|dramatiq|gradio|streamlit|chainlit)$/i;
