/** The machine and the programs, as far as they bear on speed. */
export interface Environment {
  readonly node: string;
  readonly onnxruntime: string;
  readonly platform: string;
  readonly cpu: string;
  readonly cores: number;
  /** Those of AVX2, AVX-512, VNNI and AMX that the CPU has; null where the system does not tell. */
  readonly cpuFlags: readonly string[] | null;
  readonly memoryBytes: number;
  /** Processes wanting a core, over the last minute, when the benchmark started; null on Windows. */
  readonly loadAverage: number | null;
}
