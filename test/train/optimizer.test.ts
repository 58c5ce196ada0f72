import { describe, expect, test } from "@jest/globals";
import type { Parameter } from "../../src/train/graph.js";
import { createOptimizer, type UpdateSettings } from "../../src/train/optimizer.js";

const adamw = { kind: "adamw", beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
const sgd = { kind: "sgd", momentum: 0, nesterov: false } as const;
const plain: UpdateSettings = { optimizer: sgd, weightDecay: 0, clipNorm: 0, ema: 0, accumulate: 1 };

const weight = (values: readonly number[], more: Partial<Parameter> = {}): Parameter => ({
  name: "w",
  kind: "weight",
  shape: [values.length],
  data: Float32Array.from(values),
  ...more,
});

/** The values after each of the steps with these gradients. */
function steps(
  parameter: Parameter,
  settings: Partial<UpdateSettings>,
  gradients: readonly (readonly number[])[],
  rate: number,
) {
  const optimizer = createOptimizer([parameter], { ...plain, ...settings });
  return gradients.map((gradient) => {
    optimizer.add(new Map([["w", Float32Array.from(gradient)]]), 1);
    optimizer.update(rate);
    return [...parameter.data];
  });
}

const close = (found: readonly (readonly number[])[], expected: readonly (readonly number[])[], digits = 6) =>
  found.forEach((row, at) => void row.forEach((value, i) => void expect(value).toBeCloseTo(expected[at]![i]!, digits)));

/** torch.optim.AdamW as its documentation defines it, in float64. */
function adamwByFormula(start: number, gradients: readonly number[], rate: number, decay: number): number[] {
  let [p, m, v] = [start, 0, 0];
  return gradients.map((g, at) => {
    p -= rate * decay * p;
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    p -= (rate * (m / (1 - 0.9 ** (at + 1)))) / (Math.sqrt(v / (1 - 0.999 ** (at + 1))) + 1e-8);
    return p;
  });
}

describe("the optimizer", () => {
  test("AdamW: the first step is the rate, whatever the gradient; decay goes by the weight alone", () => {
    close(steps(weight([1, 1, -2]), { optimizer: adamw }, [[0.5, -0.2, 40]], 0.1), [[0.9, 1.1, -2.1]]);
    close(steps(weight([1]), { optimizer: adamw, weightDecay: 0.01 }, [[0.5]], 0.1), [[0.899]]);
    close(steps(weight([1], { kind: "bias" }), { optimizer: adamw, weightDecay: 0.01 }, [[0.5]], 0.1), [[0.9]]);
  });

  test("AdamW over many steps, as PyTorch defines it", () => {
    const gradients = Array.from({ length: 50 }, (_, at) => Math.sin(at) + 0.2);
    const found = steps(
      weight([0.7]),
      { optimizer: adamw, weightDecay: 0.05 },
      gradients.map((g) => [g]),
      0.01,
    );
    close(
      found,
      adamwByFormula(0.7, gradients, 0.01, 0.05).map((p) => [p]),
      5,
    );
  });

  test("SGD with momentum and Nesterov's, by hand", () => {
    const gradients = [[1], [1], [-2]];
    close(steps(weight([1]), {}, gradients, 0.1), [[0.9], [0.8], [1]]);
    // m = 1, 1.5, -1.25
    close(steps(weight([1]), { optimizer: { ...sgd, momentum: 0.5 } }, gradients, 0.1), [[0.9], [0.75], [0.875]]);
    // g + m / 2 = 1.5, 1.75, -2.625
    const nesterov = { ...sgd, momentum: 0.5, nesterov: true };
    close(steps(weight([1]), { optimizer: nesterov }, gradients, 0.1), [[0.85], [0.675], [0.9375]]);
    close(steps(weight([1]), { weightDecay: 0.5 }, [[1]], 0.1), [[0.85]]);
  });

  test("clips by the norm of all gradients together, and gives the norm", () => {
    const parameters = [weight([0, 0]), weight([0], { name: "v" })];
    const optimizer = createOptimizer(parameters, { ...plain, clipNorm: 1 });
    const gradients = (scale: number) =>
      new Map([
        ["w", Float32Array.of(2 * scale, 3 * scale)],
        ["v", Float32Array.of(6 * scale)],
      ]);
    optimizer.add(gradients(1), 1);
    expect(optimizer.update(7)).toBe(7);
    close([[...parameters[0]!.data, ...parameters[1]!.data]], [[-2, -3, -6]], 4);
    optimizer.add(gradients(0.1), 1);
    expect(optimizer.update(10)).toBeCloseTo(0.7, 6);
    close([[...parameters[0]!.data, ...parameters[1]!.data]], [[-4, -6, -12]], 4);
  });

  test("holds what a mask holds, decay and moments too", () => {
    const parameter = weight([1, 1, 1], { mask: Uint8Array.of(1, 0, 1) });
    const settings = { optimizer: adamw, weightDecay: 0.1, clipNorm: 5 };
    const found = steps(
      parameter,
      settings,
      [
        [1, 1000, -1],
        [1, 1000, -1],
      ],
      0.1,
    );
    expect(found.map((row) => row[1])).toEqual([1, 1]);
    close([[found[0]![0]!, found[0]![2]!]], [[0.89, 1.09]]);
  });

  test("keeps to the lower bound and the rate of a parameter, as they are at the step", () => {
    close(steps(weight([1], { lowerBound: 0.95 }), {}, [[1], [-1]], 0.1), [[0.95], [1.05]]);
    let share = 0.5;
    const parameter = Object.defineProperty(weight([1]), "rateScale", { get: () => share }) as Parameter;
    const optimizer = createOptimizer([parameter], plain);
    for (share of [0.5, 0]) {
      optimizer.add(new Map([["w", Float32Array.of(1)]]), 1);
      optimizer.update(0.1);
    }
    expect(parameter.data[0]).toBeCloseTo(0.95, 6);
  });

  test("updates nothing where a gradient is not finite or nothing counts", () => {
    const parameter = weight([1, 2]);
    const optimizer = createOptimizer([parameter], { ...plain, accumulate: 2 });
    optimizer.add(new Map([["w", Float32Array.of(1, Number.NaN)]]), 1);
    expect(optimizer.update(0.1)).toBeNaN();
    optimizer.add(new Map([["w", Float32Array.of(1, 1)]]), 0);
    expect(optimizer.update(0.1)).toBe(0);
    expect([...parameter.data]).toEqual([1, 2]);
    expect(optimizer.steps).toBe(0);
    // what came before leaves no trace
    optimizer.add(new Map([["w", Float32Array.of(1, 1)]]), 1);
    optimizer.update(0.5);
    expect([...parameter.data]).toEqual([0.5, 1.5]);
  });

  test.each([adamw, { ...sgd, momentum: 0.9 }])("$kind: SIMD and plain arithmetic give the same bits", (optimizer) => {
    const results = (["simd", "plain"] as const).map((how) => {
      // more than one stretch, and a rest
      const length = 2 * 8192 + 5;
      const parameter = weight(
        Array.from({ length }, (_, at) => Math.cos(at)),
        {
          mask: Uint8Array.from({ length }, (_, at) => (at % 7 === 0 ? 0 : 1)),
        },
      );
      const free = weight([0.1, 0.2, 0.3], { name: "free" });
      const settings = { optimizer, weightDecay: 0.01, clipNorm: 1, ema: 0.99, accumulate: 2 };
      const one = createOptimizer([parameter, free], settings, how);
      for (let step = 0; step < 6; step++) {
        const gradient = Float32Array.from({ length }, (_, at) => Math.sin(at + step));
        one.add(
          new Map([
            ["w", gradient],
            ["free", gradient.slice(5, 8)],
          ]),
          1 + (step % 2),
        );
        if (step % 2 === 1) one.update(0.01);
      }
      return [parameter.data, free.data, one.averages!.get("w")!, ...one.moments.values()].map((data) => [...data]);
    });
    expect(results[0]).toEqual(results[1]);
  });
});
