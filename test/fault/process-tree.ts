import { readFileSync, readdirSync } from 'node:fs';

/** Living children of a process whose command line has `part` (Linux). Zombies, which nobody has waited for yet, are left out. */
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
        // It has ended in this moment.
        return false;
      }
    })
    .map(Number);
}

/** Whether a process was stopped by SIGSTOP (Linux). */
export function isStopped(pid: number): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return status.slice(status.lastIndexOf(')') + 2).startsWith('T');
  } catch {
    return false;
  }
}

/** @returns false where there is no such process. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}
