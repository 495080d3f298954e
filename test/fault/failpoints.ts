import { rmSync } from 'node:fs';
import { runScript, temporaryFolder } from '../support/run-script.ts';
import { ALL_SCENARIOS, describeMatrix, runMatrix, victimOf } from './failpoint-matrix.ts';

/** Runs `npm run failpoints [-- PART_OF_A_NAME]`: at each point, kills worker, supervisor and coordinator once, and damages files. */
async function main(filter: string): Promise<number> {
  const scenarios = ALL_SCENARIOS.filter((scenario) => `${scenario.point} ${victimOf(scenario)}`.includes(filter));
  const folder = temporaryFolder('graft-failpoints-');
  process.stdout.write(`${scenarios.length} scenarios; everything is in ${folder}\n`);
  const result = await runMatrix(scenarios, folder, (text) => process.stdout.write(`${text}\n`));
  process.stdout.write(`\n${describeMatrix(result)}\n`);
  const isGood =
    result.outcomes.every(({ recoveredMs }) => recoveredMs !== null) &&
    result.findings.every(({ violations }) => violations.length === 0);
  if (isGood) rmSync(folder, { recursive: true, force: true });
  return isGood ? 0 : 1;
}

await runScript(() => main(process.argv[2] ?? ''));
