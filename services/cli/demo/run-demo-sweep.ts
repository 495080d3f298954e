import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { CliError, MissingError } from '../terminal/cli-errors.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { countOf } from '../../core/text/count-of.ts';
import type { GraftClient } from '../client/client-port.ts';
import { describeLeaderboard } from '../describe/leaderboard-text.ts';
import { describeEnd } from '../describe/sweep-text.ts';
import { writeReport } from '../report/write-report.ts';
import type { CliContext } from '../context/cli-context.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { formatInterval, formatParameters } from '../terminal/format.ts';
import { followOwn } from '../progress/follow-own.ts';
import type { FollowWords } from '../progress/follow-own.ts';
import type { PartTimes } from './part-times.ts';
import { DemoMemory } from './demo-memory.ts';

/** The outcome of the demo's sweep. */
export interface DemoResult {
  readonly sweep: SweepRecord;
  readonly reportFile: string;
}

const WORDS: FollowWords = {
  hint: 'Ctrl-C stops in order; the next demo resumes.',
  interrupted: (sweepId) => `Interrupted. The next demo resumes sweep ${sweepId}.`,
  paused: 'The next demo resumes it',
};

/** Submits the demo's sweep, or resumes an unfinished one; shows its progress, prints the results and writes the report. */
export async function runDemoSweep(
  context: CliContext,
  client: GraftClient,
  spec: SweepSpec,
  times: PartTimes,
): Promise<DemoResult> {
  const { stdout, paths, signal } = context;
  const memory = new DemoMemory(join(paths.stateDir, 'demo.json'));
  const { requestId, isContinued } = memory.requestIdFor(spec);
  const { sweep } = await client.createSweep(requestId, spec);
  stdout.write(`\nSweep ${sweep.sweepId} with ${countOf(sweep.runCount, 'variant')} on ${spec.dataset.path}`);
  stdout.write(isContinued ? ', resumed from an interrupted demo.\n\n' : '.\n\n');
  if (sweep.state === 'PAUSED') await client.resumeSweep(sweep.sweepId);
  const ended = await times.measure('sweep', () => followOwn(context, client, sweep.sweepId, WORDS));
  memory.forget();
  if (ended.state !== 'SUCCEEDED') {
    const reason = ended.stateReason === '' ? '' : `: ${ended.stateReason}`;
    throw new CliError(`Sweep ${ended.sweepId} ended ${ended.state}${reason}`, EXIT.incomplete);
  }
  const reportFile = join(paths.stateDir, 'reports', `${ended.sweepId}.html`);
  await times.measure('report', () => writeReport(client, ended.sweepId, reportFile, signal));
  const leaderboard = await client.getLeaderboard(ended.sweepId);
  stdout.write(
    `\n${describeEnd(
      ended,
      leaderboard.entries.map(({ run }) => run),
    )}\n`,
  );
  stdout.write(`\n${describeLeaderboard(leaderboard, spec.objective)}\n`);
  const winner = leaderboard.entries[0];
  if (winner === undefined || winner.testResult === null)
    throw new CliError(`Sweep ${ended.sweepId} has no tested winner.`);
  const { accuracy, accuracyLow, accuracyHigh, imageCount, correctCount } = winner.testResult;
  const varied = formatParameters(winner.run.parameters, winner.run.variedNames);
  stdout.write(
    `\nWinner: run ${winner.run.runIndex} (${varied})\n` +
      `Test accuracy: ${formatInterval(accuracy, accuracyLow, accuracyHigh)}, 95 % interval; ` +
      `${correctCount} of ${countOf(imageCount, 'image')} ${correctCount === 1 ? 'is' : 'are'} right.\n`,
  );
  return { sweep: ended, reportFile };
}

/**
 * Returns the folder of the demo's own images.
 *
 * @throws MissingError if they are not drawn yet.
 */
export function demoDataFolder(cacheDir: string): string {
  const folder = join(cacheDir, 'data', 'emoji-animal-food');
  if (existsSync(folder)) return folder;
  throw new MissingError(
    `The demo's images are not in ${folder}. Create them with \`npm run demo\`, or name another folder with --data DIR.`,
  );
}
