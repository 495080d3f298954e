import process from 'node:process';
import { text } from 'node:stream/consumers';
import type { ToolEvent, ToolRequest } from './tool-protocol.ts';

// Standard output is for events only; output of libraries goes to standard error.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

function emit(event: ToolEvent): void {
  write(`${JSON.stringify(event)}\n`);
}

async function run(request: ToolRequest): Promise<void> {
  switch (request.type) {
    case 'check-dataset': {
      const { checkDataset } = await import('./check-dataset.ts');
      return checkDataset(request, emit);
    }
    case 'predict': {
      const { predict } = await import('./predict.ts');
      return predict(request, emit);
    }
    case 'export': {
      const { exportCheckpoint } = await import('./export-checkpoint.ts');
      return exportCheckpoint(request, emit);
    }
  }
}

try {
  const request = JSON.parse(await text(process.stdin)) as ToolRequest;
  await run(request);
} catch (error) {
  const { describeFailure } = await import('./describe-failure.ts');
  emit({ type: 'failed', ...describeFailure(error) });
  process.exitCode = 1;
}
