import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NotFoundError } from '../../../services/core/errors.ts';
import { runCli } from '../../../services/cli/cli.ts';
import type { StoredEvent } from '../../../services/core/records/event.ts';
import type { GraftClient } from '../../../services/cli/client/client-port.ts';
import { createDisplay } from '../../../services/cli/progress/displays.ts';
import { startProgress } from '../../../services/cli/progress/sweep-progress.ts';
import { renderReport } from '../../../services/cli/report/render-report.ts';
import { SafeStream } from '../../../services/cli/terminal/safe-stream.ts';
import { StatusLine } from '../../../services/cli/terminal/status-line.ts';
import { loadSweepFile, parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { sampleEvents, sampleReport, sampleRun, sampleSweep } from './sample-sweep.ts';

/** Retitles the terminal, rings, clears it, reverses what follows, and begins a line of its own. */
const EVIL = 'pets\u001b]0;owned\u0007\u001b[2J\u202egnp.exe\u2066\nsweep    forged\r\u009b31m';
const SHOWN = 'pets\\x1b]0;owned\\x07\\x1b[2J\\u202egnp.exe\\u2066\\nsweep    forged\\r\\x9b31m';
/** Characters that a terminal acts upon; line feeds are ours. */
const ACTIVE = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'graft-text-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function activeIn(text: string): string[] {
  return (text.match(ACTIVE) ?? []).filter((control) => control !== '\n');
}

async function run(args: readonly string[], client: Partial<GraftClient>): Promise<{ code: number; text: string }> {
  let text = '';
  const stream = { write: (part: string) => (text += part) };
  const code = await runCli(args, {
    env: {},
    cwd: folder,
    paths: { cacheDir: join(folder, 'cache'), stateDir: join(folder, 'state') },
    stdout: stream,
    stderr: stream,
    signal: new AbortController().signal,
    signals: { onSecond: null },
    openClient: () => ({ address: 'here', close: () => undefined, ...client }) as GraftClient,
  });
  return { code, text };
}

