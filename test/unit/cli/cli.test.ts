import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../services/cli/cli.ts';
import type { StoredEvent } from '../../../services/core/records/event.ts';
import type { SweepRecord } from '../../../services/core/records/sweep.ts';
import type { GraftClient } from '../../../services/cli/client/client-port.ts';
import { createGraftClient } from '../../../services/cli/client/grpc-client.ts';
import { IllegalStateError, InvalidRequestError, NotFoundError } from '../../../services/core/errors.ts';
import { RpcError } from '../../../services/platform/rpc/errors.ts';
import { sampleEvents, sampleReport, sampleRun, sampleSweep } from './sample-sweep.ts';

const folder = mkdtempSync(join(tmpdir(), 'graft-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

const GOOD_FILE = join(folder, 'good.yaml');
const BAD_FILE = join(folder, 'bad.yaml');
writeFileSync(GOOD_FILE, 'dataset: { path: /data/pets }\nparameters: { head.units: [8, 16] }\n');
writeFileSync(BAD_FILE, 'dataset: { pth: /data/pets }\nparameters: { head.unit: [8] }\nmax_runs: many\n');

/** A coordinator that answers what a test wants of it, and fails the test for anything else. */
function clientWith(answers: Partial<GraftClient>): GraftClient {
  const none = { stateWinner: () => Promise.resolve({ winnerStatement: null, winner: null }) };
  const client = { address: 'there:1', close: () => undefined, resolveHandle: asIdentity, ...none, ...answers };
  return new Proxy(client as GraftClient, {
    get(target, name) {
      if (name in target) return Reflect.get(target, name) as unknown;
      throw new Error(`the test does not expect a call of ${String(name)}`);
    },
  });
}

/** Takes every handle for an identity, as a coordinator does for those it finds. */
const asIdentity: GraftClient['resolveHandle'] = (_kind, handle) =>
  Promise.resolve({ outcome: 'FOUND', id: handle, problem: '', candidates: [] });

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly address: string | null;
}

const NO_FORECAST = { stages: [], wallSeconds: null, aloneSeconds: null };

async function run(
  args: readonly string[],
  answers: Partial<GraftClient> = {},
  signal?: AbortSignal,
  env: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  let out = '';
  let err = '';
  let address: string | null = null;
  const code = await runCli(args, {
    env,
    cwd: folder,
    paths: { cacheDir: join(folder, 'cache'), stateDir: join(folder, 'state') },
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    signal: signal ?? new AbortController().signal,
    signals: { onSecond: null },
    openClient: (named) => {
      address = named;
      return clientWith({ getForecast: () => Promise.resolve(NO_FORECAST), ...answers });
    },
  });
  return { code, out, err, address };
}

async function* events(list: readonly StoredEvent[]): AsyncGenerator<StoredEvent> {
  for (const event of list) yield await Promise.resolve(event);
}

describe('exit codes', () => {
  it('0 for --help, which lists the exit codes', async () => {
    const { code, out } = await run(['--help']);
    expect(code).toBe(0);
    expect(out).toContain('Exit codes:');
    for (const number of [0, 1, 2, 3, 4, 5, 6, 7, 130]) expect(out).toMatch(new RegExp(`^ +${number} +\\w`, 'm'));
  });

  it.each([
    ['an unknown command', ['swep', 'list']],
    ['an unknown option', ['sweep', 'list', '--al']],
    ['a missing argument', ['sweep', 'get']],
    ['an unknown output format', ['sweep', 'list', '--output', 'xml']],
    ['an unknown data set', ['dataset', 'fetch', 'mnist']],
    ['parts that do not sum to 1', ['dataset', 'check', '.', '--split', '0.5,0.1,0.1']],
    ['a number of trainers that is none', ['up', '--trainers', 'none']],
  ])('2 for %s', async (_name, args) => {
    const { code, err } = await run(args);
    expect(code).toBe(2);
    expect(err).not.toBe('');
  });

  it('2 for a sweep file with mistakes, each on its own line, without asking the coordinator', async () => {
    const { code, err, address } = await run(['sweep', 'plan', BAD_FILE]);
    expect(code).toBe(2);
    expect(address).toBeNull();
    expect(
      err
        .trim()
        .split('\n')
        .map((line) => line.split(':')[0]),
    ).toEqual([`${BAD_FILE} has 4 mistakes`, 'dataset.pth', 'dataset.path', 'parameters.head.unit', 'max_runs']);
  });

  it.each([
    ['127.0.0.1:50051', [], 2],
    ['localhost:1,[::1]:2', [], 2],
    ['unix:/run/graft.sock', [], 2],
    ['127.0.0.1:50051', ['--remote-data'], 0],
    ['127.0.0.1:50051', ['--data', '.'], 0],
    ['127.0.0.1:50051', ['--data', 'nowhere'], 2],
    ['localhost:1,coordinator:2', [], 0],
    ['coordinator:50051', ['--data', 'nowhere'], 0],
  ])('of submitting images that are not on this machine, to %s %j: %i', async (address, flags, expected) => {
    const created = { sweep: sampleSweep(), duplicateCount: 0, missingRunCount: 0, notes: [] };
    const paths: string[] = [];
    const createSweep: GraftClient['createSweep'] = (_, { dataset }) => {
      paths.push(dataset.path);
      return Promise.resolve(created);
    };
    const { code, err } = await run(['sweep', 'submit', GOOD_FILE, ...flags], { address, createSweep });
    expect(code, err).toBe(expected);
    const data = flags[0] === '--data' ? join(folder, flags[1] ?? '') : '/data/pets';
    expect(paths).toEqual(expected === 0 ? [data] : []);
    if (expected !== 0) expect(err).toContain(`there is no folder ${data} on this machine`);
  });

  it('2 for mistakes that only the coordinator finds, by path of the file', async () => {
    const createSweep = (): never => {
      throw new InvalidRequestError([{ field: 'spec.parameters[0].values[1]', description: 'is too wide.' }]);
    };
    const { code, err } = await run(['sweep', 'submit', GOOD_FILE], { createSweep });
    expect(code).toBe(2);
    expect(err).toContain('parameters.head.units.values[1]: is too wide.');
  });

  it.each([
    ['no such sweep', new NotFoundError('sweep', 's9'), 3],
    ['a state that forbids it', new IllegalStateError('sweep s9', 'SUCCEEDED', 'pause', ['ACTIVE']), 7],
    ['no answer in time', new RpcError('DEADLINE_EXCEEDED', 'too slow'), 5],
    ['no coordinator', new RpcError('UNAVAILABLE', 'refused'), 5],
  ])('%s', async (_name, error, expected) => {
    const { code, err } = await run(['sweep', 'get', 's9'], { getSweep: () => Promise.reject(error) });
    expect(code).toBe(expected);
    expect(err).not.toBe('');
  });

  it('5 when the port refuses the connection, with the real client', async () => {
    const client = createGraftClient('127.0.0.1:1');
    try {
      const { code, err } = await run(['sweep', 'get', 's9'], { getSweep: (id) => client.getSweep(id) });
      expect(code).toBe(5);
      expect(err).toContain("can't be reached: 127.0.0.1:1 refuses the connection: no process listens there.\n");
      expect(err).not.toMatch(/ECONN|Resolution note|Last error/);
    } finally {
      client.close();
    }
  });

  it('3 for a missing sweep file, and for latest when there is no sweep', async () => {
    expect((await run(['sweep', 'plan', 'nowhere.yaml'])).code).toBe(3);
    const none = { outcome: 'NOT_FOUND', id: '', problem: 'There is no sweep yet.', candidates: [] } as const;
    expect((await run(['sweep', 'get', 'latest'], { resolveHandle: () => Promise.resolve(none) })).code).toBe(3);
  });

  it.each([
    ['SUCCEEDED', 0],
    ['FAILED', 4],
    ['CANCELLED', 4],
  ] as const)('of watching a sweep that ends %s: %i', async (state, expected) => {
    const ended: SweepRecord = sampleSweep({ state });
    const { code, out } = await run(['sweep', 'watch', 's1'], {
      getSweep: () => Promise.resolve(ended),
      listRuns: () => Promise.resolve([sampleRun(0)]),
      watchSweep: () => events(sampleEvents([{ kind: 'SWEEP_STATE', state, reason: '' }])),
    });
    expect(code).toBe(expected);
    expect(out).toContain(`sweep ${state}`);
  });

  it('130 when interrupted, with the command that watches the continuing sweep', async () => {
    const interrupt = new AbortController();
    const { code, err } = await run(
      ['sweep', 'watch', 's1'],
      {
        getSweep: () => Promise.resolve(sampleSweep({ state: 'ACTIVE' })),
        listRuns: () => Promise.resolve([sampleRun(0)]),
        watchSweep: async function* (_id, _cursor, signal) {
          yield* events(sampleEvents([{ kind: 'SWEEP_STATE', state: 'ACTIVE', reason: '' }]));
          interrupt.abort(new Error('received SIGINT'));
          signal.throwIfAborted();
        },
      },
      interrupt.signal,
    );
    expect(code).toBe(130);
    expect(err).toContain('Sweep s1 continues. Watch it again:  npx graft sweep watch s1');
  });
});

describe('watching', () => {
  it('resumes after its cursor when the coordinator was unavailable', async () => {
    const cursors: bigint[] = [];
    const all = sampleEvents([
      { kind: 'SWEEP_STATE', state: 'ACTIVE', reason: '' },
      { kind: 'SWEEP_STATE', state: 'PAUSED', reason: 'for lunch' },
      { kind: 'SWEEP_STATE', state: 'SUCCEEDED', reason: '' },
    ]);
    const { code, out } = await run(['sweep', 'watch', 's1'], {
      getSweep: () => Promise.resolve(sampleSweep()),
      listRuns: () => Promise.resolve([sampleRun(0)]),
      watchSweep: async function* (_id, cursor) {
        cursors.push(cursor);
        yield* events(all.slice(Number(cursor), Number(cursor) + 2));
        if (cursors.length === 1) throw new RpcError('UNAVAILABLE', 'gone');
      },
    });
    expect(code).toBe(0);
    expect(cursors).toEqual([0n, 2n]);
    expect(out.match(/sweep PAUSED: for lunch/g)).toHaveLength(1);
    expect(out).toContain('is unreachable; waiting for it');
    expect(out).toContain('reconnected');
  });

  it('prints one JSON line per event for programs', async () => {
    const { out } = await run(['sweep', 'watch', 's1', '--output', 'json'], {
      getSweep: () => Promise.resolve(sampleSweep()),
      listRuns: () => Promise.resolve([sampleRun(0)]),
      watchSweep: () =>
        events(
          sampleEvents([
            { kind: 'EPOCH', runId: 's1-r000', stage: 'HEAD', epoch: 1, names: ['val_loss'], values: [Number.NaN] },
            { kind: 'SWEEP_STATE', state: 'SUCCEEDED', reason: '' },
          ]),
        ),
    });
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines[0]).toMatchObject({ cursor: 1, kind: 'epoch', run_id: 's1-r000', metrics: { val_loss: 'NaN' } });
    expect(lines[1]).toMatchObject({ cursor: 2, state: 'SUCCEEDED' });
  });
});

