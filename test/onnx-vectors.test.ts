// The published test vectors of ONNX's quantization operators. Debian ships them: apt-get install libonnx-testdata
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { describe, expect, test } from "@jest/globals";
import { TensorProtoSchema } from "onnx-buf";
import { openSession } from "../src/engine/session.js";
import { decodeModel, type ModelProto, readTensor } from "../src/formats/onnx.js";
import { intAttribute, intsAttribute, stringAttribute } from "../src/graph/node.js";
import {
  type ConvAttributes,
  convInteger,
  type IntegerTensor,
  matMulInteger,
  outputScale,
  requantize,
} from "../src/tensor/integer-arithmetic.js";
import { dequantizeLinear, dynamicQuantizeLinear, quantizeLinear } from "../src/tensor/quantize-linear.js";
import type { Tensor } from "../src/tensor/tensor.js";

const folder = "/usr/share/libonnx-testdata/data/node";
const wanted = /^test_(.*quantizelinear.*|.*convinteger.*|matmulinteger|qlinear.*)$/;
const names = existsSync(folder) ? readdirSync(folder).filter((name) => wanted.test(name)) : [];

if (names.length === 0) {
  console.warn(`${folder} is not there: the published ONNX vectors are skipped (apt-get install libonnx-testdata)`);
  test.skip("published ONNX vectors (apt-get install libonnx-testdata)", () => {});
}

const bytesOf = (name: string, file: string) => new Uint8Array(readFileSync(join(folder, name, file)));
const noFile = () => {
  throw new Error("no external data here");
};

function tensorsIn(name: string, side: "input" | "output"): readonly Tensor[] {
  const set = "test_data_set_0";
  return readdirSync(join(folder, name, set))
    .filter((file) => file.startsWith(side))
    .sort((a, b) => Number(/\d+/.exec(a)![0]) - Number(/\d+/.exec(b)![0]))
    .map((file) => readTensor(fromBinary(TensorProtoSchema, bytesOf(name, join(set, file))), noFile));
}

const numbers = (tensor: Tensor | undefined) => tensor?.data as ArrayLike<number>;
const listed = (tensors: readonly Tensor[]) => tensors.map((tensor) => [...(tensor.data as Float32Array)]);
const first = (tensor: Tensor | undefined) => numbers(tensor)[0]!;
const pick = (values: ArrayLike<number>, at: number) => values[values.length === 1 ? 0 : at]!;

/** What our references make of a model of one node. */
function ownOutputs(model: ModelProto, inputs: readonly Tensor[]): readonly ArrayLike<number>[] {
  const node = model.graph!.node[0]!;
  const integer = (at: number) => inputs[at] as Tensor & IntegerTensor;
  const output = (at: number) => inputs[at]!.dtype as "int8" | "uint8";
  const scaling = () => ({
    scales: numbers(inputs[1]),
    zeroPoints: inputs[2] && numbers(inputs[2]),
    axis: intAttribute(node, "axis", 1),
  });
  const ints = (name: string) => intsAttribute(node, name)?.map(Number);
  const attributes = (): ConvAttributes => {
    const [strides, dilations, pads] = [ints("strides"), ints("dilations"), ints("pads")];
    return {
      ...(strides && { strides }),
      ...(dilations && { dilations }),
      ...(pads && { pads }),
      group: intAttribute(node, "group", 1),
      autoPad: stringAttribute(node, "auto_pad", "NOTSET") as "NOTSET",
    };
  };
  switch (node.opType) {
    case "QuantizeLinear":
      return [quantizeLinear(numbers(inputs[0]), inputs[0]!.shape, scaling(), inputs[2] ? output(2) : "uint8")];
    case "DequantizeLinear":
      return [dequantizeLinear(numbers(inputs[0]), inputs[0]!.shape, scaling())];
    case "DynamicQuantizeLinear": {
      const { values, scale, zeroPoint } = dynamicQuantizeLinear(numbers(inputs[0]));
      return [values, [scale], [zeroPoint]];
    }
    case "MatMulInteger":
      return [matMulInteger(integer(0), integer(1), numbers(inputs[2]), numbers(inputs[3])).data];
    case "ConvInteger":
      return [convInteger(integer(0), integer(1), first(inputs[2]), numbers(inputs[3]), attributes()).data];
    case "QLinearMatMul": {
      const sums = matMulInteger(integer(0), integer(3), numbers(inputs[2]), numbers(inputs[5]));
      const scale = outputScale(first(inputs[1]), first(inputs[4]), first(inputs[6]));
      return [requantize(sums, () => scale, first(inputs[7]), output(7)).data];
    }
    case "QLinearConv": {
      const sums = convInteger(integer(0), integer(3), first(inputs[2]), numbers(inputs[5]), attributes());
      const [, features, ...size] = sums.shape;
      const positions = size.reduce((product, length) => product * length, 1);
      const feature = (at: number) => Math.floor(at / positions) % features!;
      const bias = inputs[8];
      for (let at = 0; bias && at < sums.data.length; at++) sums.data[at]! += numbers(bias)[feature(at)]!;
      const scaleAt = (at: number) =>
        outputScale(first(inputs[1]), pick(numbers(inputs[4]), feature(at)), first(inputs[6]));
      return [requantize(sums, scaleAt, first(inputs[7]), output(7)).data];
    }
    default:
      throw new Error(`no reference for ${node.opType}`);
  }
}

describe("published ONNX vectors", () => {
  // "expanded" models say the same in elementary operators, which are onnxruntime's business
  const own = names.filter((name) => !name.endsWith("_expanded"));
  if (own.length > 0) {
    test.each(own)("%s: our reference", (name) => {
      const model = decodeModel(bytesOf(name, "model.onnx"), name);
      const results = ownOutputs(model, tensorsIn(name, "input"));
      expect(results.map((result) => [...(result as number[])])).toEqual(listed(tensorsIn(name, "output")));
    });

    test.each(names)("%s: onnxruntime", async (name) => {
      const session = await openSession(bytesOf(name, "model.onnx"));
      const inputs = tensorsIn(name, "input");
      const results = await session.run(new Map(session.inputs.map((input, at) => [input.name, inputs[at]!])));
      const found = session.outputs.map((output) => results.get(output.name)!);
      expect(listed(found)).toEqual(listed(tensorsIn(name, "output")));
      await session.close();
    });
  }
});
