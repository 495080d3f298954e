import type { ErrorClass, TaskError } from './task.ts';

interface FaultKind {
  /** What the fault is a fault of: one device, or all slots of the machine. */
  readonly of: 'SLOT' | 'MACHINE';
  /**
   * Tries with a back-off after every slot that could take the task has failed it so; then the sweep pauses. It may pass by
   * itself where the number is above 0.
   */
  readonly rounds: number;
}

/**
 * Errors that speak of the machine an attempt ran on, by their code: another machine may do well. Their class says what
 * follows when none does: INFRASTRUCTURE pauses the sweep, PERMANENT ends what depends on the task.
 */
const MACHINE_FAULTS: ReadonlyMap<string, FaultKind> = new Map<string, FaultKind>([
  /** No room in the artifact store or the cache folder. */
  ['DISK_FULL', { of: 'MACHINE', rounds: 0 }],
  ['STORE_UNWRITABLE', { of: 'MACHINE', rounds: 0 }],
  ['STORE_UNREACHABLE', { of: 'MACHINE', rounds: 3 }],
  /** Another cluster's, or not mounted. */
  ['STORE_FOREIGN', { of: 'MACHINE', rounds: 0 }],
  /** The machine's own disk can't be read or written. */
  ['DISK_UNUSABLE', { of: 'MACHINE', rounds: 3 }],
  ['DATA_MISSING', { of: 'MACHINE', rounds: 3 }],
  ['DATA_UNREADABLE', { of: 'MACHINE', rounds: 3 }],
  /** Images there are others than in the manifest. */
  ['DATA_CHANGED', { of: 'MACHINE', rounds: 0 }],
  ['WEIGHTS_MISSING', { of: 'MACHINE', rounds: 0 }],
  /** Other weights than the features were made with, where nothing stored is damaged. */
  ['DIGEST_MISMATCH', { of: 'MACHINE', rounds: 0 }],
  /** They can't be downloaded from there. */
  ['WEIGHTS_UNAVAILABLE', { of: 'MACHINE', rounds: 3 }],
  /** The machine's GRAFT_DATA_ROOT does not allow the path. */
  ['PATH_OUTSIDE', { of: 'MACHINE', rounds: 0 }],
  ['DEVICE_LOST', { of: 'SLOT', rounds: 3 }],
]);

/** Codes whose fault is one device's; for SQL. */
export const SLOT_FAULT_CODES: readonly string[] = [...MACHINE_FAULTS].flatMap(([code, kind]) =>
  kind.of === 'SLOT' ? [code] : [],
);

/** Said with every fault of data and weights: what is right on one machine is easily forgotten on another. */
export const SAME_PATH_RULE = 'Every trainer must see the images and weights of a sweep under the same path.';

/** So many different tasks must have failed by a machine's faults before it is benched: one may have had bad luck. */
export const FAULTS_TO_BENCH = 2;

/** Whether an attempt's error is about the machine rather than the task. */
export function isMachineFault({
  code,
  errorClass,
}: {
  readonly code: string;
  readonly errorClass: ErrorClass;
}): boolean {
  // The same name with another class is about a stored file, which heals.
  if (code === 'DIGEST_MISMATCH' && errorClass !== 'PERMANENT') return false;
  return MACHINE_FAULTS.has(code);
}

/** The error of a machine's fault. @param code one of the list above */
export function machineFault(code: string, message: string): TaskError {
  return { errorClass: 'INFRASTRUCTURE', code, message, datasetProblems: [] };
}

export interface MachineFaultInput {
  readonly code: string;
  readonly message: string;
  readonly isPermanent: boolean;
  /** Whether a slot that has not failed the task so may take it. */
  readonly hasOther: boolean;
  /** Times that there was none, this one included, since the sweep was last paused for it. */
  readonly round: number;
}

export type MachineFaultDecision =
  /** Another slot takes it at once; nothing is counted. */
  | { readonly action: 'ELSEWHERE'; readonly reason: string }
  /** Every slot has failed it: all may try again after a back-off. @see round */
  | { readonly action: 'AGAIN'; readonly reason: string }
  /** A person must mend something. */
  | { readonly action: 'PAUSE'; readonly reason: string }
  | { readonly action: 'FAIL'; readonly reason: string };

/** What follows an attempt that failed by its machine's fault: never an endless loop, and never the task's fault alone. */
export function decideMachineFault(input: MachineFaultInput): MachineFaultDecision {
  const { code, message, isPermanent, hasOther, round } = input;
  if (hasOther) return { action: 'ELSEWHERE', reason: `not counted, another slot tries: ${message}` };
  if (isPermanent) return { action: 'FAIL', reason: message };
  const rounds = MACHINE_FAULTS.get(code)?.rounds ?? 0;
  if (round <= rounds) {
    return { action: 'AGAIN', reason: `not counted, tried again (${round} of ${rounds}): ${message}` };
  }
  return { action: 'PAUSE', reason: `waits until the sweep is resumed: ${message}` };
}

/** What every slot said that failed a task, for the record. @param faults one of each trainer at least */
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
