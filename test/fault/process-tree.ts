import { readFileSync, readdirSync } from 'node:fs';

/** Returns the living children of a process whose command line contains `part` (Linux), without zombies. */
export function childrenOf(parentPid: number, part: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const status = readFileSync(`/proc/${name}/stat`, 'utf8');
        const [state, parent] = status.slice(status.lastIndexOf(')') + 2).split(' ');
        return (
          state !== 'Z' && Number(parent) === parentPid && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(part)
        );
      } catch {
        // It has just ended.
        return false;
      }
    })
    .map(Number);
}

/** Returns whether a process is stopped by SIGSTOP (Linux). */
export function isStopped(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return status.slice(status.lastIndexOf(')') + 2).startsWith('T');
  } catch {
    return false;
  }
}

/** Sends a signal. @returns false if there is no such process. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
