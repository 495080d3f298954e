import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../services/cli/cli.ts';
import { createGraftClient } from '../../../services/cli/client/grpc-client.ts';
import { specOf, startHarness } from './harness.ts';
import type { Harness } from './harness.ts';

let harness: Harness;
let folder: string;
let sweepId: string;

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'graft-handles-'));
  writeFileSync(join(folder, 'x.png'), '');
  harness = await startHarness();
  await harness.submit(specOf({ displayName: 'another' }));
  sweepId = await harness.submit(specOf({ displayName: 'Heads of two rates' }));
  await harness.trainer('trainer-7f');
  // The best run with a checkpoint that is stored as far as the record knows.
  await harness.query(
    `UPDATE runs SET best_value = 0.5, best_val_loss = 0.5, best_stage = 'HEAD', best_epoch = 2 WHERE run_id = $1`,
    [`${sweepId}-r001`],
  );
  await harness.query(
    `INSERT INTO checkpoints (checkpoint_id, run_id, stage, epoch, kind, uri, sha256, size_bytes, state, task_id, lease_epoch)
     VALUES ('cabcdefgh', $1, 'HEAD', 2, 'BEST', 'u', 's', 1, 'STORED', $2, 1)`,
    [`${sweepId}-r001`, `${sweepId}-t00`],
  );
});

