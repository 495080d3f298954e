import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { GraftClient } from '../client/client-port.ts';
import { collectReport } from './collect-report.ts';
import { renderReport } from './render-report.ts';

/** Collects and writes a report; creates its folder. */
export async function writeReport(
  client: GraftClient,
  sweepId: string,
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const page = renderReport(await collectReport(client, sweepId, signal));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, page);
}