describe('a sweep that succeeded with runs that did not', () => {
  const partly = sampleSweep({ succeededRunCount: 2, failedRunCount: 2, infeasibleRunCount: 1 });
  const runs = [
    sampleRun(0, { state: 'FAILED', stateReason: 'out of memory\nin step 3', bestValue: 0.01 }),
    ...[1, 2].map((index) => sampleRun(index, { bestValue: 0.05, bestValLoss: 0.05, bestValAccuracy: 0.9 })),
    sampleRun(3, { bestValue: 0.05, bestValLoss: 0.05, bestValAccuracy: 0.95 }),
    sampleRun(4, { state: 'INFEASIBLE', bestValue: null }),
  ];
  const client: Partial<GraftClient> = {
    getSweep: () => Promise.resolve(partly),
    listSweeps: () => Promise.resolve([partly]),
    listRuns: () => Promise.resolve(runs),
    watchSweep: () => events(sampleEvents([{ kind: 'SWEEP_STATE', state: 'SUCCEEDED', reason: '' }])),
  };
  const tie = 's1-r003, val_loss 0.0500 (tied with runs 1, 2; broken by val_accuracy)';

  it('is described so in list, get and watch, with the best run and its ties', async () => {
    expect((await run(['sweep', 'list'], client)).out).toContain('SUCCEEDED (2 failed, 1 infeasible)');
    const got = await run(['sweep', 'get', 's1'], client);
    expect(got.out).toContain('SUCCEEDED (2 failed, 1 infeasible)');
    expect(got.out).toContain('5 of 5 ended: 2 succeeded, 2 failed, 1 infeasible');
    expect(got.out).toContain(tie);
    const watched = await run(['sweep', 'watch', 's1'], client);
    expect(watched.out).toContain(
      `Sweep s1 ended SUCCEEDED: 2 succeeded, 2 failed, 1 infeasible of 5 runs. Best: ${tie}.`,
    );
    expect(watched.out).toContain(`\n1 FAILED: out of memory … (run 0)\n1 INFEASIBLE (run 4)\n`);
    expect([got.code, watched.code]).toEqual([0, 0]);
    const { out } = await run(['sweep', 'get', 's1', '--output', 'json'], client);
    expect(JSON.parse(out)).toMatchObject({ succeeded_run_count: 2, failed_run_count: 2, infeasible_run_count: 1 });
  });

  it.each(['watch', 'get'])('ends %s --strict with 4', async (command) => {
    const { code, err } = await run(['sweep', command, 's1', '--strict'], client);
    expect(code).toBe(4);
    expect(err).toContain(
      'Sweep s1 ended SUCCEEDED (2 failed, 1 infeasible), and --strict requires that every run succeeds.',
    );
    const whole = { ...client, getSweep: () => Promise.resolve(sampleSweep()) };
    expect((await run(['sweep', command, 's1', '--strict'], whole)).code).toBe(0);
  });
});

