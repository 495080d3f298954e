import { digestOf } from '../digest.ts';
import type { JsonValue } from '../digest.ts';
import type { RunConfig } from '../run-config.ts';
import { groupBy } from './grouping.ts';
import type { PlannedRun } from './plan.ts';

/** The run that trains the head of each run with a head phase; most train their own. */
export type HeadRuns = ReadonlyMap<string, string>;

/**
 * Identifies a head phase by the SHA-256, hexadecimal, of everything that determines its numbers, including seeds. Runs
 * with the same digest differ in fine-tuning only, so one of them trains the head and all start from it.
 */
export function headDigest(config: RunConfig): string {
  return digestOf({ ...config, fineTune: null } as unknown as JsonValue);
}

/**
 * Returns the run that trains each head. Among runs that share it, this is the one without fine-tuning (which has no
 * other work), else the first. Runs without a head phase (`epochs` 0) are omitted.
 */
export function shareHeads(runs: readonly PlannedRun[]): HeadRuns {
  const headRuns = new Map<string, string>();
  const trained = runs.filter(({ config }) => config.epochs > 0).sort((a, b) => a.index - b.index);
  for (const group of groupBy(trained, ({ config }) => headDigest(config))) {
    const lead = group.find(({ config }) => config.fineTune === null) ?? group[0];
    // A run that is only a head always keeps its work, whatever parameters compile to the same configuration.
    for (const { runId, config } of group) headRuns.set(runId, (config.fineTune && lead?.runId) ?? runId);
  }
  return headRuns;
}
