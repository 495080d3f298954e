import process from 'node:process';
import { text } from 'node:stream/consumers';
import type { ToolEvent, ToolRequest } from './protocol.ts';

// Standard output is the events' alone; whatever a library prints goes to standard error.
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr);

function emit(event: ToolEvent): void {
  write(`${JSON.stringify(event)}\n`);
}

try {
  const request = JSON.parse(await text(process.stdin)) as ToolRequest;
  if (request.type === 'check-dataset') {
    const { checkDataset } = await import('./check-dataset.ts');
    await checkDataset(request, emit);
  } else {
    const { predict } = await import('./predict.ts');
    await predict(request, emit);
  }
} catch (error) {
  emit({
    type: 'failed',
    name: error instanceof Error ? error.name : 'Error',
    message: error instanceof Error ? error.message : String(error),
  });
  process.exitCode = 1;
}