afterAll(async () => {
  await harness[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function graft(args: readonly string[], isTTY = false, input?: string): Promise<Outcome> {
  let out = '';
  let err = '';
  const code = await runCli(args, {
    env: { GRAFT_COORDINATOR: harness.coordinator.address },
    cwd: folder,
    paths: { cacheDir: join(folder, 'cache'), stateDir: join(folder, 'state') },
    stdout: { isTTY, write: (text) => (out += text) },
    stderr: { isTTY, write: (text) => (err += text) },
    ...(input !== undefined && { stdin: Readable.from([input]) }),
    signal: new AbortController().signal,
    signals: { onSecond: null },
    openClient: createGraftClient,
  });
  return { code, out, err };
}

/** Each form of a handle, with the sweep's identity in place of SWEEP. */
const FORMS = {
  SWEEP: ['latest', 'SWEEP', 'SWE…', 'Heads of two rates', 'heads of'],
  RUN: ['latest/1', '1', 'heads of/1', 'SWE…/1', 'latest/best', 'SWEEP-r001', '1 --sweep heads'],
  CHECKPOINT: ['cabcdefgh', 'cabc', 'latest', 'latest/1', 'heads of/best', 'SWEEP-r001'],
  TRAINER: ['trainer-7f', 'trainer-'],
} as const;

/** Every command that takes a handle, with HANDLE in its place, and what its result or its refusal contains. */
const COMMANDS: readonly (readonly [keyof typeof FORMS, readonly string[], RegExp])[] = [
  ['SWEEP', ['sweep', 'get', 'HANDLE'], /Heads of two rates/],
  ['SWEEP', ['sweep', 'pause', 'HANDLE'], /PAUSED/],
  ['SWEEP', ['sweep', 'resume', 'HANDLE'], /ACTIVE/],
  ['SWEEP', ['sweep', 'diff', 'HANDLE', 'another'], /specification/],
  ['SWEEP', ['sweep', 'rename', 'HANDLE', 'Heads of two rates'], /Heads of two rates/],
  ['SWEEP', ['sweep', 'note', 'HANDLE', 'looks good'], /looks good/],
  ['SWEEP', ['sweep', 'tag', 'HANDLE', 'kept'], /tags +kept/],
  ['SWEEP', ['sweep', 'explain', 'HANDLE'], /\S/],
  ['SWEEP', ['sweep', 'front', 'HANDLE'], /No run has a value yet whose model has known costs/],
  ['SWEEP', ['sweep', 'priority', 'HANDLE', '0'], /Heads of two rates/],
  ['SWEEP', ['sweep', 'slots', 'HANDLE', 'all'], /Heads of two rates/],
  ['SWEEP', ['sweep', 'extend', 'HANDLE', '--max-runs', '9'], /max_runs: bounds no runs of this sweep/],
  ['SWEEP', ['sweep', 'delete', 'HANDLE', '--dry-run'], /Can't delete sweep s\w+: its state is ACTIVE/],
  ['SWEEP', ['leaderboard', 'HANDLE'], /0\.5000/],
  ['SWEEP', ['report', 'HANDLE', '-o', 'report.html'], /report\.html/],
  ['SWEEP', ['run', 'list', 'HANDLE'], /-r001/],
  ['SWEEP', ['checkpoint', 'list', 'HANDLE'], /cabcdefgh/],
  ['SWEEP', ['checkpoint', 'gc', '--dry-run', '--sweep', 'HANDLE'], /unneeded/],
  ['SWEEP', ['mlflow', 'retry', 'HANDLE'], /MLflow|0 changes/i],
  ['SWEEP', ['mlflow', 'resend', 'HANDLE'], /MLflow/i],
  ['RUN', ['run', 'get', 'HANDLE'], /-r001/],
  ['RUN', ['run', 'explain', 'HANDLE'], /-r001/],
  ['RUN', ['run', 'note', 'HANDLE', 'diverges'], /diverges/],
  ['RUN', ['run', 'tag', 'HANDLE', 'kept'], /tags +kept/],
  ['RUN', ['run', 'stop', 'HANDLE'], /STOPPED: stopped by a person/],
  ['RUN', ['run', 'retry', 'HANDLE'], /Can't retry run \S+-r001: its state is STOPPED, and that needs FAILED/],
  ['RUN', ['checkpoint', 'list', '--run', 'HANDLE'], /cabcdefgh/],
  ['CHECKPOINT', ['checkpoint', 'pin', 'HANDLE'], /cabcdefgh: pinned/],
  ['CHECKPOINT', ['checkpoint', 'unpin', 'HANDLE'], /cabcdefgh: not pinned/],
  // The handle is found, and then the file is missing from the store.
  ['CHECKPOINT', ['checkpoint', 'download', 'HANDLE', '-o', 'x.safetensors'], /artifact|store|'u'/i],
  ['CHECKPOINT', ['checkpoint', 'export', 'HANDLE', '--format', 'keras', '-o', 'x.keras'], /artifact|store|'u'/i],
  ['CHECKPOINT', ['predict', 'HANDLE', 'x.png'], /artifact|store|'u'|x\.png/i],
  ['TRAINER', ['trainers', 'forget', 'HANDLE'], /trainer trainer-7f/],
];

describe('every command that takes a handle', () => {
  it.each(COMMANDS)('%s: %j', { timeout: 60_000 }, async (kind, command, expected) => {
    for (const form of FORMS[kind]) {
      const [handle = '', ...more] = form.split(' --sweep ');
      const given = handle.replace('SWEEP', sweepId).replace('SWE…', sweepId.slice(0, 7));
      // `checkpoint list` takes the sweep of a run's number as its argument.
      const sweep = more.length === 0 ? [] : command.includes('--run') ? more : ['--sweep', ...more];
      const { out, err } = await graft([...command.map((word) => (word === 'HANDLE' ? given : word)), ...sweep]);
      expect(out + err, given).toMatch(expected);
      expect(out + err, given).not.toMatch(/There is no (sweep|run|checkpoint|trainer)|names several|beginning of/);
    }
  });

  it.each(COMMANDS)('%s: %j exits with 3 for an unknown handle and names it', async (_kind, command) => {
    const { code, out, err } = await graft(command.map((word) => (word === 'HANDLE' ? 'zzz-unknown' : word)));
    expect(err).toContain("'zzz-unknown'");
    expect([code, out]).toEqual([3, '']);
  });

  it('is walked by this test', async () => {
    const takers: string[] = [];
    const visit = async (path: readonly string[]): Promise<void> => {
      const { out } = await graft([...path, '--help']);
      const usage = /^Usage: .*$/m.exec(out)?.[0] ?? '';
      if (/[<[](sweep|run|runs|checkpoint|trainer)(\.{3})?[>\]]/.test(usage)) takers.push(path.join(' '));
      const listed = out.split('\nCommands:\n')[1]?.split('\n\n')[0] ?? '';
      for (const [, name = ''] of listed.matchAll(/^ {2}([a-z]+)/gm)) {
        if (!['help', 'coordinator', 'trainer', 'migrate'].includes(name)) await visit([...path, name]);
      }
    };
    await visit([]);
    const walked = COMMANDS.map(([, command]) =>
      command
        .slice(
          0,
          command.findIndex((word) => word === 'HANDLE' || word.startsWith('-')),
        )
        .join(' '),
    );
    // These change or end what the others read, or wait for an end; the tests below run them.
    const apart = ['sweep watch', 'sweep cancel', 'sweep kill', 'run compare', 'compare'];
    expect(takers.length).toBeGreaterThan(20);
    expect(takers.filter((path) => ![...walked, ...apart].includes(path))).toEqual([]);
  });

  it('is not found in an ambiguous handle, which exits with 2 and a list', async () => {
    await harness.query(`UPDATE sweeps SET display_name = 'Heads too' WHERE display_name = 'another'`);
    const { code, err } = await graft(['sweep', 'get', 'head']);
    await harness.query(`UPDATE sweeps SET display_name = 'another' WHERE display_name = 'Heads too'`);
    expect(code).toBe(2);
    expect(err).toMatch(
      /^'head' is the beginning of 2 sweeps\. Use the id of one:\n {2}s\w+ +Heads of two rates +ACTIVE/,
    );
  });

  it('compares runs by number, and cancels and watches the latest sweep', async () => {
    const compared = await graft(['run', 'compare', 'latest/0', 'latest/best']);
    expect(compared.out).toMatch(/optimizer\.learning_rate +0\.001 +0\.01/);
    expect(compared.out).toMatch(/best val_loss +– +0\.5000/);
    expect(await graft(['compare', '0', 'latest/best'])).toEqual(await graft(['run', 'compare', '0', 'latest/best']));
    expect((await graft(['sweep', 'cancel', 'heads of'])).out).toMatch(/CANCELLED/);
    expect((await graft(['sweep', 'kill', 'heads of'])).out).toMatch(/CANCELLED/);
    await harness.query(`UPDATE runs SET state = 'SUCCEEDED' WHERE run_id = $1`, [`${sweepId}-r001`]);
    const watched = await graft(['sweep', 'watch', 'latest'], true);
    expect(watched.err).toContain(`Sweep ${sweepId} ended CANCELLED`);
    expect(watched.err).toMatch(new RegExp(`Next: .* leaderboard ${sweepId}\\n.* report ${sweepId} -o report\\.html`));
  });

  it('deletes the latest sweep only after a confirmation', async () => {
    const asked = `Delete sweep ${sweepId} 'Heads of two rates' with 2 runs, 1 checkpoint and 0 feature sets (1 B)?`;
    const without = await graft(['sweep', 'delete', 'latest']);
    expect(without.code).toBe(2);
    expect(without.err).toContain(
      `${asked} This can't be undone.\nThere is no terminal to ask on: add --yes to confirm.`,
    );
    for (const answer of ['n\n', '', 'yesterday\n']) {
      const { code, err } = await graft(['sweep', 'delete', 'latest'], true, answer);
      expect([code, err]).toEqual([0, `${asked} This can't be undone. [y/N] Nothing was deleted.\n`]);
    }
    const dry = await graft(['sweep', 'delete', 'latest', '--dry-run', '--output', 'json']);
    expect(JSON.parse(dry.out)).toMatchObject({
      sweep_id: sweepId,
      run_count: 2,
      files: [{ uri: 'u', size_bytes: 1 }],
      delete_time: null,
    });
    const { code, out } = await graft(['sweep', 'delete', sweepId], true, 'Y\n');
    expect(code).toBe(0);
    expect(out).toMatch(/was deleted with 2 runs, 1 checkpoint and 0 feature sets \(1 B\)\. Its files are removed/);
    expect((await graft(['sweep', 'get', sweepId])).code).toBe(3);
  });
});
