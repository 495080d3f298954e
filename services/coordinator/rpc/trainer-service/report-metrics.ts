import { LeaseLostError, MetricConflictError, SequenceGapError, ShuttingDownError } from '../../../core/errors.ts';
import { LeaseNotHeldError, ReportRefusedError } from '../../../core/trainer-errors.ts';
import { numberOf } from '../../../platform/rpc/convert/fields.ts';
import { rungReportFromProto } from '../../../platform/rpc/convert/rung-report.ts';
import { stages } from '../../../platform/rpc/convert/run.ts';
import type { CallContext } from '../../../platform/rpc/call-context.ts';
import type { Handlers } from '../../../platform/rpc/server.ts';
import type {
  ReportMetricsRequest,
  ReportMetricsResponse,
  TrainerServiceService,
} from '../../../../proto/gen/graft/v1/trainer_service.ts';
import type { MetricBatch } from '../../store/metrics/metric-batch.ts';
import type { LeaseClaim } from '../../store/tasks/fence.ts';
import { BoundedAnswers } from './bounded-answers.ts';
import { asReport, readClaim } from './read-claim.ts';
import type { RpcContext } from '../rpc-context.ts';

/** Batches of one stream in progress. Above, the stream is not read, which slows the client down. */
const MAX_IN_FLIGHT = 16;
/** Most characters of an error message; a batch may have thousands of mistakes. */
const MAX_ERROR_MESSAGE = 2_000;

/**
 * Returns the handler of ReportMetrics. It stores batches and acknowledges them: in order within an attempt, concurrently across
 * attempts. A mistake in one batch is the answer to that batch and does not end the stream.
 */
export function reportMetricsHandler(context: RpcContext): Handlers<typeof TrainerServiceService>['reportMetrics'] {
  return (requests, call) => report(context, requests, call);
}

async function* report(
  context: RpcContext,
  requests: AsyncIterable<ReportMetricsRequest>,
  call: CallContext,
): AsyncGenerator<ReportMetricsResponse> {
  const answers = new BoundedAnswers<ReportMetricsResponse>(MAX_IN_FLIGHT);
  const reading = readAll(context, requests, answers, call);
  // `answers` reports the failure as well. Without a handler an early one would end the process.
  reading.catch(() => undefined);
  const stop = (): void => answers.fail(new ShuttingDownError());
  call.draining.addEventListener('abort', stop, { once: true });
  if (call.draining.aborted) stop();
  try {
    yield* answers.results();
  } finally {
    call.draining.removeEventListener('abort', stop);
  }
}

async function readAll(
  context: RpcContext,
  requests: AsyncIterable<ReportMetricsRequest>,
  answers: BoundedAnswers<ReportMetricsResponse>,
  call: CallContext,
): Promise<void> {
  try {
    for await (const request of requests) {
      if (call.draining.aborted) return;
      await answers.run(() => answer(context, request, call));
      await context.ingest.room();
    }
    answers.end();
  } catch (error) {
    answers.fail(error);
  }
}

async function answer(
  { ingest, store, countRefusal }: RpcContext,
  request: ReportMetricsRequest,
  call: CallContext,
): Promise<ReportMetricsResponse> {
  const { taskId, leaseEpoch, sequence } = request;
  const response = {
    taskId,
    leaseEpoch,
    sequence,
    errorReason: '',
    errorMessage: '',
    expectedSequence: 0n,
    stoppedRunIds: [],
  };
  const claim = readClaim(request, call);
  try {
    const stoppedRunIds = await asReport(store, claim, () => ingest.submit(readBatch(claim, request)));
    return { ...response, stoppedRunIds: [...stoppedRunIds] };
  } catch (error) {
    countRefusal(call.path, error);
    if (error instanceof SequenceGapError) {
      return { ...response, errorReason: error.reason, expectedSequence: BigInt(error.expected) };
    }
    if (error instanceof ReportRefusedError) {
      return { ...response, errorReason: error.reason, errorMessage: error.message.slice(0, MAX_ERROR_MESSAGE) };
    }
    if (error instanceof LeaseLostError || error instanceof LeaseNotHeldError || error instanceof MetricConflictError) {
      return { ...response, errorReason: error.reason };
    }
    throw error;
  }
}

function readBatch(claim: LeaseClaim, request: ReportMetricsRequest): MetricBatch {
  return {
    ...claim,
    sequence: numberOf(request.sequence, 'sequence'),
    epochs: request.epochs.map((report, index) => ({
      runId: report.runId,
      stage: stages.fromProto(report.stage, `epochs[${index}].stage`),
      epoch: report.epoch,
      names: report.names,
      values: report.values,
    })),
    rungs: request.rungs.map((report, index) => rungReportFromProto(report, `rungs[${index}]`)),
  };
}
