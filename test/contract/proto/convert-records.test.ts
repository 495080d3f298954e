import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attemptFromProto, attemptToProto } from '../../../services/platform/rpc/convert/attempt.ts';
import { checkpointRecordFromProto, checkpointToProto } from '../../../services/platform/rpc/convert/checkpoint.ts';
import { epochMetricFromProto, epochMetricToProto } from '../../../services/platform/rpc/convert/epoch-metric.ts';
import { eventFromProto, eventToProto } from '../../../services/platform/rpc/convert/event.ts';
import { forecastFromProto, forecastToProto } from '../../../services/platform/rpc/convert/forecast.ts';
import {
  leaderboardEntryFromProto,
  leaderboardEntryToProto,
} from '../../../services/platform/rpc/convert/leaderboard.ts';
import {
  deadLetterFromProto,
  deadLetterToProto,
  mlflowStatusFromProto,
  mlflowStatusToProto,
} from '../../../services/platform/rpc/convert/mlflow.ts';
import { runFromProto, runToProto } from '../../../services/platform/rpc/convert/run.ts';
import { sweepFromProto, sweepToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { testResultFromProto, testResultToProto } from '../../../services/platform/rpc/convert/test-result.ts';
import { tokenFromProto, tokenToProto } from '../../../services/platform/rpc/convert/token.ts';
import { trainerFromProto, trainerToProto } from '../../../services/platform/rpc/convert/trainer.ts';
import { Checkpoint, EpochMetric, Run, RunAttempt, TestResult } from '../../../proto/gen/graft/v1/run.ts';
import { Sweep } from '../../../proto/gen/graft/v1/sweep.ts';
import {
  GetMlflowStatusResponse,
  GetSweepResponse,
  LeaderboardEntry,
  MlflowDeadLetter,
  WatchSweepResponse,
} from '../../../proto/gen/graft/v1/sweep_service.ts';
import { Token } from '../../../proto/gen/graft/v1/token_service.ts';
import { Trainer } from '../../../proto/gen/graft/v1/trainer.ts';
import * as records from './record-arbitraries.ts';

interface Encoding<M> {
  encode(message: M): { finish(): Uint8Array };
  decode(bytes: Uint8Array): M;
}

/** Asserts that every record equals itself after the wire. */
function keeps<R, M>(
  record: fc.Arbitrary<R>,
  type: Encoding<M>,
  toProto: (record: R) => M,
  fromProto: (message: M) => R | null,
): void {
  fc.assert(
    fc.property(record, (value) => {
      expect(fromProto(type.decode(type.encode(toProto(value)).finish()))).toStrictEqual(
        // fast-check makes objects without a prototype.
        structuredClone(value),
      );
    }),
  );
}

describe('a record over the wire and back', () => {
  it('keeps sweeps', () => keeps(records.sweepRecord, Sweep, sweepToProto, sweepFromProto));
  it('keeps runs', () => keeps(records.runRecord, Run, runToProto, runFromProto));
  it('keeps attempts', () => keeps(records.attemptRecord, RunAttempt, attemptToProto, attemptFromProto));
  it('keeps epoch metrics', () =>
    keeps(records.epochMetricRecord, EpochMetric, epochMetricToProto, epochMetricFromProto));
  it('keeps checkpoints', () =>
    keeps(records.checkpointRecord, Checkpoint, checkpointToProto, checkpointRecordFromProto));
  it('keeps test results', () => keeps(records.testResultRecord, TestResult, testResultToProto, testResultFromProto));
  it('keeps entries of the leaderboard', () =>
    keeps(records.leaderboardRecord, LeaderboardEntry, leaderboardEntryToProto, leaderboardEntryFromProto));
  it('keeps trainers', () => keeps(records.trainerRecord, Trainer, trainerToProto, trainerFromProto));
  it('keeps tokens', () => keeps(records.tokenRecord, Token, tokenToProto, tokenFromProto));
  it('keeps the state of the mirror', () =>
    keeps(records.mlflowStatusRecord, GetMlflowStatusResponse, mlflowStatusToProto, mlflowStatusFromProto));
  it('keeps dead letters', () =>
    keeps(records.deadLetterRecord, MlflowDeadLetter, deadLetterToProto, deadLetterFromProto));
  it('keeps forecasts', () =>
    keeps(
      records.forecastRecord,
      GetSweepResponse,
      (forecast) => ({ sweep: undefined, ...forecastToProto(forecast) }),
      forecastFromProto,
    ));
  it('keeps events', () => keeps(records.storedEvent, WatchSweepResponse, eventToProto, eventFromProto));
});

describe('an answer of a newer coordinator', () => {
  it('is read without the values that this version does not know', () => {
    const [run] = fc.sample(records.runRecord, { seed: 1, numRuns: 1 });
    const message = runToProto(run as never);
    expect(runFromProto({ ...message, stage: 99 as never })).toMatchObject({ stage: null });
    expect(eventFromProto(WatchSweepResponse.fromPartial({ cursor: 1n, eventTime: new Date(0) }))).toBeNull();
    const [token] = fc.sample(records.tokenRecord, { seed: 1, numRuns: 1 });
    expect(tokenFromProto({ ...tokenToProto(token as never), role: 99 as never })).toMatchObject({ role: null });
  });

  it('is refused by the name of a field that is absent', () => {
    expect(() => runFromProto(undefined)).toThrow(/run: is needed/);
    expect(() => runFromProto(Run.fromPartial({ state: 1 }))).toThrow(/run\.create_time/);
    expect(() => sweepFromProto(Sweep.fromPartial({ state: 1 }))).toThrow(/sweep\.spec/);
  });
});
