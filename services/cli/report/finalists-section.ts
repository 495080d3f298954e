import type { RunRecord } from '../../core/records/run.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatMetric } from '../terminal/format.ts';
import { renderTable } from './data-table.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import type { ReportData } from './report-data.ts';

/** Renders the finalists with the values of their seeds, the best mean first; null if no run was repeated. */
export function finalistsSection({ leaderboard, repeats, sweep }: ReportData): Html | null {
  const { metric, goal } = sweep.spec.objective;
  const finalists = leaderboard.entries
    .map(({ run }) => ({ run, repeats: repeats.filter(({ repeatOfRunId }) => repeatOfRunId === run.runId) }))
    .filter((finalist) => finalist.repeats.length > 0)
    .sort((a, b) => (goal === 'maximize' ? -1 : 1) * (scoreOf(a.run) - scoreOf(b.run)));
  if (finalists.length === 0) return null;
  const winner = leaderboard.winner?.runId ?? null;
  return html`<section aria-labelledby="finalists">
    <h2 id="finalists">Finalists</h2>
    <p>
      ${countOf(finalists.length, 'run')} that the validation images could not distinguish from the best one
      ${finalists.length === 1 ? 'was' : 'were'} trained again with further seeds. The score is the mean of the
      trainings that succeeded.
    </p>
    ${renderTable({
      label: 'Finalists',
      noun: 'run',
      columns: [
        { title: 'run', kind: 'number', names: true },
        { title: `mean ${metric}`, kind: 'number' },
        { title: '±', kind: 'number' },
        { title: 'by seed', kind: 'wide' },
      ],
      rows: finalists.map(({ run, repeats: seeds }) => ({
        cells: [
          run.runIndex,
          formatMetric(run.score ?? run.bestValue),
          run.scoreStandardError === null ? '–' : formatMetric(run.scoreStandardError),
          [run, ...seeds].map(seedText).join(', '),
        ],
        ...(run.runId === winner ? { kind: 'winner' } : {}),
      })),
    })}
  </section>`;
}

function scoreOf({ score, bestValue }: RunRecord): number {
  return score ?? bestValue ?? Number.NaN;
}

/** Formats one training as `0.9580 (seed 2)`, or with its state where it did not succeed. */
function seedText({ state, bestValue, parameters }: RunRecord): string {
  const seed = `seed ${String(parameters['seed'])}`;
  return state === 'SUCCEEDED' ? `${formatMetric(bestValue)} (${seed})` : `${state} (${seed})`;
}
