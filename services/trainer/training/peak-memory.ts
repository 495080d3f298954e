import { writeFileSync } from 'node:fs';

/** Most memory, in bytes, that this process has held since `resetPeakMemory`; on other systems than Linux since its start. */
export function readPeakMemory(): number {
  // libuv gives kilobytes on every system.
  return process.resourceUsage().maxRSS * 1024;
}

/** Begins anew, so that a task is not charged with what an earlier one of the same worker took. */
export function resetPeakMemory(): void {
  try {
    // proc(5): 5 sets the highest resident size, which getrusage reports too, to the present one.
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not Linux, or forbidden: the figure is then an upper bound.
  }
}
