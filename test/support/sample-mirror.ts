import type { PrismaClient } from '../../prisma/client/client.ts';

/** Writes run 1 as one that is in MLflow, of which an entry was refused. @param minutesLater time of the record */
export async function insertSampleMirror(
  prisma: PrismaClient,
  sweepId: string,
  minutesLater: (minutes: number) => Date,
): Promise<void> {
  const trackingUri = 'https://mlflow.example';
  await prisma.mlflowServer.create({ data: { trackingUri, successTime: minutesLater(4) } });
  await prisma.mlflowRun.create({
    data: {
      subjectId: `${sweepId}-1`,
      sweepId,
      runId: `${sweepId}-1`,
      trackingUri,
      experimentId: '1',
      mlflowRunId: '8'.repeat(32),
      artifactUri: 'mlflow-artifacts:/1/8',
      described: true,
    },
  });
  await prisma.outboxEntry.create({
    data: {
      sweepId,
      runId: `${sweepId}-1`,
      kind: 'METRICS',
      stage: 'HEAD',
      leaseEpoch: 2,
      epochs: [2],
      attemptCount: 1,
      errorCode: 'INVALID_PARAMETER_VALUE',
      errorMessage: 'refused',
      deadTime: minutesLater(4),
    },
  });
}
