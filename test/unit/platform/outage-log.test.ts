import { describe, expect, it } from 'vitest';
import { DatabaseUnavailableError } from '../../../services/core/errors.ts';
import { OutageLog } from '../../../services/platform/db/outage-log.ts';
import type { Logger } from '../../../services/platform/telemetry/logger.ts';

describe('OutageLog', () => {
  it('warns once per outage, logs its end once, and ignores other errors', () => {
    const lines: unknown[] = [];
    const note = (level: string) => (fields: object, text: string) => void lines.push([level, text, fields]);
    const log = { warn: note('warn'), info: note('info'), debug: () => undefined } as unknown as Logger;
    let now = 0;
    const outage = new OutageLog(log, () => now);
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

    outage.recordSuccess();
    expect(outage.recordError(new TypeError('a mistake of ours'))).toBe(false);
    expect(lines).toEqual([]);

    expect(outage.recordError(refused)).toBe(true);
    expect(outage.recordError(new DatabaseUnavailableError('still starting'))).toBe(true);
    now = 45_040;
    outage.recordSuccess();
    outage.recordSuccess();
    expect(outage.recordError(refused)).toBe(true);
    expect(lines).toEqual([
      ['warn', 'the database is unavailable; operations that need it wait', { reason: 'connect ECONNREFUSED' }],
      ['info', 'the database is available again', { seconds: 45 }],
      ['warn', 'the database is unavailable; operations that need it wait', { reason: 'connect ECONNREFUSED' }],
    ]);
  });
});
