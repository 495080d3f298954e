import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { DEFAULT_BACKBONE } from '../../../services/core/network/backbones.ts';
import { resolvePaths } from '../../../services/platform/paths.ts';
import { backboneDefinition } from '../../../services/core/network/backbones.ts';
import { findWeightFile } from '../../../services/trainer/backbones/weight-file.ts';
import { kerasVenv } from '../../parity/keras-venv.ts';
import type { BenchContext } from './context.ts';
import { coordinatorMemory, scheduler } from './coordinator-rows.ts';
import { engineShare } from './engine-share.ts';
import { fineTunes } from './fine-tunes.ts';
import { forward } from './forward.ts';
import { headSteps } from './head-steps.ts';
import { cachedHeads, sharedStream } from './heads-end-to-end.ts';
import { ingest } from './ingest.ts';
import { KerasPeer } from './keras-peer.ts';
import { renderRows } from './row.ts';
import type { Row } from './row.ts';
import { secondSweep } from './second-sweep.ts';
import { runScript, temporaryFolder } from '../../support/run-script.ts';

const PARTS: Readonly<Record<string, (context: BenchContext) => Promise<Row | readonly Row[]>>> = {
  'shared-stream': sharedStream,
  'cached-heads': cachedHeads,
  'head-steps': headSteps,
  'fine-tunes': fineTunes,
  'second-sweep': secondSweep,
  forward,
  'engine-share': engineShare,
  ingest,
  'coordinator-memory': coordinatorMemory,
  scheduler,
};

const HELP = `Measures what a sweep costs in Graft and in Keras, side by side on this machine, as one table.

  npm run bench:sweep -- --data DIR [--only PART,PART]

DIR has train, validation and test, with two class folders each. Parts: ${Object.keys(PARTS).join(', ')}; all of
them take about 35 minutes on 2 cores. The exit code is 1 when a target is missed.
`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { data: { type: 'string' }, only: { type: 'string' }, help: { type: 'boolean', default: false } },
  });
  if (values.help || values.data === undefined) {
    process.stdout.write(HELP);
    return values.help ? 0 : 2;
  }
  const names = values.only?.split(',') ?? Object.keys(PARTS);
  const unknown = names.filter((name) => !Object.hasOwn(PARTS, name));
  if (unknown.length > 0) {
    process.stderr.write(
      `--only: there is no part ${unknown.join(', ')}; parts are ${Object.keys(PARTS).join(', ')}.\n`,
    );
    return 2;
  }
  const venv = await kerasVenv();
  if ('reason' in venv) {
    process.stderr.write(`Keras can't be installed here, so there is nothing to compare with: ${venv.reason}\n`);
    return 1;
  }
  const folder = temporaryFolder('graft-bench-');
  try {
    const { cacheDir } = resolvePaths(process.env);
    const context: BenchContext = {
      peer: new KerasPeer(venv.python, folder),
      python: venv.python,
      root: resolve(values.data),
      weightsPath: await findWeightFile(backboneDefinition(DEFAULT_BACKBONE), 'imagenet', { cacheDir }),
      folder,
      say: (line) => process.stderr.write(`${line}\n`),
    };
    const rows: Row[] = [];
    let failedCount = 0;
    for (const name of names) {
      try {
        const measured = [await PARTS[name]?.(context)].flat().filter((row) => row !== undefined);
        for (const row of measured) context.say(`  ${row.work}: ${row.graftFigure} (${row.isMet ? 'met' : 'MISSED'})`);
        rows.push(...measured);
      } catch (error) {
        // Keep the other rows, which took minutes.
        failedCount += 1;
        context.say(`${name} could not be measured: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    process.stdout.write(`\n${renderRows(rows)}\n`);
    return failedCount === 0 && rows.every(({ isMet }) => isMet) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

await runScript(main);
