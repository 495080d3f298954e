import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { costInNodes, filesLoadedBy } from '../support/command-cost.ts';
import { parsePage } from '../support/report-page.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { LAUNCHER, LocalCluster, eventually, isAlive, runCli } from './support/local-cluster.ts';
import { Terminal } from './support/terminal.ts';

interface Listed {
  readonly run_id: string;
  readonly kind: string;
  readonly checkpoint_id: string;
}

describe('the command line against a whole cluster', () => {
  let folder: string;
  let cluster: LocalCluster;
  let sweepFile: string;
  let data: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'graft-e2e-cli-'));
    data = join(folder, 'data');
    sweepFile = join(folder, 'sweep.yaml');
    await writeTinyDataset(data);
    // The path is relative to the sweep file; random weights need no download.
    writeFileSync(
      sweepFile,
      `display_name: tiny
dataset: { path: data }
base: { weights: random, image_size: 32, epochs: 3, batch_size: 8 }
parameters:
  head.units: [0, 4]
`,
    );
    cluster = await LocalCluster.start();
  });

  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  it('plans, submits, watches and reports', async () => {
    const plan = (await cluster.cliJson(['sweep', 'plan', sweepFile])) as { runs: unknown[] };
    expect(plan.runs).toHaveLength(2);

    const submit = ['sweep', 'submit', sweepFile, '--request-id', 'once'];
    const first = (await cluster.cliJson(submit)) as { sweep: { sweep_id: string } };
    const again = (await cluster.cliJson(submit)) as { sweep: { sweep_id: string } };
    expect(again.sweep.sweep_id).toBe(first.sweep.sweep_id);

    const watched = await cluster.cli(['sweep', 'watch', 'latest']);
    expect(watched.code, watched.stderr).toBe(0);
    expect(watched.stdout).toMatch(/epoch 3\/3 .*val_loss/);
    expect(watched.stdout).toMatch(/test \d .* accuracy/);

    const board = (await cluster.cliJson(['leaderboard', 'latest'])) as { entries: { run: Listed }[] };
    expect(board.entries).toHaveLength(2);
    const winner = board.entries[0]!.run.run_id;
    expect((await cluster.cli(['run', 'explain', winner])).stdout).toContain('rank 1 of 2');

    const file = join(folder, 'report.html');
    expect((await cluster.cli(['report', 'latest', '-o', file])).code).toBe(0);
    const document = parsePage(readFileSync(file, 'utf8'));
    for (const title of ['Validation loss', 'Training loss', 'Validation accuracy', 'Training accuracy']) {
      expect(document.querySelectorAll(`[aria-labelledby=curves] figure svg[aria-label="${title}"]`).length).toBe(1);
    }
    expect(document.querySelectorAll('[aria-labelledby=plan] tbody tr').length).toBeGreaterThan(6);
  }, 120_000);

  it('answers sweep get with at most ten times the processor time of an empty Node', async () => {
    const args = ['sweep', 'get', 'latest'];
    const env = { GRAFT_COORDINATOR: cluster.address, GRAFT_STATE_DIR: cluster.stateDir };
    const files = await filesLoadedBy(args, env);
    expect(files).toContain('services/cli/actions/show-sweeps.js');
    const other = /^(yaml|undici|pg|sharp|linkedom|@observablehq|@aws-sdk|@prisma|@opentelemetry)\//;
    expect(files.filter((file) => other.test(file))).toEqual([]);
    expect(await costInNodes(args, env)).toBeLessThan(10);
  }, 60_000);

  it('downloads a checkpoint and predicts with it, without the coordinator', async () => {
    const listed = (await cluster.cliJson(['checkpoint', 'list'])) as Listed[];
    const best = listed.find(({ kind }) => kind === 'BEST')!;
    const file = join(folder, 'best.safetensors');
    expect((await cluster.cli(['checkpoint', 'download', best.checkpoint_id, '-o', file])).code).toBe(0);
    const images = ['red', 'blue'].map((name) => join(data, 'test', name, '000.png'));
    const args = ['predict', '--checkpoint', file, ...images, '--output', 'json'];
    const { code, stdout, stderr } = await runCli(args, { GRAFT_COORDINATOR: '127.0.0.1:1' });
    expect(code, stderr).toBe(0);
    const { class_names: classNames, predictions } = JSON.parse(stdout) as {
      class_names: string[];
      predictions: { probabilities: number[] }[];
    };
    expect(classNames).toEqual(['blue', 'red']);
    for (const { probabilities } of predictions) expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 6);
  }, 60_000);

  it('exports and predicts with a checkpoint by its ID', async () => {
    const listed = (await cluster.cliJson(['checkpoint', 'list'])) as Listed[];
    const { checkpoint_id: id } = listed.find(({ kind }) => kind === 'BEST')!;
    const out = join(folder, 'exported');
    const exported = (await cluster.cliJson(['checkpoint', 'export', id, '--format', 'keras', '-o', out])) as {
      class_names: string[];
      files: { path: string; size_bytes: number }[];
    };
    expect(exported.class_names).toEqual(['blue', 'red']);
    const [file] = exported.files;
    expect(file?.path).toBe(join(out, 'model.keras'));
    expect(file?.size_bytes).toBe(statSync(join(out, 'model.keras')).size);
    const image = join(data, 'test', 'red', '000.png');
    const byId = (await cluster.cliJson(['predict', '--checkpoint', id, image])) as object;
    const byFile = await cluster.cliJson(['predict', '--checkpoint', join(folder, 'best.safetensors'), image]);
    expect(byId).toEqual(byFile);
    const unknown = await cluster.cli([
      'checkpoint',
      'export',
      'no-such-id',
      '--format',
      'keras',
      '-o',
      out,
      '--force',
    ]);
    expect(unknown.code).toBe(3);
    expect(unknown.stderr).toContain('no-such-id');
  }, 120_000);

  it('checks a folder as a sweep would', async () => {
    const good = await runCli(['dataset', 'check', data, '--output', 'json']);
    expect(good.code, good.stderr).toBe(0);
    expect(JSON.parse(good.stdout)).toMatchObject({ usable: true, dataset: { class_names: ['blue', 'red'] } });
    const broken = join(folder, 'broken');
    await writeTinyDataset(broken);
    rmSync(join(broken, 'test'), { recursive: true });
    writeFileSync(join(broken, 'train', 'red', '000.png'), 'no picture');
    const bad = await runCli(['dataset', 'check', broken]);
    expect(bad.code).toBe(2);
    expect(bad.stdout).toMatch(/MISSING_SPLIT/);
    expect(bad.stdout).toMatch(/train\/red\/000\.png/);
  }, 60_000);

  it('draws the live table in a terminal, at any width, and leaves the screen clean on Ctrl-C', async () => {
    const long = join(folder, 'long.yaml');
    const base = 'base: { weights: random, image_size: 32, epochs: 10000, batch_size: 8 }';
    writeFileSync(
      long,
      `display_name: long\ndataset: { path: data }\n${base}\nparameters: { head.units: [0, 4, 8] }\n`,
    );
    const submitted = (await cluster.cliJson(['sweep', 'submit', long])) as { sweep: { sweep_id: string } };
    const id = submitted.sweep.sweep_id;
    const env = { GRAFT_COORDINATOR: cluster.address, GRAFT_STATE_DIR: cluster.stateDir };
    const terminal = new Terminal([process.execPath, LAUNCHER, 'sweep', 'watch', id], 120, 24, env);
    await terminal.waitFor(/^★? +\d +RUNNING +HEAD +[1-9]\d*\/10000 +\d\.\d{4} +\d\.\d{4} +HEAD \d+ /);
    // A picture that was on its way during the resize may remain above; the last one is whole, with nothing below it.
    const whole =
      /Sweep \S+ “long” ACTIVE\n\d+ % · .*\nbest .*\n {3}run .*\n(?:[★ ] +\d+ +RUNNING.*\n){3}Ctrl-C ends .*\n*$/;
    for (const [columns, rows] of [
      [60, 20],
      [200, 40],
      [80, 10],
    ] as const) {
      await terminal.resize(columns, rows);
      await eventually(`a whole picture in ${columns} columns`, 30_000, () =>
        Promise.resolve(whole.test(terminal.lines().join('\n')) ? true : undefined),
      );
    }
    terminal.type('\x03');
    expect(await terminal.end()).toBe(130);
    const lines = terminal.lines().filter((line) => line !== '');
    expect(lines.join('\n')).toMatch(
      new RegExp(`Sweep ${id} continues\\. Watch it again: +npx graft sweep watch ${id}$`),
    );
    expect(lines.join('\n')).not.toMatch(/Ctrl-C|\^C/);
    expect((await cluster.cli(['sweep', 'pause', id, '--reason', 'for the next test'])).code).toBe(0);
  }, 120_000);

  it('refuses a second cluster on the same state folder', async () => {
    const { code, stderr } = await runCli(['up'], { GRAFT_STATE_DIR: cluster.stateDir });
    expect(code).toBe(2);
    expect(stderr).toContain(`with its coordinator at ${cluster.address}`);
  });

  it('leaves no process when it is killed, and the next cluster has the record', async () => {
    const before = cluster.allPids();
    const own = cluster.pids('graft.js')[0]!;
    process.kill(own, 'SIGKILL');
    await eventually('the children to end', 60_000, () =>
      Promise.resolve(before.filter(isAlive).length === 0 ? true : undefined),
    );
    cluster = await LocalCluster.start({ stateDir: cluster.stateDir });
    const sweeps = (await cluster.cliJson(['sweep', 'list'])) as { state: string }[];
    expect(sweeps.map(({ state }) => state)).toEqual(['PAUSED', 'SUCCEEDED']);
    const output = await eventually('graft up', 30_000, () =>
      Promise.resolve(/Ctrl-C stops everything/.test(cluster.output()) ? cluster.output() : undefined),
    );
    expect(output).toMatch(/^PostgreSQL is ready/m);
    expect(output).toMatch(/^Database is up to date/m);
    expect(output).toMatch(/^Coordinator is ready at 127/m);
    expect(output).toMatch(/^1 trainer ready/m);
    expect(output).toMatch(
      /^ {2}sweep \S+ “long”, 0 of 3 runs ended, is paused \(for the next test\): npx graft sweep resume \S+$/m,
    );
  }, 180_000);

  it('ends all processes gracefully on Ctrl-C', async () => {
    // Polled twice: at the second poll, `graft up` has seen it too and is up.
    for (const look of ['first', 'second']) {
      await eventually(`the trainer, ${look} look`, 60_000, async () => {
        const [trainer] = (await cluster.cliJson(['trainers'])) as { state: string }[];
        return trainer?.state === 'READY' ? true : undefined;
      });
    }
    const before = cluster.allPids();
    expect(before.length).toBeGreaterThan(4);
    expect(await cluster.interrupt()).toBe(0);
    expect(before.filter(isAlive)).toEqual([]);
    expect(existsSync(join(cluster.stateDir, 'up.json'))).toBe(false);
  }, 90_000);
});
