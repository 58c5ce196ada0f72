// onnxruntime's native code makes typed arrays of the outer realm and refuses those of jest's own
// (microsoft/onnxruntime#16622), so both realms share one set of constructors.
// The engine sets this too, but jest gives modules a copy of the environment that native code does not see.
process.env.ORT_DISABLE_TELEMETRY ??= "1";

const { TestEnvironment } = require("jest-environment-node");

const shared = [
  "ArrayBuffer",
  "SharedArrayBuffer",
  "DataView",
  "Int8Array",
  "Uint8Array",
  "Uint8ClampedArray",
  "Int16Array",
  "Uint16Array",
  "Int32Array",
  "Uint32Array",
  "Float32Array",
  "Float64Array",
  "BigInt64Array",
  "BigUint64Array",
];

module.exports = class extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    for (const name of shared) this.global[name] = globalThis[name];
  }
};
