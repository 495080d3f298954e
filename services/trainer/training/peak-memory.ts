import { writeFileSync } from 'node:fs';

/** Returns the peak memory of this process in bytes since `resetPeakMemory`; since its start on systems other than Linux. */
export function readPeakMemory(): number {
  // libuv reports kilobytes on every system.
  return process.resourceUsage().maxRSS * 1024;
}

/** Resets the peak, so that it does not include earlier tasks of the same worker. */
export function resetPeakMemory(): void {
  try {
    // proc(5): writing 5 sets the peak resident size, which getrusage reports too, to the current size.
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Not Linux, or not permitted: the value is then an upper bound.
  }
}
