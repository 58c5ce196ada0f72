import { expect, test } from "@jest/globals";
import { isSigned } from "../../src/quantize/settings.js";
import { detectTarget, fastRows, isAtLeast, signedFor } from "../../src/quantize/target.js";

test("a machine is told by its architecture and what its processor can do", () => {
  expect(detectTarget("arm64")).toBe("arm64");
  expect(detectTarget("x64", ["sse4_2", "avx2"])).toBe("avx2");
  expect(detectTarget("x64", ["avx2", "avx512_vnni"])).toBe("vnni");
  expect(detectTarget("x64", ["avx2", "avx_vnni"])).toBe("vnni");
  expect(detectTarget("x64")).toBe("avx2");
});

test("weights are unsigned where signed ones would saturate, or where the kernel takes no others", () => {
  expect(signedFor("MatMulInteger", "avx2", "1.25")).toBe(false);
  expect(signedFor("MatMulInteger", "web", "1.25")).toBe(false);
  expect(signedFor("MatMulInteger", "vnni", "1.25")).toBe(true);
  expect(signedFor("QLinearConv", "arm64", "1.25")).toBe(true);
  expect(signedFor("ConvInteger", "vnni", "1.23")).toBe(false);
  expect(signedFor("ConvInteger", "avx2", "1.24")).toBe(true);
  expect(signedFor("MatMulNBits", "vnni", "1.30")).toBe(false);
  expect(signedFor("floats", "avx2", "1.20")).toBe(true);
});

/** A dot product as x86 without VNNI does it: products of neighbours are added in 16 bits that saturate (vpmaddubsw). */
function withoutVnni(activation: number, weight: number, count: number): number {
  const clamp = (value: number) => Math.max(-32768, Math.min(32767, value));
  return clamp(activation * weight + activation * weight) * (count / 2);
}

test("signed weights saturate without VNNI, which the table is about: the numbers measured there", () => {
  expect(withoutVnni(255, 127, 256)).toBe(4_194_176);
  expect(withoutVnni(255, 65, 256)).toBe(4_194_176);
  expect(withoutVnni(255, 64, 256)).toBe(255 * 64 * 256);
});

test("a forced type holds on every target", () => {
  const settings = { scheme: "auto", clip: "max", minElements: 1, signed: true } as const;
  expect(isSigned("MatMulInteger", settings)).toBe(true);
});

test("versions are compared by number, not as text", () => {
  expect(isAtLeast("1.30", "1.4")).toBe(true);
  expect(isAtLeast("1.9", "1.22")).toBe(false);
});

test("large blocks win at every number of rows where there is VNNI, small ones while rows are few", () => {
  expect(fastRows("vnni", 128)).toBe(Number.POSITIVE_INFINITY);
  expect(fastRows("vnni", 32)).toBe(8);
  expect(fastRows("avx2", 256)).toBe(8);
  expect(fastRows("web", 256)).toBe(0);
});
