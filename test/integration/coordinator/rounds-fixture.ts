import { SEARCH_DEFAULTS } from '../../../services/core/sweep/search-spec.ts';
import type { SearchSpec } from '../../../services/core/sweep/search-spec.ts';
import type { ParameterSpec, SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { specOf } from './harness.ts';
import type { Harness } from './harness.ts';

/** A space without end: heads that train in one group. */
const WIDE: readonly ParameterSpec[] = [
  rangeOf('optimizer.learning_rate', 1e-4, 1e-1, 'log'),
  rangeOf('head.dropout', 0, 0.8),
  { name: 'head.units', domain: { kind: 'values', values: [32, 64, 128, 256] }, conditions: [] },
];

function rangeOf(name: string, min: number, max: number, scale: 'linear' | 'log' = 'linear'): ParameterSpec {
  return { name, domain: { kind: 'range', min, max, scale, gridPoints: null, step: null }, conditions: [] };
}

/** Rounds of heads with one epoch. */
export function adaptiveSpec(changes: Partial<SweepSpec> = {}, search: Partial<SearchSpec> = {}): SweepSpec {
  return specOf({
    base: { ...specOf().base, epochs: 1 },
    parameters: WIDE,
    strategy: 'tpe',
    maxRuns: 16,
    search: { ...SEARCH_DEFAULTS, startupRuns: 4, roundRuns: 4, ...search },
    reuse: false,
    ...changes,
  });
}

/** Twenty points. */
export const TWENTY_POINTS: readonly ParameterSpec[] = [
  { name: 'head.units', domain: { kind: 'values', values: [16, 32, 64, 128, 256] }, conditions: [] },
  { name: 'optimizer.learning_rate', domain: { kind: 'values', values: [0.001, 0.003, 0.01, 0.03] }, conditions: [] },
];

export interface RoundRun {
  readonly run_index: number;
  readonly round: number | null;
  readonly position: number | null;
  readonly sampler: string | null;
  readonly decision_id: string | null;
  readonly digest: string;
  readonly state: string;
}

/** The runs of a sweep with how they came into it. */
export async function roundRuns(harness: Pick<Harness, 'query'>, sweepId: string): Promise<RoundRun[]> {
  return harness.query<RoundRun>(
    `SELECT r.run_index, u.round, u.position, u.sampler, u.decision_id, r.parameters_digest AS digest, r.state
       FROM runs r LEFT JOIN suggestions u ON u.run_id = r.run_id WHERE r.sweep_id = $1 ORDER BY r.run_index`,
    [sweepId],
  );
}

/** Number of runs of each round. */
export function sizesOf(runs: readonly RoundRun[]): number[] {
  const sizes: number[] = [];
  for (const { round } of runs) if (round !== null) sizes[round] = (sizes[round] ?? 0) + 1;
  return sizes;
}

export async function endReason(harness: Pick<Harness, 'query'>, sweepId: string): Promise<string | null> {
  const [row] = await harness.query<{ end_reason: string | null }>(
    'SELECT end_reason FROM searches WHERE sweep_id = $1',
    [sweepId],
  );
  return row?.end_reason ?? null;
}
