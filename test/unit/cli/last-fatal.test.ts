import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lastFatalMessage } from '../../../services/cli/cluster/last-fatal.ts';
import { createLogger } from '../../../services/platform/telemetry/logger.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'graft-fatal-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the reason why a service ended is the last fatal line of its log', () => {
  const file = join(folder, 'coordinator.log');
  expect(lastFatalMessage(file)).toBeNull();
  // As createLogger writes them.
  expect(createLogger('test', 'fatal').levels.labels[60]).toBe('fatal');
  writeFileSync(file, `${'x'.repeat(100_000)}\n{"level":60,"err":{"message":"the old reason"}}\n`);
  appendFileSync(
    file,
    '{"level":60,"err":{"message":"The store belongs to another cluster."},"msg":"ended by an error"}\n',
  );
  appendFileSync(file, '{"level":30,"msg":"cut off');
  expect(lastFatalMessage(file)).toBe('The store belongs to another cluster');
});