describe('text from outside in the terminal', () => {
  const { spec } = sampleSweep();
  const sweep = sampleSweep({
    spec: { ...spec, displayName: EVIL, dataset: { ...spec.dataset, path: `/data/${EVIL}` } },
    displayName: EVIL,
    notes: EVIL,
    tags: [EVIL],
    stateReason: EVIL,
  });
  const bad = sampleRun(0, {
    state: 'FAILED',
    stateReason: EVIL,
    parameters: { backbone: EVIL },
    variedNames: ['backbone'],
  });
  const events = sampleEvents([
    { kind: 'RUN_STATE', runId: 's1-r000', state: 'FAILED', stage: 'HEAD', reason: EVIL },
    { kind: 'TASK', taskId: EVIL, stage: 'HEAD', state: 'LEASED', trainerId: EVIL, message: EVIL },
    { kind: 'SWEEP_STATE', state: 'SUCCEEDED', reason: EVIL },
  ]);
  async function* watchSweep(): AsyncGenerator<StoredEvent> {
    for (const event of events) yield await Promise.resolve(event);
  }
  const statement = { distinguishable: null, pValue: null, sentence: EVIL };
  const client: Partial<GraftClient> = {
    resolveHandle: (_kind, handle) => Promise.resolve({ outcome: 'FOUND', id: handle, problem: '', candidates: [] }),
    listSweeps: () => Promise.resolve([sweep]),
    getSweep: () => Promise.resolve(sweep),
    stateWinner: () => Promise.resolve({ winnerStatement: statement, winner: null }),
    getForecast: () => Promise.resolve({ stages: [], wallSeconds: null, aloneSeconds: null }),
    listRuns: () => Promise.resolve([bad]),
    watchSweep,
    getLeaderboard: () =>
      Promise.resolve({
        entries: [{ rank: 1, run: bad, testResult: null }],
        testLookCount: 0,
        winnerStatement: statement,
        winner: null,
      }),
    listTokens: () =>
      Promise.resolve([
        {
          tokenId: 't1',
          name: EVIL,
          role: 'VIEWER',
          createTime: new Date(0),
          expireTime: null,
          revokeTime: null,
          lastUseTime: null,
          trainerIds: [],
        },
      ]),
  };

  it.each([
    ['sweep list', ['sweep', 'list']],
    ['sweep get', ['sweep', 'get', 's1']],
    ['sweep watch', ['sweep', 'watch', 's1']],
    ['run list', ['run', 'list', 's1']],
    ['leaderboard', ['leaderboard', 's1']],
    ['token list', ['token', 'list']],
  ])('is escaped by %s', async (_, args) => {
    const { text } = await run(args, client);
    expect(text).toContain('owned\\x07\\x1b[2J\\u202egnp.exe');
    expect(activeIn(text)).toEqual([]);
    expect(text.split('\n').filter((line) => /^sweep +forged/.test(line))).toEqual([]);
  });

  it('is escaped in errors', async () => {
    const gone = { getSweep: () => Promise.reject(new NotFoundError('sweep', EVIL)) };
    const { code, text } = await run(['sweep', 'get', 's1'], { ...client, ...gone });
    expect(code).toBe(3);
    expect(text).toContain('owned\\x07\\x1b[2J\\u202egnp.exe');
    expect(activeIn(text)).toEqual([]);
  });

  it('is unchanged in JSON, as escapes', async () => {
    const { text } = await run(['sweep', 'get', 's1', '--output', 'json'], client);
    expect(activeIn(text)).toEqual([]);
    expect(JSON.parse(text)).toMatchObject({ spec: { display_name: EVIL }, state_reason: EVIL });
    const watched = await run(['sweep', 'watch', 's1', '--output', 'json'], client);
    expect(activeIn(watched.text)).toEqual([]);
  });

  it('is escaped in the live picture and the status line, but their own cursor movements are not', () => {
    let text = '';
    const stream = new SafeStream({ write: (part) => (text += part), isTTY: true, columns: 300, rows: 40 });
    const display = createDisplay(stream, {}, '');
    display.show(startProgress(sweep, [bad]), null);
    display.close();
    display.close();
    const status = new StatusLine(stream, {});
    status.show(EVIL);
    status.clear();
    expect(text).toContain(`“${SHOWN}”`);
    expect(text).toContain('\u001b[3A\r');
    expect(text).toContain(`\r\u001b[2K${SHOWN}`);
    const own = /\u001b\[(?:[0-9;]*m|\d+A\r|0J|K|2K|\?2026[hl])|\r\u001b\[2K/g;
    expect(activeIn(text.replace(own, ''))).toEqual([]);
  });

  it('is escaped in the report', () => {
    const page = renderReport({ ...sampleReport(), sweep });
    expect(page).toContain('\\u202egnp.exe\\u2066');
    expect(activeIn(page)).toEqual([]);
  });
});

describe('a sweep file in another form', () => {
  const SMALL = 'display_name: Köpfe\ndataset: { path: /data/pets }\nparameters: { head.units: [64, 256] }\n';
  const utf16 = (text: string): Buffer => Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, 'utf16le')]);

  it.each<[string, Buffer, string]>([
    ['UTF-16', utf16(SMALL), 'is encoded as UTF-16 or is a binary file. Save it as UTF-8'],
    ['UTF-16 of the other order', utf16(SMALL).swap16(), 'is encoded as UTF-16 or is a binary file. Save it as UTF-8'],
    [
      'UTF-16 without a mark',
      Buffer.from(SMALL, 'utf16le'),
      'is encoded as UTF-16 or is a binary file. Save it as UTF-8',
    ],
    ['Latin-1', Buffer.from(`# first\n${SMALL}`, 'latin1'), 'is not UTF-8 (line 2). Save it as UTF-8'],
  ])('in %s is refused with a remedy', async (name, bytes, expected) => {
    const file = `${name.replaceAll(' ', '-')}.yaml`;
    await writeFile(join(folder, file), bytes);
    await expect(loadSweepFile(file, folder)).rejects.toThrow(`${file}: ${expected}`);
  });

  it('may begin with a byte order mark of UTF-8', async () => {
    await writeFile(join(folder, 'mark.yaml'), `\uFEFF${SMALL}`);
    expect((await loadSweepFile('mark.yaml', folder)).displayName).toBe('Köpfe');
  });

  it('must be a file on this machine', async () => {
    await mkdir(join(folder, 'sweeps'));
    await expect(loadSweepFile('sweeps', folder)).rejects.toThrow('sweeps: is a folder. Name the sweep file in it.');
    await expect(loadSweepFile('https://example.org/a.yaml', folder)).rejects.toThrow('is a URL');
    await expect(loadSweepFile('nowhere.yaml', folder)).rejects.toThrow(
      'nowhere.yaml does not exist. Give the path of',
    );
  });

  const BOMB = [
    'a: &a [x, x]',
    ...'bcdefgh'.split('').map((name, index) => `${name}: &${name} [${`*${'abcdefg'[index] ?? ''}, `.repeat(9)}]`),
  ];
  it.each<[string, string, string]>([
    ['several documents', `${SMALL}---\n${SMALL}`, 'another document begins here (---); a sweep file has one.'],
    ['tabs', 'dataset:\n\tpath: /data/pets\n', 'Tabs are not allowed as indentation. Use spaces.'],
    [
      'TOML',
      'display_name = "pets"\n[dataset]\npath = "/data/pets"\n',
      'TOML (key = value) and other formats are not supported',
    ],
    ['JSON5', '{\n  // images\n  dataset: { path: "/data/pets" },\n}\n', 'Comments begin with #; // is JSON5'],
    ['a tag', 'dataset: { path: !env DATA }\n', 'Tags (!name) are not supported: write the value itself.'],
    ['aliases that multiply', `${BOMB.join('\n')}\n`, 'Excessive alias count'],
    ['an alias within its anchor', 'base: &b { epochs: *b }\n', 'an alias (*name) is within its own anchor'],
    ['a merge key of a number', 'base: { <<: 5 }\n', 'Merge sources must be maps'],
    ['a thousand levels', `base: ${'['.repeat(1_000)}${']'.repeat(1_000)}\n`, "can't be read"],
  ])('with %s is refused with a remedy', (_, text, expected) => {
    const { violations } = parseSweepFile(text, { folder: '/sweeps', home: '/home/me' });
    expect(violations.map(({ description }) => description).join('\n')).toContain(expected);
    expect(violations.length).toBeLessThanOrEqual(20);
  });

  it('may have merge keys', () => {
    const text =
      'dataset: { path: /data/pets }\nvariants: [&one { epochs: 3, batch_size: 8 }, { <<: *one, epochs: 4 }]\n';
    const { spec, violations } = parseSweepFile(text, { folder: '/sweeps', home: '/home/me' });
    expect(violations).toEqual([]);
    expect(spec.variants).toEqual([
      { epochs: 3, batch_size: 8 },
      { batch_size: 8, epochs: 4 },
    ]);
  });
});

