import process from 'node:process';
import { parseArgs } from 'node:util';
import { native } from '../../../services/trainer/heads/native-module.ts';
import { kerasVenv } from '../../parity/keras-venv.ts';
import { BATCH, HEADS_CASES, HeadsBench, UNITS } from './measure.ts';
import type { HeadsCase, HeadsMeasurement } from './measure.ts';
import { runScript } from '../../support/run-script.ts';

const HELP = `Milliseconds of a training step: Keras one head after the other, Graft all of them together, in turns.

  npm run bench:heads [-- --rounds 3 --only TEXT]

--only takes the rows whose title holds the text, such as 12800. The exit code is 1 when a target is missed.
`;

/**
 * Computes rates. A multiply-add counts as two operations; weights and RMSprop's averages are read and written, and the
 * weights are read a second time.
 */
function rates({ inputs, heads }: HeadsCase, graft: number): string {
  const weights = heads * (inputs + 1) * UNITS;
  const gigaflops = (weights * BATCH * 4) / graft / 1e6;
  const gigabytes = (weights * 5 * 4) / graft / 1e6;
  return `${gigaflops.toFixed(0).padStart(9)}${gigabytes.toFixed(1).padStart(7)}`;
}

function render(row: HeadsCase, { keras, graft }: HeadsMeasurement): string {
  const ratio = keras / graft;
  return (
    row.title.padEnd(52) +
    keras.toFixed(2).padStart(9) +
    graft.toFixed(2).padStart(9) +
    `${ratio.toFixed(2)}×`.padStart(9) +
    `≥ ${row.target}×`.padStart(9) +
    `  ${ratio >= row.target ? 'met   ' : 'MISSED'}` +
    rates(row, graft)
  );
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      only: { type: 'string', default: '' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const venv = await kerasVenv();
  if ('reason' in venv) {
    process.stderr.write(`Keras can't be installed here, so there is nothing to compare with: ${venv.reason}\n`);
    return 1;
  }
  using bench = await HeadsBench.start(venv.python);
  process.stdout.write(
    `Milliseconds per step of all heads, batch ${BATCH}: ${bench.peer}, one by one; Graft fused ` +
      `(${native.instructionSet()}).\n\n${'row'.padEnd(52)}    Keras    Graft    ratio   target          GFLOP/s   GB/s\n`,
  );
  let missed = 0;
  for (const row of HEADS_CASES.filter(({ title }) => title.includes(values.only))) {
    const measured = await bench.measure(row, Number(values.rounds));
    process.stdout.write(`${render(row, measured)}\n`);
    if (measured.keras / measured.graft < row.target) missed += 1;
  }
  return missed === 0 ? 0 : 1;
}

await runScript(main);
