import { SweepSpec } from '../../proto/gen/graft/v1/sweep.ts';
import {
  CreateSweepRequest,
  GetLeaderboardRequest,
  ListRunsRequest,
  ListSweepsRequest,
  PlanSweepRequest,
  WatchSweepRequest,
} from '../../proto/gen/graft/v1/sweep_service.ts';

const SERVICE = '/graft.v1.SweepService';
const MOST_ROWS = 2 ** 31 - 1;

/** A request with the maximum cost within the limits. */
export interface WorstRequest {
  readonly name: string;
  readonly path: string;
  readonly isStream: boolean;
  readonly bytes: Uint8Array;
}

/** Returns a large spec. @param runCount runs of the sweep, at most 10,000. */
export function largeSpec(runCount: number): SweepSpec {
  const range = (name: string, min: number, max: number) => ({
    name,
    domain: { $case: 'range' as const, value: { min, max, scale: 1 as const, gridPoints: 0, step: 0 } },
  });
  return SweepSpec.fromPartial({
    displayName: 'as large as a sweep may be',
    dataset: { path: '/data/animals' },
    base: [
      { name: 'method', value: { kind: { $case: 'stringValue', value: 'augmented' } } },
      { name: 'fine_tune.enabled', value: { kind: { $case: 'boolValue', value: true } } },
    ],
    parameters: [
      range('optimizer.learning_rate', 1e-4, 1e-2),
      range('fine_tune.learning_rate', 1e-6, 1e-4),
      range('augmentation.rotation', 0, 1),
      range('augmentation.contrast', 0, 1),
      range('head.dropout', 0, 0.9),
      range('head.l2', 0, 1),
      range('label_smoothing', 0, 0.5),
    ],
    strategy: 2,
    maxRuns: runCount,
    seed: 1n,
  });
}

/**
 * Returns the costliest requests within the limits.
 *
 * @param sweepId of a sweep with many runs.
 */
export function worstRequests(sweepId: string, runCount: number): readonly WorstRequest[] {
  const plan = PlanSweepRequest.encode(PlanSweepRequest.fromPartial({ spec: largeSpec(runCount) })).finish();
  const create = CreateSweepRequest.encode(CreateSweepRequest.fromPartial({ spec: largeSpec(runCount) })).finish();
  const list = { sweepId, pageSize: MOST_ROWS };
  return [
    unary('PlanSweep', plan),
    unary('CreateSweep', create),
    unary('PlanSweep', unknownNames()),
    unary('CreateSweep', manyVariants()),
    unary('ListRuns', ListRunsRequest.encode(ListRunsRequest.fromPartial(list)).finish()),
    unary('GetLeaderboard', GetLeaderboardRequest.encode(GetLeaderboardRequest.fromPartial(list)).finish()),
    unary('ListSweeps', ListSweepsRequest.encode(ListSweepsRequest.fromPartial({ pageSize: MOST_ROWS })).finish()),
    { ...unary('WatchSweep', WatchSweepRequest.encode({ sweepId, cursor: 0n }).finish()), isStream: true },
    unary('PlanSweep', tooLarge()),
    unary('CreateSweep', Buffer.alloc(1024 * 1024, 0xff)),
  ];
}

function unary(name: string, bytes: Uint8Array): WorstRequest {
  return { name, path: `${SERVICE}/${name}`, isStream: false, bytes };
}

/** Returns the maximum number of unknown parameter names: each is a mistake, for which the nearest name is searched. */
function unknownNames(): Uint8Array {
  const parameters = Array.from({ length: 20 }, (_, index) => ({
    name: `optimiser.learning_rates_of_the_head_and_the_base_${index}`,
    value: { kind: { $case: 'intValue' as const, value: 1n } },
  }));
  const variants = Array.from({ length: 990 }, () => ({ parameters }));
  return PlanSweepRequest.encode(PlanSweepRequest.fromPartial({ spec: { variants, strategy: 4 } }))
    .finish()
    .slice(0);
}

function manyVariants(): Uint8Array {
  const variants = Array.from({ length: 1_000 }, (_, index) => ({
    parameters: [{ name: 'data_seed', value: { kind: { $case: 'intValue' as const, value: BigInt(index) } } }],
  }));
  const spec = { dataset: { path: '/data/animals' }, variants, strategy: 4 as const };
  return CreateSweepRequest.encode(CreateSweepRequest.fromPartial({ spec })).finish();
}

/** Returns a spec that is refused for its number of variants, which is the maximum that fits into a request. */
function tooLarge(): Uint8Array {
  const variants = Array.from({ length: 500_000 }, () => ({}));
  return PlanSweepRequest.encode(PlanSweepRequest.fromPartial({ spec: { variants } })).finish();
}
