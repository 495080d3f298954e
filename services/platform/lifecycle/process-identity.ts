import { readFileSync, readlinkSync } from 'node:fs';

/** A process, distinguished by its start time from a later process with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot from /proc/PID/stat; empty where there is no /proc. */
  readonly startTime: string;
  /** Names the process table that has `pid`: boot and namespace (container). Absent in records of earlier versions. */
  readonly processTable?: string;
}

export function identifyProcess(pid: number): ProcessIdentity {
  return { pid, startTime: statOf(pid).startTime, processTable: processTable() };
}

/** Returns whether exactly this process runs here. A zombie, which has ended and waits for its parent, does not. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (!isOfThisTable(identity)) return false;
  try {
    process.kill(identity.pid, 0);
  } catch (error) {
    // EPERM: the process runs under another account.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const { startTime, state } = statOf(identity.pid);
  return startTime === identity.startTime && state !== 'Z';
}

/** Returns false for a process of another machine or container, or of this machine before its last boot. */
export function isOfThisTable(identity: ProcessIdentity): boolean {
  return identity.processTable === undefined || identity.processTable === processTable();
}

/**
 * Reads an identity from JSON; null unless `json` holds one. A bare process ID, as earlier versions wrote, stands for the process that has
 * this ID now. It is never this process, which writes complete identities.
 */
export function parseIdentity(json: string): ProcessIdentity | null {
  try {
    const parsed = JSON.parse(json) as ProcessIdentity | number;
    const { pid, startTime, processTable: table } = typeof parsed === 'number' ? bareIdentity(parsed) : parsed;
    if (!Number.isSafeInteger(pid) || pid <= 0 || typeof startTime !== 'string') return null;
    return { pid, startTime, ...(table === undefined ? {} : { processTable: table }) };
  } catch {
    return null;
  }
}

function bareIdentity(pid: number): ProcessIdentity {
  return { pid, startTime: pid === process.pid ? 'of a predecessor' : statOf(pid).startTime };
}

/** Returns the arguments of a process, empty when it has ended or is a zombie. */
export function commandLineOf(pid: number): readonly string[] {
  return orEmpty(() => readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8'))
    .split('\0')
    .filter((part) => part !== '');
}

function processTable(): string {
  const boot = orEmpty(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  return `${boot} ${orEmpty(() => readlinkSync('/proc/self/ns/pid'))}`;
}

/** Reads fields 22 and 3 of /proc/PID/stat. */
function statOf(pid: number): { readonly startTime: string; readonly state: string } {
  const stat = orEmpty(() => readFileSync(`/proc/${String(pid)}/stat`, 'utf8'));
  // The second field is the program's name in brackets and may itself contain blanks and brackets.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { startTime: fields[19] ?? '', state: fields[0] ?? '' };
}

function orEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return '';
  }
}
