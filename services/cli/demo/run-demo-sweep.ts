import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { CliError, InterruptedError, MissingError } from '../terminal/cli-errors.ts';
import type { StoredEvent } from '../../core/records/event.ts';
import type { SweepRecord } from '../../core/records/sweep.ts';
import { countOf } from '../../core/text/count-of.ts';
import type { GraftClient } from '../client/client-port.ts';
import { describeLeaderboard } from '../describe/leaderboard-text.ts';
import { describeEnd } from '../describe/sweep-text.ts';
import { writeReport } from '../report/write-report.ts';
import type { CliContext } from '../context/cli-context.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { formatInterval, formatParameters } from '../terminal/format.ts';
import { GRAFT } from '../terminal/program-name.ts';
import { createDisplay } from '../progress/displays.ts';
import { followSweep } from '../progress/follow-sweep.ts';
import type { ProgressDisplay } from '../progress/follow-sweep.ts';
import type { SweepProgress } from '../progress/sweep-progress.ts';
import type { PartTimes } from './part-times.ts';
import { DemoMemory } from './demo-memory.ts';

/** The outcome of the demo's sweep. */
export interface DemoResult {
  readonly sweep: SweepRecord;
  readonly reportFile: string;
}

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
  const ended = await times.measure('sweep', () => follow(context, client, sweep.sweepId));
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

async function follow(context: CliContext, client: GraftClient, sweepId: string): Promise<SweepRecord> {
  const { stdout, env, signal } = context;
  const paused = new AbortController();
  const display = new PauseWatch(createDisplay(stdout, env, 'Ctrl-C stops in order; the next demo resumes.'), paused);
  try {
    return await followSweep(client, sweepId, display, AbortSignal.any([signal, paused.signal]));
  } catch (error) {
    if (signal.aborted) {
      throw new InterruptedError(`Interrupted. The next demo resumes sweep ${sweepId}.`);
    }
    if (!paused.signal.aborted) throw error;
    const { stateReason } = await client.getSweep(sweepId);
    throw new CliError(
      `Sweep ${sweepId} is paused: ${stateReason}\nThe next demo resumes it; \`${GRAFT} run list ${sweepId}\` shows the failed runs.`,
      EXIT.incomplete,
    );
  } finally {
    display.close();
  }
}

/** Ends the demo when its sweep is paused, since the demo can't resume it. */
class PauseWatch implements ProgressDisplay {
  readonly #display: ProgressDisplay;
  readonly #paused: AbortController;

  constructor(display: ProgressDisplay, paused: AbortController) {
    this.#display = display;
    this.#paused = paused;
  }

  show(progress: SweepProgress, stored: StoredEvent | null): void {
    this.#display.show(progress, stored);
    // Events of an earlier pause are repeated; only a recent one counts.
    if (stored === null || stored.event.kind !== 'SWEEP_STATE') return;
    if (stored.event.state === 'PAUSED' && isRecent(stored)) this.#paused.abort();
  }

  note(text: string): void {
    this.#display.note(text);
  }

  refresh(progress: SweepProgress): void {
    this.#display.refresh(progress);
  }

  close(): void {
    this.#display.close();
  }
}

const RECENT_MS = 5_000;

function isRecent({ eventTime }: StoredEvent): boolean {
  return Date.now() - eventTime.getTime() < RECENT_MS;
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
