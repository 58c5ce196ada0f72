import { Argument } from "commander";
import { type CommandSpec, exitCode } from "../cli.js";
import { checkReports, outputOptions, writeResult } from "./output.js";

export const inspectCommand: CommandSpec = {
  name: "inspect",
  summary: "Print what an ONNX file holds: opsets, inputs and outputs, operators, parameters and bytes by type.",
  details: "Nothing is run, and no weights are looked into: large models are inspected at once.",
  arguments: [new Argument("<model>", "an .onnx file")],
  options: outputOptions(),
  examples: [
    { command: "inspect model.onnx", note: "a page of text" },
    { command: "inspect model.onnx --json", note: "the same as data" },
  ],
  exitCodes: { 0: "done", 1: "(not used)", 2: "the file is missing, unreadable or no ONNX model" },
  async run(host, [model], options) {
    const path = model as string;
    checkReports(host, options);
    const { readModelFile } = await import("./model-files.js");
    const { quantizationOf } = await import("../graph/quantization.js");
    const { summarizeModel } = await import("../graph/summary.js");
    const { inspectForms } = await import("../render/inspect.js");
    const file = readModelFile(host, path);
    await writeResult(
      host,
      options,
      inspectForms({
        schema: "deepseek/inspect@1",
        path,
        bytes: file.bytes,
        sha256: file.sha256,
        externalFiles: file.externalFiles,
        quantization: quantizationOf(file.model),
        ...summarizeModel(file.model),
      }),
    );
    return exitCode.ok;
  },
};
