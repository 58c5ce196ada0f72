import { Option } from "commander";
import { type CommandSpec, exitCode, type Host, type Options } from "../cli.js";
import type { ProbeRequest } from "../compat/probe/probe.js";
import type { Exchange, Recording } from "../compat/probe/recording.js";
import { UserError } from "../errors.js";
import { checkOutput, writeWhole } from "./files.js";
import { heads } from "./heads.js";
import { seconds, whole } from "./option-values.js";
import { checkReports, outputOptions, warn, writeResult } from "./output.js";
import { startProgress } from "./progress.js";

/** Characters of an answer that are read at all. */
const mostRead = 1_000_000;

/** `deepseek-compat probe`. */
export const probeCommand: CommandSpec = {
  ...heads.probe,
  details:
    "Sends a fixed set of requests of a few tokens each and prints what was answered: yes, no or unknown, with the evidence. The key is read from the environment and neither printed nor recorded. A recording draws the same matrix again without network, and `scan --probe` and `plan --probe` take it as evidence.",
  arguments: [],
  options: [
    new Option(
      "--base-url <url>",
      "the endpoint, as clients name it: https://api.deepseek.com, http://localhost:8000/v1",
    ),
    new Option("--model <id>", "the model to ask (default: the first DeepSeek model it lists)"),
    new Option("--api-key-env <name>", "environment variable that holds the key").default("DEEPSEEK_API_KEY"),
    new Option("--record <file>", "keep requests and answers in a file, without headers"),
    new Option("--replay <file>", "read a recording instead of asking").conflicts(["record", "baseUrl", "model"]),
    new Option("--max-requests <n>", "stop after this many; what was not asked is unknown").argParser(whole(1, 100)),
    new Option("--timeout <seconds>", "longest wait for one answer").argParser(seconds).default(60),
    ...outputOptions(),
  ],
  examples: [
    { command: "probe --base-url https://api.deepseek.com --record probe.json", note: "what today's API does" },
    {
      command: "probe --base-url http://localhost:8000/v1 --model deepseek-ai/DeepSeek-V3.1",
      note: "a server of your own",
    },
    { command: "probe --replay probe.json", note: "the same matrix, with no network" },
  ],
  exitCodes: {
    0: "the endpoint was asked and answered",
    1: "it answered, but refused every request",
    2: "no --base-url, no answer, a refused key, or a file that is no recording",
  },
  async run(host, _arguments, options) {
    checkReports(host, options);
    const { capabilitiesOf } = await import("../compat/probe/capabilities.js");
    const { probeForms } = await import("../render/probe.js");
    const recording = await recordingOf(host, options);
    const record = options["record"] as string | undefined;
    if (record !== undefined) writeWhole(host, record, `${JSON.stringify(recording, undefined, 2)}\n`);
    const { redact } = await import("../compat/redact.js");
    // a recording may be somebody else's
    await writeResult(host, options, probeForms(redact({ ...recording, capabilities: capabilitiesOf(recording) })));
    return recording.exchanges.some(({ status }) => status >= 200 && status < 300) ? exitCode.ok : exitCode.found;
  },
};

async function recordingOf(host: Host, options: Options): Promise<Recording> {
  const replay = options["replay"] as string | undefined;
  if (replay !== undefined) {
    const { readRecording } = await import("./probe-recording.js");
    return readRecording(host, replay);
  }
  const baseUrl = checkedUrl(options["baseUrl"] as string | undefined);
  const record = options["record"] as string | undefined;
  if (record !== undefined) checkOutput(host, record, true);
  return ask(host, baseUrl, options);
}

function checkedUrl(text: string | undefined): string {
  if (text === undefined) {
    throw new UserError(
      "probe asks nobody by itself: name the endpoint with --base-url <url>, or a recording with --replay <file>",
    );
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new UserError("--base-url: must be a URL that begins with http:// or https://");
  if (url.username || url.password || url.search || url.hash) {
    throw new UserError(
      "--base-url: must hold no user, password or query; put the key into the environment (--api-key-env)",
    );
  }
  return text.replace(/\/+$/, "");
}

async function ask(host: Host, baseUrl: string, options: Options): Promise<Recording> {
  const { modelOf, mostRequests, nextRequest, tokensPerRequest } = await import("../compat/probe/probe.js");
  const variable = options["apiKeyEnv"] as string;
  const key = host.env[variable];
  if (!key) await warn(host, `${variable} is not set; asking without a key`);
  const most = Math.min((options["maxRequests"] as number | undefined) ?? mostRequests, mostRequests);
  host.stderr.write(
    `probing ${baseUrl}: at most ${most} requests, ${most * tokensPerRequest} tokens of output in all\n`,
  );
  const named = options["model"] as string | undefined;
  const progress = startProgress(host, "probing", "requests");
  const stop = new AbortController();
  const forget = host.onInterrupt(() => stop.abort());
  const exchanges: Exchange[] = [];
  try {
    for (
      let next = nextRequest(exchanges, named);
      next && exchanges.length < most;
      next = nextRequest(exchanges, named)
    ) {
      const exchange = await send(baseUrl, next, key, (options["timeout"] as number) * 1000, stop.signal);
      checkAnswered(exchange, exchanges, baseUrl, variable);
      exchanges.push(exchange);
      progress.update(exchanges.length, most);
    }
  } finally {
    forget();
    progress.stop();
  }
  const date = new Date().toISOString().slice(0, 10);
  return { schema: "deepseek-compat/probe@1", baseUrl, model: modelOf(exchanges, named), date, exchanges };
}

/** Ends a probe that cannot learn anything: nobody there, a refused key, an empty account. */
function checkAnswered(
  { status, response }: Exchange,
  earlier: readonly Exchange[],
  baseUrl: string,
  variable: string,
): void {
  if (status === 401 || status === 403)
    throw new UserError(`${baseUrl}: refused the key (HTTP ${status}); set ${variable}`);
  if (status === 402) throw new UserError(`${baseUrl}: the account has no balance (HTTP 402)`);
  const silent = status === 0 && earlier.every((one) => one.status === 0);
  // one that answers nothing twice is not there; the first may only have no list of models
  if (silent && earlier.length > 0)
    throw new UserError(`${baseUrl}: no answer (${response}); is it running, and is the URL right?`);
}

async function send(
  baseUrl: string,
  request: ProbeRequest,
  key: string | undefined,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<Exchange> {
  const { urlOfRequest } = await import("../compat/probe/probe.js");
  const { keepable } = await import("../compat/probe/recording.js");
  const secrets = key ? [key] : [];
  const { id, method, path, body } = request;
  const exchange = (status: number, response: string): Exchange => ({
    id,
    method,
    path,
    ...(body ? { body } : {}),
    status,
    response: keepable(response, secrets),
  });
  try {
    const response = await fetch(urlOfRequest(baseUrl, path), {
      method,
      headers: { "content-type": "application/json", ...(key ? { authorization: `Bearer ${key}` } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
      // a key goes to the host that was named and to no other
      redirect: "manual",
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    });
    return exchange(response.status, await textOf(response));
  } catch (error) {
    return exchange(0, failure(error));
  }
}

/** An answer's text, as far as a recording could keep it. */
async function textOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > mostRead) break;
  }
  return text;
}

function failure(error: unknown): string {
  const { name, message, cause } = error as Error & { cause?: { code?: string } };
  if (name === "TimeoutError") return "no answer in time";
  return cause?.code ?? message ?? String(error);
}
