import { digestOf } from '../digest.ts';
import type { JsonValue } from '../digest.ts';
import type { RunConfig } from '../run-config.ts';
import { groupBy } from './grouping.ts';
import type { PlannedRun } from './plan.ts';

/** Which run trains the head of each run that has a head phase; most train their own. */
export type HeadRuns = ReadonlyMap<string, string>;

/**
 * Names a head phase: SHA-256, hexadecimal, over everything its numbers depend on, seeds included. Runs with the same name
 * differ in fine-tuning only, so one of them trains the head and all start from it.
 */
export function headDigest(config: RunConfig): string {
  return digestOf({ ...config, fineTune: null } as unknown as JsonValue);
}

/**
 * The run that trains each head: of those that share it the one without fine-tuning (which has nothing else to do), else the
 * first. Runs without a head phase (`epochs` 0) are left out.
 */
export function shareHeads(runs: readonly PlannedRun[]): HeadRuns {
  const headRuns = new Map<string, string>();
  const trained = runs.filter(({ config }) => config.epochs > 0).sort((a, b) => a.index - b.index);
  for (const group of groupBy(trained, ({ config }) => headDigest(config))) {
    const lead = group.find(({ config }) => config.fineTune === null) ?? group[0];
    // A run that is only a head is never left with nothing to do, whatever parameters compile to the same configuration.
    for (const { runId, config } of group) headRuns.set(runId, (config.fineTune && lead?.runId) ?? runId);
  }
  return headRuns;
}
