import type { SweepSpec } from '../sweep/sweep-spec.ts';
import type { SampledRun } from './sample-runs.ts';

/** Returns sentences on a stopping section that has nothing to decide on; empty without any. */
export function searchNotes({ stopping }: Pick<SweepSpec, 'stopping'>, runs: readonly SampledRun[]): string[] {
  if (stopping === undefined) return [];
  const { rule, rungs } = stopping;
  const isJudgedAtRungs = rule !== 'none' && rule !== 'threshold' && rule !== 'patience';
  const fineTunes = runs.some(({ parameters }) => parameters['fine_tune.enabled'] === true);
  const hasHeadRungs = rule !== null && rungs !== null && rungs.head.length > 0;
  if (!isJudgedAtRungs || fineTunes || hasHeadRungs) return [];
  const which = rule === null ? 'stopping' : `stopping: ${rule}`;
  return [
    `${which} decides nothing: no run is fine-tuned, and heads have no rungs before their end, so every run trains to its end. ` +
      'Set fine_tune.enabled: true, or, with method: augmented, list stopping.rungs.head.',
  ];
}