describe('results', () => {
  const { leaderboard } = sampleReport();

  it('are JSON with proto field names', async () => {
    const { out } = await run(['leaderboard', 's1', '--output', 'json'], {
      getSweep: () => Promise.resolve(sampleSweep()),
      getLeaderboard: () => Promise.resolve(leaderboard),
    });
    expect(JSON.parse(out)).toMatchObject({
      test_look_count: 2,
      entries: [
        {
          rank: 1,
          run: { run_id: 's1-r003', parameters: { 'head.units': 128 } },
          test_result: { accuracy_low: 0.9104 },
        },
        {},
        {},
        {},
        {},
      ],
    });
  });

  it.each(['table', 'json'])('are sorted by the metric of the objective as %s', async (output) => {
    const { spec } = sampleSweep();
    const scored = sampleSweep({ spec: { ...spec, objective: { metric: 'val_macro_f1', goal: 'maximize' } } });
    const client: Partial<GraftClient> = {
      getSweep: () => Promise.resolve(scored),
      getLeaderboard: () => Promise.resolve(leaderboard),
      listRuns: () => Promise.resolve(leaderboard.entries.map((entry) => entry.run)),
    };
    for (const command of [['leaderboard'], ['run', 'list']]) {
      const { code, err } = await run([...command, 's1', '--sort', 'val_macro_f1', '--output', output], client);
      expect(err).not.toContain('--sort');
      expect(code).toBe(0);
    }
  });

  it('are tables for people', async () => {
    const { out } = await run(['leaderboard', 's1'], {
      getSweep: () => Promise.resolve(sampleSweep()),
      getLeaderboard: (id) =>
        Promise.resolve(
          id === 's1' ? leaderboard : { entries: [], testLookCount: 0, winnerStatement: null, winner: null },
        ),
    });
    expect(out).toContain('0.9500 (0.9104 – 0.9726)');
    expect(out).toContain('2 runs were tested on the test split');
  });

  it('explain a run with all its attempts', async () => {
    const { out } = await run(['run', 'explain', 's1-r003'], {
      getRun: () =>
        Promise.resolve({
          run: sampleRun(3),
          attempts: (['EXPIRED', 'SUCCEEDED'] as const).map((state, index) => ({
            taskId: 's1-t03',
            stage: 'HEAD' as const,
            leaseEpoch: index + 1,
            trainerId: 'here',
            slotIndex: 0,
            state,
            errorClass: '',
            errorCode: '',
            microBatchDivisor: 1,
            message: state === 'EXPIRED' ? 'lease expired' : '',
            startTime: new Date(0),
            endTime: new Date(1_500),
          })),
        }),
      explainRun: () => Promise.resolve(null),
      getSweep: () => Promise.resolve(sampleSweep()),
      getLeaderboard: () => Promise.resolve(leaderboard),
    });
    expect(out).toContain('rank 1 of 5');
    expect(out).toContain('lease expired');
    expect(out).toContain('1.5 s');
    expect(out).toContain('1 of them ended without a result');
  });
});

