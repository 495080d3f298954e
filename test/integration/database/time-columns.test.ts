import { afterEach, beforeAll, expect, test } from 'vitest';
import { createTestDatabase, databaseServerStarted } from '../../support/database.ts';
import { runOn } from '../../support/database-server.ts';
import { compareTimeColumns } from '../../support/time-columns.ts';

const processZone = process.env['TZ'];

/** Settings that an administrator may have made, and the zone of the process. */
const SETTINGS = [
  { zone: 'America/New_York', dateStyle: 'ISO, MDY', processZone: 'Asia/Kolkata' },
  { zone: 'Asia/Kolkata', dateStyle: 'German', processZone: 'America/New_York' },
  { zone: 'UTC', dateStyle: 'SQL, DMY', processZone: 'Pacific/Chatham' },
] as const;

beforeAll(databaseServerStarted);

afterEach(() => {
  if (processZone === undefined) delete process.env['TZ'];
  else process.env['TZ'] = processZone;
});

test.each(SETTINGS)(
  'with sessions in $zone and $dateStyle and a process in $processZone, every time column is the same instant to SQL, pg and Prisma',
  { timeout: 60_000 },
  async (setting) => {
    process.env['TZ'] = setting.processZone;
    await using database = await createTestDatabase();
    const name = new URL(database.url).pathname.slice(1);
    await runOn(database.url, [
      `ALTER DATABASE ${name} SET timezone TO '${setting.zone}'`,
      `ALTER DATABASE ${name} SET datestyle TO '${setting.dateStyle}'`,
    ]);
    expect(await runOn(database.url, ['SHOW timezone'])).toEqual([[{ TimeZone: setting.zone }]]);
    const { columns, wrong } = await compareTimeColumns(database.url);
    expect(columns.length).toBeGreaterThanOrEqual(32);
    expect(columns.filter(({ type }) => type !== 'timestamp with time zone')).toEqual([]);
    expect(wrong).toEqual([]);
  },
);
