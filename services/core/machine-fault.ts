import type { ErrorClass, TaskError } from './task.ts';

interface FaultKind {
  /** The affected part: one device, or all slots of the machine. */
  readonly of: 'SLOT' | 'MACHINE';
  /**
   * Retries with a back-off after every slot that could take the task has failed it by such a fault; then the sweep pauses.
   * Above 0 where the fault may disappear by itself.
   */
  readonly rounds: number;
}

/**
 * Codes of errors that are caused by the machine of the attempt, so that the task may succeed on another. The error class
 * decides when it succeeds on none: INFRASTRUCTURE pauses the sweep, PERMANENT ends what depends on the task.
 */
const MACHINE_FAULTS: ReadonlyMap<string, FaultKind> = new Map<string, FaultKind>([
  /** The artifact store or the cache folder is full. */
  ['DISK_FULL', { of: 'MACHINE', rounds: 0 }],
  ['STORE_UNWRITABLE', { of: 'MACHINE', rounds: 0 }],
  ['STORE_UNREACHABLE', { of: 'MACHINE', rounds: 3 }],
  /** The store is another cluster's, or is not mounted. */
  ['STORE_FOREIGN', { of: 'MACHINE', rounds: 0 }],
  /** The machine's own disk can't be read or written. */
  ['DISK_UNUSABLE', { of: 'MACHINE', rounds: 3 }],
  ['DATA_MISSING', { of: 'MACHINE', rounds: 3 }],
  ['DATA_UNREADABLE', { of: 'MACHINE', rounds: 3 }],
  /** The images differ from the manifest. */
  ['DATA_CHANGED', { of: 'MACHINE', rounds: 0 }],
  ['WEIGHTS_MISSING', { of: 'MACHINE', rounds: 0 }],
  /** The weights differ from those that the features were computed with, and nothing stored is damaged. */
  ['DIGEST_MISMATCH', { of: 'MACHINE', rounds: 0 }],
  /** The machine can't download the weights at the moment. */
  ['WEIGHTS_UNAVAILABLE', { of: 'MACHINE', rounds: 3 }],
  /** The machine's GRAFT_DATA_ROOT does not allow the path. */
  ['PATH_OUTSIDE', { of: 'MACHINE', rounds: 0 }],
  ['DEVICE_LOST', { of: 'SLOT', rounds: 3 }],
]);

/** Codes of faults of a single device, for SQL. */
export const SLOT_FAULT_CODES: readonly string[] = [...MACHINE_FAULTS].flatMap(([code, kind]) =>
  kind.of === 'SLOT' ? [code] : [],
);

/** Hint for every fault of data and weights: a path that works on one machine is easily forgotten on another. */
export const SAME_PATH_RULE = 'Every trainer must see the images and weights of a sweep under the same path.';

/** Number of different tasks that must fail by a machine's faults before it is benched: one may be bad luck. */
export const FAULTS_TO_BENCH = 2;

/** Returns whether an attempt's error is caused by the machine rather than the task. */
export function isMachineFault({
  code,
  errorClass,
}: {
  readonly code: string;
  readonly errorClass: ErrorClass;
}): boolean {
  // With another class, the code is about a stored file, which is repaired.
  if (code === 'DIGEST_MISMATCH' && errorClass !== 'PERMANENT') return false;
  return MACHINE_FAULTS.has(code);
}

/** Returns the error of a machine's fault. @param code a key of `MACHINE_FAULTS` */
export function machineFault(code: string, message: string): TaskError {
  return { errorClass: 'INFRASTRUCTURE', code, message, datasetProblems: [] };
}

export interface MachineFaultInput {
  readonly code: string;
  readonly message: string;
  readonly isPermanent: boolean;
  /** True: another slot, which has not failed the task by such a fault, may take it. */
  readonly hasOther: boolean;
  /** Number of times that there was none since the sweep was last paused for it, including this one. */
  readonly round: number;
}

export type MachineFaultDecision =
  /** Another slot takes it at once; no failure is counted. */
  | { readonly action: 'ELSEWHERE'; readonly reason: string }
  /** Every slot has failed it: all may retry after a back-off. @see round */
  | { readonly action: 'AGAIN'; readonly reason: string }
  /** A person must fix the cause. */
  | { readonly action: 'PAUSE'; readonly reason: string }
  | { readonly action: 'FAIL'; readonly reason: string };

/** Decides what follows an attempt that failed by its machine's fault. It neither loops for ever nor blames the task alone. */
export function decideMachineFault(input: MachineFaultInput): MachineFaultDecision {
  const { code, message, isPermanent, hasOther, round } = input;
  if (hasOther) return { action: 'ELSEWHERE', reason: `not counted, another slot takes it: ${message}` };
  if (isPermanent) return { action: 'FAIL', reason: message };
  const rounds = MACHINE_FAULTS.get(code)?.rounds ?? 0;
  if (round <= rounds) {
    return { action: 'AGAIN', reason: `not counted, retry ${round} of ${rounds}: ${message}` };
  }
  return { action: 'PAUSE', reason: `waits until the sweep is resumed: ${message}` };
}

/** Returns a message with the errors of all trainers that failed a task. @param faults at least one of each trainer */
export function describeFaults(
  faults: readonly { readonly trainerId: string; readonly hostname: string; readonly message: string }[],
  own: string,
): string {
  const others = faults.filter(({ message }) => message !== own);
  const names = [...new Set(faults.map(({ trainerId, hostname }) => `${trainerId} on ${hostname}`))];
  if (names.length < 2) return own;
  const lines = others.map(({ trainerId, message }) => `${trainerId}: ${message}`);
  return [`${own} Every trainer that could take the task has failed it so (${names.join(', ')}).`, ...lines].join('\n');
}
