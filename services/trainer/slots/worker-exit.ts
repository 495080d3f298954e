import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { ErrorClass, TaskError } from '../../core/task.ts';
import { isDeviceLost } from '../training/device-lost.ts';

/** How a worker process ended, and what was known of it. */
export interface WorkerExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** We ended it. */
  readonly isIntended: boolean;
  /** Highest resident memory seen, bytes; 0: unknown. */
  readonly peakMemoryBytes: number;
  /** Memory the machine or the container has, bytes; 0: unknown. */
  readonly memoryLimitBytes: number;
  /** Kills by the kernel for lack of memory in this container, since the worker began. */
  readonly outOfMemoryKills: number;
  /** The end of what it wrote to standard error. */
  readonly lastWords: string;
}

// What V8, the C++ library and TensorFlow's allocators say before they abort.
const OUT_OF_MEMORY_WORDS = /out of memory|bad_alloc|Allocation failed|OOM when allocating|failed to allocate/i;
/** What the C library and Node say. */
const DISK_FULL_WORDS = /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/;
/** The kernel kills near the limit, not at it: our last sample is some hundred milliseconds old. */
const NEAR_LIMIT = 0.8;

/** The error of an attempt whose worker died (semantics: "Attempts and retries"). */
export function errorOfExit(exit: WorkerExit, doing: string): TaskError {
  const { errorClass, code, why } = diagnose(exit);
  const how = exit.signal === null ? `exit code ${exit.code ?? 'unknown'}` : `signal ${exit.signal}`;
  const words = exit.lastWords.trim();
  return {
    errorClass,
    code,
    message:
      `The worker process ended with ${how} while it worked on: ${doing}. ${why}` +
      (words === '' ? '' : ` Its last words: ${words.slice(-1_000)}`),
    datasetProblems: [],
  };
}

function diagnose(exit: WorkerExit): { errorClass: ErrorClass; code: string; why: string } {
  const used = `It held up to ${gib(exit.peakMemoryBytes)} of ${gib(exit.memoryLimitBytes)}.`;
  if (exit.signal === 'SIGKILL') {
    const isNearLimit = exit.memoryLimitBytes > 0 && exit.peakMemoryBytes >= NEAR_LIMIT * exit.memoryLimitBytes;
    if (exit.outOfMemoryKills > 0 || isNearLimit) {
      return { errorClass: 'MEMORY', code: 'OUT_OF_MEMORY', why: `The kernel killed it for lack of memory. ${used}` };
    }
    return { errorClass: 'INFRASTRUCTURE', code: 'WORKER_KILLED', why: `Something outside killed it. ${used}` };
  }
  if (OUT_OF_MEMORY_WORDS.test(exit.lastWords)) {
    return { errorClass: 'MEMORY', code: 'OUT_OF_MEMORY', why: `It could not get the memory it asked for. ${used}` };
  }
  if (isDeviceLost(exit.lastWords)) {
    return { errorClass: 'INFRASTRUCTURE', code: 'DEVICE_LOST', why: `The device was lost on host ${hostname()}.` };
  }
  if (DISK_FULL_WORDS.test(exit.lastWords)) {
    return { errorClass: 'INFRASTRUCTURE', code: 'DISK_FULL', why: `A disk of host ${hostname()} is full.` };
  }
  if (exit.signal === 'SIGTERM' || exit.signal === 'SIGINT' || exit.signal === 'SIGHUP') {
    return { errorClass: 'INFRASTRUCTURE', code: 'WORKER_KILLED', why: 'Something outside ended it.' };
  }
  return { errorClass: 'COUNTED', code: 'WORKER_CRASHED', why: 'It crashed.' };
}

function gib(bytes: number): string {
  return bytes > 0 ? `${(bytes / 1024 ** 3).toFixed(1)} GiB` : 'an unknown amount';
}

/** Highest resident memory of a process in bytes (Linux); 0 where it can't be read. */
export function readPeakMemory(pid: number): number {
  const line = readText(`/proc/${pid}/status`)?.match(/^VmHWM:\s+(\d+) kB$/m);
  return line?.[1] === undefined ? 0 : Number(line[1]) * 1024;
}

/** The container's memory limit, else the machine's memory; 0 where neither can be read. */
export function readMemoryLimit(): number {
  const container = Number(readText('/sys/fs/cgroup/memory.max') ?? Number.NaN);
  const machine = readText('/proc/meminfo')?.match(/^MemTotal:\s+(\d+) kB$/m)?.[1];
  const machineBytes = machine === undefined ? 0 : Number(machine) * 1024;
  if (!Number.isFinite(container) || container <= 0) return machineBytes;
  return machineBytes > 0 ? Math.min(container, machineBytes) : container;
}

/** How often the kernel has killed in this container for lack of memory; 0 where it can't be read. */
export function readOutOfMemoryKills(): number {
  const count = readText('/sys/fs/cgroup/memory.events')?.match(/^oom_kill (\d+)$/m)?.[1];
  return count === undefined ? 0 : Number(count);
}

/** State and waiting place of a process, for the report of a stuck one. */
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
