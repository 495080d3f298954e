import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolvePaths } from '../../services/platform/paths.ts';
import { parsePage } from '../support/report-page.ts';
import { temporaryFolder } from '../support/run-script.ts';
import { writeTinyDataset } from '../support/tiny-dataset.ts';
import { eventually, REPOSITORY } from './support/local-cluster.ts';

/** Commands that this test does not run, with the reason. */
const NOT_RUN: Readonly<Record<string, string>> = {
  'git clone … graft && cd graft': 'this is the checkout',
  'npm run demo': 'downloads the drawings of the demo',
  'npm run demo -- --data DIR': 'DIR stands for a folder',
  'npx graft auto DIR --minutes 10': 'DIR stands for a folder',
  'npm run setup -- --demo': 'downloads the drawings of the demo',
  'npx graft up': 'runs all the time, below the others',
  'grpcurl -plaintext 127.0.0.1:50051 list': 'grpcurl is not in a registry of npm or pip',
  [`grpcurl -plaintext -d '{"sweep_id": "…"}' 127.0.0.1:50051 graft.v1.SweepService/GetLeaderboard`]:
    'grpcurl is not in a registry of npm or pip',
  'npx graft sweep submit services/cli/examples/keras-recipe.yaml': "needs VGG16's weights from Keras' address",
  'npx graft dataset fetch cats-vs-dogs': 'downloads 825 MB from another address',
};

const EXAMPLES = join(REPOSITORY, 'services/cli/examples');
const README = readFileSync(join(REPOSITORY, 'README.md'), 'utf8');

/** Returns the commands that match, without comments behind them. */
function commandsIn(lines: string, pattern: RegExp): readonly string[] {
  return [...lines.matchAll(pattern)].map(([, command = '']) => command.replace(/ {2,}#.*$/, '').trim());
}

const COMMANDS = [
  ...commandsIn(README, /^ {4}((?:cd|curl|docker|git|grpcurl|helm|kubectl|npm|npx|pip|psql|python3?) .*)$/gm),
  ...readdirSync(EXAMPLES).flatMap((name) =>
    commandsIn(readFileSync(join(EXAMPLES, name), 'utf8'), /^# .*?(npx graft .*)$/gm),
  ),
];
const SWEEP_FILES = [...README.matchAll(/```yaml\n([\s\S]*?)```/g)].map((found) => found[1] ?? '');

/**
 * The first hour of a newcomer: every command of README.md and of the examples, as it is printed, one after the other,
 * with a fresh home folder. Pictures of the tests lie where the demo draws its own, since the set-up of tests does not download
 * those; engine and weights are those of the set-up.
 */
describe('the commands of README.md and of the examples', () => {
  let home: string;
  let checkout: string;
  let up: ChildProcess;
  let upOutput = '';

  beforeAll(async () => {
    home = temporaryFolder('graft-home-');
    const cache = join(home, '.cache/graft');
    mkdirSync(join(cache, 'data'), { recursive: true });
    for (const name of ['engine', 'weights'])
      symlinkSync(join(resolvePaths(process.env).cacheDir, name), join(cache, name));
    await writeTinyDataset(join(cache, 'data/emoji-animal-food'));
    // As a checkout, except that files which the commands write do not end up in this one.
    checkout = join(home, 'graft');
    mkdirSync(checkout);
    for (const name of ['node_modules', 'package.json', 'services'])
      symlinkSync(join(REPOSITORY, name), join(checkout, name));
    up = shell('npx graft up');
    for (const stream of [up.stdout, up.stderr]) stream?.on('data', (chunk: Buffer) => (upOutput += chunk.toString()));
    await eventually('graft up', 90_000, () => {
      if (up.exitCode !== null) throw new Error(`graft up ended:\n${upOutput}`);
      return Promise.resolve(upOutput.includes('Graft is up') ? true : undefined);
    });
  }, 120_000);

  afterAll(async () => {
    if (up.exitCode === null) {
      const exited = once(up, 'exit');
      process.kill(-(up.pid ?? 0), 'SIGINT');
      await exited;
    }
    rmSync(home, { recursive: true, force: true });
  }, 60_000);

  function shell(command: string): ChildProcess {
    const kept = Object.entries(process.env).filter(
      ([name]) => name === 'GRAFT_COMPILED' || !/^(GRAFT_|XDG_|DATABASE_URL$|NODE_OPTIONS$)/.test(name),
    );
    const env = { ...Object.fromEntries(kept), HOME: home, NO_UPDATE_NOTIFIER: '1' };
    return spawn('bash', ['-c', command], { cwd: checkout, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  async function run(command: string): Promise<{ readonly code: number | null; readonly output: string }> {
    const child = shell(command);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  it('are found, and none is excused in vain', () => {
    expect(COMMANDS).toContain('npx graft leaderboard latest');
    expect(COMMANDS).toContain('npx graft sweep submit services/cli/examples/search-sobol.yaml');
    expect(SWEEP_FILES.length).toBeGreaterThan(0);
    for (const command of Object.keys(NOT_RUN)) expect(COMMANDS).toContain(command);
  });

  it('work as printed', async () => {
    const commands = COMMANDS.filter((command) => !Object.hasOwn(NOT_RUN, command));
    for (const command of commands) {
      const { code, output } = await run(command);
      expect(code, `${command}\n${output}`).toBe(0);
      if (command.includes('sweep plan')) expect(output).not.toContain('an assumption');
      if (command.includes('leaderboard'))
        expect(output).toMatch(/^ +1 +\d+ .* [01]\.\d{4} \(0\.\d{4} – [01]\.\d{4}\)/m);
    }
    const document = parsePage(readFileSync(join(checkout, 'report.html'), 'utf8'));
    expect(document.querySelectorAll('figure svg').length).toBeGreaterThan(0);
  }, 400_000);

  it.each(SWEEP_FILES)(
    'are beside a sweep file that can be planned',
    async (text) => {
      writeFileSync(join(checkout, 'sweep.yaml'), text);
      const { code, output } = await run('npx graft sweep plan sweep.yaml');
      expect(code, output).toBe(0);
      expect(output).not.toContain('an assumption');
    },
    120_000,
  );
});
