import type { Options } from "../cli.js";
import type { ModelProto } from "../formats/onnx.js";
import { unmatchedPatterns } from "../quantize/choose.js";
import type { UnwarnedResult } from "../render/compress-result.js";

/** What a run made of its options. */
interface Outcome {
  /** After normalisation. */
  readonly base: ModelProto;
  readonly result: UnwarnedResult;
  /** Whether static quantization was tried. */
  readonly isStatic: boolean;
}

/** Options that the user gave and that changed nothing, each with the reason: silence would pass for obedience. */
export function withoutEffect(options: Options, { base, result, isStatic }: Outcome): readonly string[] {
  const { settings, tensors, calibration, verification } = result;
  const forms = tensors.flatMap(({ form }) => (form ? [form] : []));
  const given = (name: string) => options[name] !== undefined && options[name] !== false;
  const activationOptions = [
    ...(given("attention") ? ["--attention"] : []),
    ...(given("everywhere") ? ["--everywhere"] : []),
    ...(given("symmetricActivations") ? ["--symmetric-activations"] : []),
    ...(given("range") && options["range"] !== "auto" ? [`--range ${options["range"]}`] : []),
  ];
  const words = [
    ...(isStatic ? [] : activationOptions.map((option) => `${option}: is for --static`)),
    ...(options["percentile"] !== 99.999 && options["range"] !== "percentile"
      ? ["--percentile: is for --range percentile"]
      : []),
    ...(given("calibration") && !calibration ? ["--calibration: nothing was calibrated; that needs --data"] : []),
    ...(given("tune") && !verification.checked ? ["--tune: nothing was measured, for want of samples"] : []),
    ...(given("block") && !forms.some(({ blockSize }) => blockSize !== undefined)
      ? ["--block: no weight is stored in blocks; only MatMul and Gemm are, by --scheme qdq or nbits"]
      : []),
    ...(given("int4") && !forms.some(({ bits }) => bits === 4) ? ["--int4: no weight fits 4 bits"] : []),
    ...(given("int4Convolutions") && !tensors.some(({ form, shape }) => form?.bits === 4 && shape.length > 2)
      ? ["--int4-convolutions: there is no convolution over many channels"]
      : []),
    ...(given("asymmetric") && forms.every(({ symmetric }) => symmetric)
      ? ["--asymmetric: the schemes in use take no zero points"]
      : []),
    ...unmatchedPatterns(base, settings).map(
      (pattern) => `--tensor ${pattern}=...: there is no tensor or node of such a name`,
    ),
  ];
  return words.map((line) => `without effect: ${line}`);
}
