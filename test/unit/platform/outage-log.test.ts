import { describe, expect, it } from 'vitest';
import { DatabaseUnavailableError } from '../../../services/core/errors.ts';
import { OutageLog } from '../../../services/platform/db/outage-log.ts';
import type { Logger } from '../../../services/platform/telemetry/logger.ts';

describe('OutageLog', () => {
  it('warns once per outage, says once that it is over, and leaves other errors to others', () => {
    const lines: unknown[] = [];
    const note = (level: string) => (fields: object, text: string) => void lines.push([level, text, fields]);
    const log = { warn: note('warn'), info: note('info'), debug: () => undefined } as unknown as Logger;
    let now = 0;
    const outage = new OutageLog(log, () => now);
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

    outage.over();
    expect(outage.note(new TypeError('a mistake of ours'))).toBe(false);
    expect(lines).toEqual([]);

    expect(outage.note(refused)).toBe(true);
    expect(outage.note(new DatabaseUnavailableError('still starting'))).toBe(true);
    now = 45_040;
    outage.over();
    outage.over();
    expect(outage.note(refused)).toBe(true);
    expect(lines).toEqual([
      ['warn', 'the database is away; what needs it waits', { reason: 'connect ECONNREFUSED' }],
      ['info', 'the database is back', { seconds: 45 }],
      ['warn', 'the database is away; what needs it waits', { reason: 'connect ECONNREFUSED' }],
    ]);
  });
});