describe('the coordinator', () => {
  const get = { getSweep: () => Promise.resolve(sampleSweep()), listRuns: () => Promise.resolve([]) };

  it('is the default port on this machine, or that of the option, before or after the command', async () => {
    expect((await run(['sweep', 'get', 's1'], get)).address).toBe('127.0.0.1:50051');
    expect((await run(['--coordinator', 'a:1', 'sweep', 'get', 's1'], get)).address).toBe('a:1');
    expect((await run(['sweep', 'get', 's1', '--coordinator', 'b:2'], get)).address).toBe('b:2');
  });

  it('comes from the environment if no option names it; empty counts as unset', async () => {
    const withEnvironment = (value: string, args: readonly string[] = []): Promise<Outcome> =>
      run(['sweep', 'get', 's1', ...args], get, undefined, { GRAFT_COORDINATOR: value });
    expect((await withEnvironment('c:3')).address).toBe('c:3');
    expect((await withEnvironment('c:3', ['--coordinator', 'b:2'])).address).toBe('b:2');
    expect((await withEnvironment('')).address).toBe('127.0.0.1:50051');
  });
});

describe('the schema command', () => {
  it('prints the JSON Schema', async () => {
    expect(JSON.parse((await run(['schema'])).out)).toMatchObject({ title: 'Graft sweep file' });
  });
});
