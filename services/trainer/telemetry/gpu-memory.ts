import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const TIMEOUT_MS = 2_000;
const MIB = 1024 ** 2;

export interface GpuReading {
  /** Index in `nvidia-smi`. */
  readonly index: string;
  readonly usedBytes: number;
  readonly totalBytes: number;
  /** Share of time in which a kernel ran, 0 to 1; null: not reported by the device (MIG). */
  readonly utilization: number | null;
}

/**
 * Reads the memory of all GPUs of this machine or container from `nvidia-smi`, which covers every process on the device.
 * TensorFlow reports only its own pool, most of which is reserved but unused.
 *
 * @returns an empty list if the tool is absent or does not answer within 2 s.
 */
export async function readGpus(): Promise<readonly GpuReading[]> {
  const query = '--query-gpu=index,memory.used,memory.total,utilization.gpu';
  try {
    const { stdout } = await run('nvidia-smi', [query, '--format=csv,noheader,nounits'], { timeout: TIMEOUT_MS });
    return parseGpus(stdout);
  } catch {
    return [];
  }
}

/** Parses lines such as `0, 1024, 81559, 37`: memory in MiB, `[N/A]` for values that a device does not report. */
export function parseGpus(output: string): readonly GpuReading[] {
  const readings: GpuReading[] = [];
  for (const line of output.split('\n')) {
    const [index = '', used = '', total = '', utilization = ''] = line.split(',').map((cell) => cell.trim());
    if (!/^\d+$/.test(index) || !/^\d+$/.test(used) || !/^\d+$/.test(total)) continue;
    readings.push({
      index,
      usedBytes: Number(used) * MIB,
      totalBytes: Number(total) * MIB,
      utilization: /^\d+$/.test(utilization) ? Number(utilization) / 100 : null,
    });
  }
  return readings;
}
