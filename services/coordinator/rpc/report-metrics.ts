import { LeaseLostError, MetricConflictError, SequenceGapError, ShuttingDownError } from '../../core/errors.ts';
import { numberOf } from '../../platform/rpc/convert/fields.ts';
import { stages } from '../../platform/rpc/convert/run.ts';
import type { CallContext, Handlers } from '../../platform/rpc/server.ts';
import type {
  ReportMetricsRequest,
  ReportMetricsResponse,
  TrainerServiceService,
} from '../../../proto/gen/graft/v1/trainer_service.ts';
import type { MetricBatch } from '../store/metrics/metric-batch.ts';
import type { MetricIngest } from '../store/metrics/metric-ingest.ts';
import { BoundedAnswers } from './bounded-answers.ts';
import { requireId } from './require-id.ts';
import type { RpcContext } from './rpc-context.ts';

/** Batches of one stream that are read but not answered; more are not read, so that the client feels it. */
const MAX_IN_FLIGHT = 16;

/**
 * Stores batches and acknowledges them: in order per attempt, side by side over attempts. What is wrong with one batch is
 * answered for that batch; the stream lives.
 */
export function reportMetrics({ ingest }: RpcContext): Handlers<typeof TrainerServiceService>['reportMetrics'] {
  return (requests, call) => report(ingest, requests, call);
}

async function* report(
  ingest: MetricIngest,
  requests: AsyncIterable<ReportMetricsRequest>,
  call: CallContext,
): AsyncGenerator<ReportMetricsResponse> {
  const answers = new BoundedAnswers<ReportMetricsResponse>(MAX_IN_FLIGHT);
  const reading = readAll(ingest, requests, answers, call);
  // Told by `answers` as well; without a handler an early failure would end the process.
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
  ingest: MetricIngest,
  requests: AsyncIterable<ReportMetricsRequest>,
  answers: BoundedAnswers<ReportMetricsResponse>,
  call: CallContext,
): Promise<void> {
  try {
    for await (const request of requests) {
      if (call.draining.aborted) return;
      await answers.run(() => answer(ingest, request));
      await ingest.room();
    }
    answers.end();
  } catch (error) {
    answers.fail(error);
  }
}

async function answer(ingest: MetricIngest, request: ReportMetricsRequest): Promise<ReportMetricsResponse> {
  const { taskId, leaseEpoch, sequence } = request;
  const response = { taskId, leaseEpoch, sequence, errorReason: '', expectedSequence: 0n, stoppedRunIds: [] };
  try {
    return { ...response, stoppedRunIds: [...(await ingest.submit(readBatch(request)))] };
  } catch (error) {
    if (error instanceof SequenceGapError) {
      return { ...response, errorReason: error.reason, expectedSequence: BigInt(error.expected) };
    }
    if (error instanceof LeaseLostError || error instanceof MetricConflictError) {
      return { ...response, errorReason: error.reason };
    }
    throw error;
  }
}

function readBatch(request: ReportMetricsRequest): MetricBatch {
  return {
    taskId: requireId(request.taskId, 'task_id'),
    leaseEpoch: request.leaseEpoch,
    sequence: numberOf(request.sequence, 'sequence'),
    epochs: request.epochs.map((report, index) => ({
      runId: report.runId,
      stage: stages.fromProto(report.stage, `epochs[${index}].stage`),
      epoch: report.epoch,
      names: report.names,
      values: report.values,
    })),
  };
}
