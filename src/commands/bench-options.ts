import { Option } from "commander";
import { confidence, duration, positive, rates, repeated, share, whole, wholes } from "./option-values.js";
import { labelsOption, sampleOptions } from "./sample-options.js";

/** What a benchmark of model files takes beside the common options. */
export function modelOptions(): Option[] {
  return [
    ...sampleOptions(),
    labelsOption(),
    new Option("--score <file>", "a module (.js, .ts) whose `metric` scores the samples' outputs"),
    new Option("--time <time>", "measuring time of each process").argParser(duration).default(0.8, "0.8s"),
    new Option("--warmup <time>", "running time before that counts for nothing")
      .argParser(duration)
      .default(0.25, "0.25s"),
    new Option("--batch <sizes>", "samples a run, one or several sizes: 1,4,16 (default: as they are)").argParser(
      wholes,
    ),
    new Option("--axis <name=sizes>", "sizes of a dynamic axis: seq=32,128,512, or x.3=160,320 (repeatable)").argParser(
      repeated,
    ),
    new Option("--threads <n>", "threads of onnxruntime, one or several counts: 1,2")
      .argParser(wholes)
      .default([1], "1"),
    new Option("--metric <time>", "what the verdict is about (default: cpu with 1 thread, else wall)").choices([
      "cpu",
      "wall",
    ]),
    new Option("--session <key=value>", "session config entry of onnxruntime; repeatable").argParser(repeated),
  ];
}

/** What a benchmark of endpoints takes beside the common options. */
export function endpointOptions(): Option[] {
  return [
    new Option(
      "--endpoint <label=url,...>",
      "an endpoint and its model: old=https://...,model=...; also protocol=chat|completions|anthropic, key-env=<variable>, http2=auto|on|off, stream=on|off, thinking=on|off (repeatable; the first is the baseline)",
    ).argParser(repeated),
    new Option(
      "--header <name: value>",
      "a header, for one endpoint with <label>: before it; a secret as env:<variable>",
    ).argParser(repeated),
    new Option("--body <json>", "fields laid over each request, for one endpoint with <label>= before them").argParser(
      repeated,
    ),
    new Option("--no-stream", "ask for whole answers instead of streams"),
    new Option("--timeout <time>", "longest time of a request").argParser(duration).default(600, "10m"),
    new Option("--connect-timeout <time>", "longest wait for a connection").argParser(duration).default(10, "10s"),
    new Option("--idle-timeout <time>", "longest silence within an answer").argParser(duration).default(120, "2m"),
    new Option("--retries <n>", "how often a request that met 429, 5xx or no connection is sent again; counted")
      .argParser(whole(0, 10))
      .default(0),
  ];
}

/** What is asked of endpoints. */
export function workloadOptions(): Option[] {
  return [
    new Option(
      "--dataset <file>",
      "prompts: .jsonl (prompt, messages or conversations in each line) or .txt (a line each)",
    ),
    new Option("--synthetic <lengths>", "made-up prompts: in=512,out=128, or in=normal:512:100,out=uniform:32:256"),
    new Option("--preset <kind>", "built-in prompts in the manner of the V3.1 guide").choices([
      "chat",
      "long-text",
      "tools",
      "reasoning",
    ]),
    new Option(
      "--trace <file>",
      "requests at recorded times (.jsonl: timestamp, input_length, output_length or prompt)",
    ),
    new Option("--turns <n>", "questions of a conversation of the data set at most").argParser(whole(1, 100)),
    new Option("--shared-prefix <tokens/groups>", "made-up prompts of a group begin alike: 1000/8"),
    new Option(
      "--allow-cache",
      "send prompts as they are: caches of prefixes may know them from earlier rounds and runs",
    ),
    new Option("--max-tokens <n>", "longest answer, for prompts that do not say").argParser(whole(1, 1_000_000)),
    new Option("--recorded-answers", "conversations go on with the answers of the data set, where it has them"),
    new Option("--in-order", "prompts of a data set in its order, not in a new one each round"),
    new Option("--ignore-eos", "ask servers that can (vLLM, SGLang) to go on to max_tokens"),
  ];
}

/** How much of it, and when. */
export function loadOptions(): Option[] {
  return [
    new Option(
      "--concurrency <n>",
      "users that each wait for their answer, one or several: 1,4,16 (default: 1)",
    ).argParser(wholes),
    new Option("--rate <n>", "requests per second, whether answered or not, one or several: 2,5").argParser(rates),
    new Option("--arrival <kind>", "when requests come, with --rate")
      .choices(["constant", "poisson", "gamma"])
      .default("poisson"),
    new Option("--burstiness <shape>", "shape of --arrival gamma: below 1 requests come in bursts").argParser(positive),
    new Option("--max-concurrency <n>", "requests under way at most, with --rate; the wait counts").argParser(
      whole(1, 65_536),
    ),
    new Option("--sweep", "raise the load until throughput no longer grows"),
    new Option("--duration <time>", "of each endpoint under each load, warm-up apart").argParser(duration),
    new Option(
      "--requests <n>",
      "of each endpoint under each load, warm-up apart, as many in each round (default: 120)",
    ).argParser(whole(1, 10_000_000)),
    new Option("--ramp <time>", "time in which the load rises to its full height").argParser(duration),
    new Option("--no-warm-up", "count from the first request on"),
    new Option("--max-time <time>", "end the whole run then; what was measured is kept").argParser(duration),
  ];
}

/** How it is judged. */
export function verdictOptions(): Option[] {
  return [
    new Option(
      "--rounds <n>",
      "rounds in which all are measured (default: 6 for model files, 10 for endpoints)",
    ).argParser(whole(1, 200)),
    new Option("--tolerance <share>", "how much slower is still the same").argParser(share).default(0.05, "5%"),
    new Option("--confidence <share>", "of intervals, all gates together").argParser(confidence).default(0.95, "95%"),
    new Option(
      "--gate <condition>",
      "a limit: 'p95(ttft) < 400ms', 'throughput >= 0.95 * baseline' (repeatable)",
    ).argParser(repeated),
    new Option("--slo <limits>", "what a good request keeps, for goodput: ttft=500ms,tpot=50ms"),
    new Option("--prices <file>", "a price table, before the official one (see docs/ci.md)"),
    new Option("--inconclusive <result>", "whether an inconclusive verdict passes")
      .choices(["pass", "fail"])
      .default("pass"),
    new Option("--seed <n>", "of prompts, random input, arrivals and the first order")
      .argParser(whole(0, 2 ** 32 - 1))
      .default(1),
    new Option("--control", "also measure the baseline against itself: what cannot be told apart here"),
    new Option("--save <file>", "keep the result, raw samples included, for --baseline"),
    new Option("--baseline <file>", "compare with a kept result"),
    new Option("--any-environment", "with --baseline: also with one of another machine or other versions"),
    new Option("--any-workload", "with --baseline: also with one of other prompts or loads"),
    new Option("--self-test", "measure this program's own limits on this machine, and nothing else"),
  ];
}