describe('paths of a sweep file', () => {
  const folders = { folder: '/sweeps/a', home: homedir() };
  const parse = (dataset: string, weights: string): ReturnType<typeof parseSweepFile> =>
    parseSweepFile(
      `dataset: { path: ${JSON.stringify(dataset)} }\nbase: { weights: ${JSON.stringify(weights)} }\nvariants: [{}]\n`,
      folders,
    );

  it.each([
    ['../w.h5', '/sweeps/w.h5'],
    ['w.keras', '/sweeps/a/w.keras'],
    ['./own/w', '/sweeps/a/own/w'],
    ['~/w.h5', join(homedir(), 'w.h5')],
    ['/weights/w.h5', '/weights/w.h5'],
    ['imagenet', 'imagenet'],
    ['random', 'random'],
  ])('are relative to the file for weights as for images: %s', (written, read) => {
    const { spec, violations } = parse('pets', written);
    expect(violations).toEqual([]);
    expect(spec.base['weights']).toBe(read);
    expect(spec.dataset.path).toBe('/sweeps/a/pets');
  });

  it('are relative to the file in dimensions, conditions and variants, too', () => {
    const { spec, violations } = parseSweepFile(
      `dataset: { path: pets }
parameters:
  weights: [imagenet, ../w.h5]
  epochs: { values: [2, 3], when: { weights: ../w.h5 } }
variants: [{ weights: v.h5 }]
`,
      folders,
    );
    expect(violations).toEqual([]);
    expect(spec.parameters[0]?.domain).toEqual({ kind: 'values', values: ['imagenet', '/sweeps/w.h5'] });
    expect(spec.parameters[1]?.conditions).toEqual([{ name: 'weights', values: ['/sweeps/w.h5'] }]);
    expect(spec.variants).toEqual([{ weights: '/sweeps/a/v.h5' }]);
  });

  it.each([
    ['s3://bucket/pets', 'URLs are not read'],
    ['https://example.org/pets', 'URLs are not read'],
    ['file:///data/pets', 'Write the path alone, without file://.'],
    ['$HOME/pets', 'has the variable $HOME'],
    ['${DATA}/pets', 'has the variable ${DATA}'],
    ['/data/$RUN/pets', 'has the variable $RUN'],
    ['%USERPROFILE%\\pets', 'has the variable %USERPROFILE%'],
    ['C:\\pets', 'is a path of Windows'],
    ['~bob/pets', 'begins with ~'],
  ])('are refused with what is supported: %s', (written, expected) => {
    const { violations } = parse(written, written);
    expect(violations.map(({ field }) => field)).toEqual(['dataset.path', 'base.weights']);
    for (const { description } of violations) expect(description).toContain(expected);
  });

  it('suggests the nearest name for unknown weights', () => {
    expect(parse('/d', 'imagnet').violations).toMatchObject([
      { field: 'base.weights', description: expect.stringContaining("Did you mean 'imagenet'?") as string },
    ]);
  });
});
