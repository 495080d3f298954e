import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { attemptFromProto, attemptToProto } from '../../../services/platform/rpc/convert/attempt.ts';
import { checkpointRecordFromProto, checkpointToProto } from '../../../services/platform/rpc/convert/checkpoint.ts';
import {
  decisionFromProto,
  decisionToProto,
  rungEntryFromProto,
  rungEntryToProto,
  runExplanationFromProto,
  runExplanationToProto,
  sweepExplanationFromProto,
  sweepExplanationToProto,
} from '../../../services/platform/rpc/convert/decision.ts';
import { epochMetricFromProto, epochMetricToProto } from '../../../services/platform/rpc/convert/epoch-metric.ts';
import { eventFromProto, eventToProto } from '../../../services/platform/rpc/convert/event.ts';
import { forecastFromProto, forecastToProto } from '../../../services/platform/rpc/convert/forecast.ts';
import {
  leaderboardEntryFromProto,
  leaderboardEntryToProto,
  winnerStatementFromProto,
  winnerStatementToProto,
} from '../../../services/platform/rpc/convert/leaderboard.ts';
import {
  deadLetterFromProto,
  deadLetterToProto,
  mlflowStatusFromProto,
  mlflowStatusToProto,
} from '../../../services/platform/rpc/convert/mlflow.ts';
import {
  planFromProto,
  plannedRunToProto,
  plannedTaskToProto,
  planSummaryToProto,
} from '../../../services/platform/rpc/convert/plan.ts';
import { frontEntryFromProto, frontEntryToProto } from '../../../services/platform/rpc/convert/pareto-front.ts';
import { runFromProto, runToProto } from '../../../services/platform/rpc/convert/run.ts';
import { sweepFromProto, sweepToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { testResultFromProto, testResultToProto } from '../../../services/platform/rpc/convert/test-result.ts';
import { tokenFromProto, tokenToProto } from '../../../services/platform/rpc/convert/token.ts';
import { trainerFromProto, trainerToProto } from '../../../services/platform/rpc/convert/trainer.ts';
import { Decision, RungEntry } from '../../../proto/gen/graft/v1/decision.ts';
import { Checkpoint, EpochMetric, Run, RunAttempt, TestResult } from '../../../proto/gen/graft/v1/run.ts';
import { Sweep } from '../../../proto/gen/graft/v1/sweep.ts';
import {
  ExplainRunResponse,
  ExplainSweepResponse,
  FrontEntry,
  GetMlflowStatusResponse,
  GetSweepResponse,
  LeaderboardEntry,
  WinnerStatement,
  MlflowDeadLetter,
  PlanSweepResponse,
  WatchSweepResponse,
} from '../../../proto/gen/graft/v1/sweep_service.ts';
import { Token } from '../../../proto/gen/graft/v1/token_service.ts';
import { Trainer } from '../../../proto/gen/graft/v1/trainer.ts';
import { arbitraryMessage } from './arbitrary-message.ts';

interface Encoding<M> {
  encode(message: M): { finish(): Uint8Array };
  decode(bytes: Uint8Array): M;
}

it('a checkpoint of a stage and kind that this version does not know is still a record', () => {
  const sent = Checkpoint.fromPartial({
    checkpointId: 'c',
    stage: 99 as Checkpoint['stage'],
    kind: 99 as Checkpoint['kind'],
    createTime: new Date(0),
    sizeBytes: 1n,
  });
  expect(checkpointRecordFromProto(sent)).toMatchObject({ checkpointId: 'c', stage: null, kind: null });
});

/** Asserts that no message and no record of a kind changes on its way through the other and over the wire. */
function keeps<R, M>(
  type: Encoding<M>,
  message: fc.Arbitrary<M>,
  fromProto: (message: M) => R | null,
  toProto: (record: R) => M,
): void {
  fc.assert(
    fc.property(message, (sent) => {
      const record = fromProto(sent);
      if (record === null) throw new Error('The message has no record.');
      const returned = type.decode(type.encode(toProto(record)).finish());
      expect(returned).toEqual(sent);
      expect(fromProto(returned)).toStrictEqual(record);
    }),
  );
}

const NO_SWEEP = { sweep: undefined };

/** Gives all metrics of an epoch's event the run, stage and epoch of the event, as a coordinator does. */
function withOneEpoch(message: WatchSweepResponse): WatchSweepResponse {
  const { event } = message;
  if (event?.$case !== 'epoch') return message;
  const { runId, stage, epoch } = event.value;
  const metrics = event.value.metrics.map((metric) => ({ ...metric, runId, stage, epoch }));
  return { ...message, event: { $case: 'epoch', value: { runId, stage, epoch, metrics } } };
}

/** Makes a page that holds the whole plan. */
function asOnePage(page: PlanSweepResponse): PlanSweepResponse {
  return { ...page, nextPageToken: '', runCount: page.runs.length, taskCount: page.tasks.length };
}

describe('a record over the wire and back', () => {
  it('keeps sweeps', () => {
    const named = arbitraryMessage<Sweep>('Sweep').map((sweep) => ({
      ...sweep,
      displayName: sweep.displayName || (sweep.spec?.displayName ?? ''),
    }));
    keeps(Sweep, named, sweepFromProto, sweepToProto);
  });
  it('keeps runs', () => keeps(Run, arbitraryMessage('Run'), runFromProto, runToProto));
  it('keeps attempts', () =>
    keeps(RunAttempt, arbitraryMessage('RunAttempt', ['startTime']), attemptFromProto, attemptToProto));
  it('keeps epoch metrics', () =>
    keeps(EpochMetric, arbitraryMessage('EpochMetric'), epochMetricFromProto, epochMetricToProto));
  it('keeps checkpoints', () =>
    keeps(Checkpoint, arbitraryMessage('Checkpoint'), checkpointRecordFromProto, checkpointToProto));
  it('keeps test results', () =>
    keeps(TestResult, arbitraryMessage('TestResult'), testResultFromProto, testResultToProto));
  it('keeps entries of the leaderboard', () =>
    keeps(LeaderboardEntry, arbitraryMessage('LeaderboardEntry'), leaderboardEntryFromProto, leaderboardEntryToProto));
  it('keeps the comparison of the best run with the baseline', () =>
    keeps(WinnerStatement, arbitraryMessage('WinnerStatement'), winnerStatementFromProto, winnerStatementToProto));
  it('keeps runs of the Pareto front', () =>
    keeps(FrontEntry, arbitraryMessage('FrontEntry', ['run']), frontEntryFromProto, frontEntryToProto));
  it('keeps trainers', () => keeps(Trainer, arbitraryMessage('Trainer'), trainerFromProto, trainerToProto));
  it('keeps tokens', () => keeps(Token, arbitraryMessage('Token'), tokenFromProto, tokenToProto));
  it('keeps the state of the mirror', () =>
    keeps(
      GetMlflowStatusResponse,
      arbitraryMessage('GetMlflowStatusResponse'),
      mlflowStatusFromProto,
      mlflowStatusToProto,
    ));
  it('keeps dead letters', () =>
    keeps(MlflowDeadLetter, arbitraryMessage('MlflowDeadLetter'), deadLetterFromProto, deadLetterToProto));
  it('keeps forecasts', () =>
    keeps(
      GetSweepResponse,
      arbitraryMessage<GetSweepResponse>('GetSweepResponse').map((message) => ({ ...message, ...NO_SWEEP })),
      forecastFromProto,
      (forecast) => ({ ...NO_SWEEP, ...forecastToProto(forecast) }),
    ));
  it('keeps decisions', () => keeps(Decision, arbitraryMessage('Decision'), decisionFromProto, decisionToProto));
  it('keeps entries of rungs', () =>
    keeps(RungEntry, arbitraryMessage('RungEntry'), rungEntryFromProto, rungEntryToProto));
  it('keeps explanations of runs', () =>
    keeps(
      ExplainRunResponse,
      arbitraryMessage<ExplainRunResponse>('ExplainRunResponse').map((message) => ({ ...message, run: undefined })),
      runExplanationFromProto,
      (explanation) => ({ run: undefined, ...runExplanationToProto(explanation) }),
    ));
  it('keeps explanations of sweeps', () =>
    keeps(
      ExplainSweepResponse,
      arbitraryMessage<ExplainSweepResponse>('ExplainSweepResponse').map((message) => ({ ...message, ...NO_SWEEP })),
      sweepExplanationFromProto,
      (explanation) => ({ ...NO_SWEEP, ...sweepExplanationToProto(explanation) }),
    ));
  it('keeps plans', () =>
    keeps(
      PlanSweepResponse,
      arbitraryMessage<PlanSweepResponse>('PlanSweepResponse').map(asOnePage),
      (page) => planFromProto([page]),
      (plan) => ({
        ...planSummaryToProto(plan),
        runs: plan.runs.map(plannedRunToProto),
        tasks: plan.tasks.map(plannedTaskToProto),
      }),
    ));
  it('keeps events', () =>
    keeps(
      WatchSweepResponse,
      arbitraryMessage<WatchSweepResponse>('WatchSweepResponse').map(withOneEpoch),
      eventFromProto,
      eventToProto,
    ));
});

it('a sweep of an older coordinator has the name in its spec', () => {
  const [sweep] = fc.sample(arbitraryMessage<Sweep>('Sweep'), { seed: 1, numRuns: 1 });
  const spec = { ...sweep!.spec!, displayName: 'submitted' };
  expect(sweepFromProto({ ...sweep!, displayName: '', spec }).displayName).toBe('submitted');
  expect(sweepFromProto({ ...sweep!, displayName: 'renamed', spec }).displayName).toBe('renamed');
});

describe('an answer of a newer coordinator', () => {
  it('is read without the values that this version does not know', () => {
    const [run] = fc.sample(arbitraryMessage<Run>('Run'), { seed: 1, numRuns: 1 });
    expect(runFromProto({ ...run!, stage: 99 as never })).toMatchObject({ stage: null });
    expect(eventFromProto(WatchSweepResponse.fromPartial({ cursor: 1n, eventTime: new Date(0) }))).toBeNull();
    const [token] = fc.sample(arbitraryMessage<Token>('Token'), { seed: 1, numRuns: 1 });
    expect(tokenFromProto({ ...token!, role: 99 as never })).toMatchObject({ role: null });
  });

  it('is refused by the name of a field that is absent', () => {
    expect(() => runFromProto(undefined)).toThrow(/run: is needed/);
    expect(() => runFromProto(Run.fromPartial({ state: 1 }))).toThrow(/run\.create_time/);
    expect(() => sweepFromProto(Sweep.fromPartial({ state: 1 }))).toThrow(/sweep\.spec/);
  });
});
