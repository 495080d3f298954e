/** Runs one trainer's stream in a separate process: `node --import tsx client.ts ADDRESS SIDE TRAINER LOAD`. */
import process from 'node:process';
import { stages } from '../../../services/platform/rpc/convert/run.ts';
import { createClient, NO_RETRY } from '../../../services/platform/rpc/client.ts';
import { TrainerServiceService } from '../../../proto/gen/graft/v1/trainer_service.ts';
import type { ReportMetricsRequest } from '../../../proto/gen/graft/v1/trainer_service.ts';
import { batchOf, WINDOW } from './work.ts';
import type { Load } from './work.ts';

const [address = '', side = '', trainer = '', loadText = ''] = process.argv.slice(2);
const load = JSON.parse(loadText) as Load;

const requests = Array.from({ length: load.batchesPerTask }, (_, index): ReportMetricsRequest => {
  const { secretHash: leaseSecret, ...batch } = batchOf(side, load, Number(trainer), index + 1);
  return {
    ...batch,
    leaseSecret,
    sequence: BigInt(batch.sequence),
    rungs: [],
    epochs: batch.epochs.map((report) => ({
      ...report,
      stage: stages.toProto(report.stage),
      names: [...report.names],
      values: [...report.values],
    })),
  };
});

let acknowledged = 0;
const wakeSender: { now: () => void } = { now: () => undefined };

async function* send(): AsyncGenerator<ReportMetricsRequest> {
  for (const [index, request] of requests.entries()) {
    while (index - acknowledged >= WINDOW) await new Promise<void>((resolve) => (wakeSender.now = resolve));
    yield request;
  }
}

using client = createClient(TrainerServiceService, { addresses: [address], retry: NO_RETRY });
await new Promise<void>((resolve) => {
  process.once('message', () => resolve());
  process.send?.('ready');
});
for await (const answer of client.call.reportMetrics(send())) {
  if (answer.errorReason !== '') throw new Error(`Batch ${answer.sequence} was refused: ${answer.errorReason}.`);
  acknowledged += 1;
  wakeSender.now();
}
if (acknowledged !== load.batchesPerTask) throw new Error(`Only ${acknowledged} batches were acknowledged.`);
process.disconnect();
