import { status } from '@grpc/grpc-js';
import type { Metrics } from '../telemetry/metrics.ts';
import { toServiceError } from './errors.ts';
import type { Interceptor } from './call-context.ts';

/** Histogram buckets in seconds. Leases and watches are long polls and streams of 30 s and more. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * Counts calls and measures their duration, under the metric names that gRPC's Prometheus libraries share. Labels are a closed
 * list: the methods of the added services. Must be the outermost interceptor.
 */
export function callMetrics(metrics: Metrics): Interceptor {
  const started = metrics.counter({
    name: 'grpc_server_started_total',
    help: 'Calls that began.',
    labels: ['grpc_service', 'grpc_method'],
  });
  const handled = metrics.counter({
    name: 'grpc_server_handled_total',
    help: 'Calls that ended, by their gRPC status.',
    labels: ['grpc_service', 'grpc_method', 'grpc_code'],
  });
  const seconds = metrics.histogram(
    {
      name: 'grpc_server_handling_seconds',
      help: 'Duration of calls in seconds; streams count from open to close.',
      labels: ['grpc_service', 'grpc_method'],
    },
    BUCKETS,
  );
  return async (context, next) => {
    const [, service = '', method = ''] = context.path.split('/');
    const labels = { grpc_service: service, grpc_method: method };
    started.inc(labels);
    const stop = seconds.startTimer(labels);
    let code = 'OK';
    try {
      await next();
    } catch (error) {
      code = status[toServiceError(error).code];
      throw error;
    } finally {
      stop();
      handled.inc({ ...labels, grpc_code: context.signal.aborted ? 'CANCELLED' : code });
    }
  };
}
