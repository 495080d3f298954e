import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ErrorClass, TaskError } from '../../core/task.ts';
import { isDeviceLost } from '../training/device-lost.ts';

/** The end of a worker process and what was measured until then. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Peak resident memory sampled, in bytes; 0: unknown. */
  readonly peakMemoryBytes: number;
  /** Memory of the container or the machine in bytes; 0: unknown. */
  readonly memoryLimitBytes: number;
  /** Processes of this container that the kernel killed for lack of memory since the worker began. */
  readonly outOfMemoryKills: number;
  /** The end of its output, without routine log lines. */
  readonly lastOutput: string;
}

/** Messages of V8, the C++ library and TensorFlow's allocators before they abort. */
const OUT_OF_MEMORY_OUTPUT = /out of memory|bad_alloc|Allocation failed|OOM when allocating|failed to allocate/i;
/** Messages of the C library and Node. */
const DISK_FULL_OUTPUT = /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/;
/** Share of the limit from which a SIGKILL counts as the kernel's. The last sample is some hundred milliseconds old. */
const NEAR_LIMIT = 0.8;

/**
 * Returns the error of an attempt whose worker died.
 *
 * @param doing progress detail, such as "epoch 3 of 9".
 */
export function errorOfExit(exit: WorkerExit, doing: string): TaskError {
  const { errorClass, code, why } = diagnose(exit);
  const how = exit.signal === null ? `exit code ${exit.code ?? 'unknown'}` : `signal ${exit.signal}`;
  const output = exit.lastOutput.trim();
  return {
    errorClass,
    code,
    message:
      `The worker process ended with ${how} during: ${doing}. ${why}` +
      (output === '' ? '' : ` Its last output: ${output.slice(-1_000)}`),
    datasetProblems: [],
  };
}

function diagnose(exit: WorkerExit): { errorClass: ErrorClass; code: string; why: string } {
  const used = `It used up to ${gib(exit.peakMemoryBytes)} of ${gib(exit.memoryLimitBytes)}.`;
  if (exit.signal === 'SIGKILL') {
    const isNearLimit = exit.memoryLimitBytes > 0 && exit.peakMemoryBytes >= NEAR_LIMIT * exit.memoryLimitBytes;
    if (exit.outOfMemoryKills > 0 || isNearLimit) {
      return { errorClass: 'MEMORY', code: 'OUT_OF_MEMORY', why: `The kernel killed it: out of memory. ${used}` };
    }
    return { errorClass: 'INFRASTRUCTURE', code: 'WORKER_KILLED', why: `It was killed from outside. ${used}` };
  }
  if (OUT_OF_MEMORY_OUTPUT.test(exit.lastOutput)) {
    return { errorClass: 'MEMORY', code: 'OUT_OF_MEMORY', why: `It could not allocate memory. ${used}` };
  }
  if (isDeviceLost(exit.lastOutput)) {
    return { errorClass: 'INFRASTRUCTURE', code: 'DEVICE_LOST', why: `Its device on host ${hostname()} was lost.` };
  }
  if (DISK_FULL_OUTPUT.test(exit.lastOutput)) {
    return { errorClass: 'INFRASTRUCTURE', code: 'DISK_FULL', why: `A disk of host ${hostname()} is full.` };
  }
  if (exit.signal === 'SIGTERM' || exit.signal === 'SIGINT' || exit.signal === 'SIGHUP') {
    return { errorClass: 'INFRASTRUCTURE', code: 'WORKER_KILLED', why: 'It was ended from outside.' };
  }
  return { errorClass: 'COUNTED', code: 'WORKER_CRASHED', why: 'It crashed.' };
}

function gib(bytes: number): string {
  return bytes > 0 ? `${(bytes / 1024 ** 3).toFixed(1)} GiB` : 'an unknown amount';
}

/** Returns the peak resident memory of a process in bytes (Linux); 0 if it can't be read. */
export function readPeakMemory(pid: number): number {
  const line = readText(`/proc/${pid}/status`)?.match(/^VmHWM:\s+(\d+) kB$/m);
  return line?.[1] === undefined ? 0 : Number(line[1]) * 1024;
}

/** Returns the container's memory limit, else the machine's memory, in bytes; 0 if neither can be read. */
export function readMemoryLimit(): number {
  const container = Number(readText('/sys/fs/cgroup/memory.max') ?? Number.NaN);
  const machine = readText('/proc/meminfo')?.match(/^MemTotal:\s+(\d+) kB$/m)?.[1];
  const machineBytes = machine === undefined ? 0 : Number(machine) * 1024;
  if (!Number.isFinite(container) || container <= 0) return machineBytes;
  return machineBytes > 0 ? Math.min(container, machineBytes) : container;
}

/** Returns how many processes of this container the kernel has killed for lack of memory; 0 if it can't be read. */
export function readOutOfMemoryKills(): number {
  const count = readText('/sys/fs/cgroup/memory.events')?.match(/^oom_kill (\d+)$/m)?.[1];
  return count === undefined ? 0 : Number(count);
}

/** Describes the state of a process and the kernel function in which it waits, for the report of a stuck worker. */
export function describeProcess(pid: number): string {
  const state = readText(`/proc/${pid}/status`)?.match(/^State:\s+(.+)$/m)?.[1] ?? 'unknown';
  const place = readText(`/proc/${pid}/wchan`)?.trim() ?? '';
  return `process state ${state}${place === '' || place === '0' ? '' : `, waiting in ${place}`}`;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
