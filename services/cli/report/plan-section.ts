import { tookOf } from '../describe/took.ts';
import { formatIndexes } from '../terminal/format.ts';
import { renderTable } from './data-table.ts';
import type { Row } from './data-table.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import { stateBadge } from './leaderboard-section.ts';
import { count, duration } from './numbers.ts';
import { workersOf } from './report-data.ts';
import type { ReportData, TaskHistory } from './report-data.ts';

const OPEN_TASKS = 12;

/** Renders the plan and the attempts of its tasks. */
export function planSection({ plan, tasks, sweep }: ReportData): Html {
  const attempts = tasks.reduce((sum, task) => sum + task.attempts.length, 0);
  return html`<section aria-labelledby="plan">
    <h2 id="plan">The plan</h2>
    ${plan === null ? html`<p>This version can’t rebuild the plan of this sweep.</p>` : plannedTasks(plan, sweep.runCount)}
    <h3>What was done</h3>
    <p>
      ${count(tasks.length, 'task')} in
      ${count(attempts, 'attempt')}${attempts > tasks.length ? `: ${resumed(attempts - tasks.length)} from the last checkpoint` : ''}.
    </p>
    ${renderTable({
      label: 'Tasks and attempts',
      noun: 'task',
      open: OPEN_TASKS,
      columns: [
        { title: 'task', kind: 'short', names: true },
        { title: 'stage', kind: 'short' },
        { title: 'state', kind: 'short' },
        { title: 'attempts', kind: 'number' },
        { title: 'time', kind: 'number' },
        { title: 'trainers', kind: 'medium' },
        { title: 'last message', kind: 'wide', optional: true },
      ],
      rows: tasks.map(taskRow),
    })}
  </section>`;
}

function plannedTasks(plan: NonNullable<ReportData['plan']>, runCount: number): Html {
  const { basePassCountAlone: alone, basePassCountShared: shared } = plan;
  const times = shared > 0 && alone > shared ? `, ${(alone / shared).toFixed(1)} times as many` : '';
  return html`<p>
      One by one, ${runCount === 1 ? 'the run' : `the ${runCount} runs`} would need ${alone} passes over the images
      through a frozen base${times}; with what they share it is ${shared}.${omitted(plan.duplicateCount)}
    </p>
    ${
      plan.notes.length === 0
        ? null
        : html`<ul>
            ${plan.notes.map((note) => html`<li>${note}</li>`)}
          </ul>`
    }
    ${renderTable({
      label: 'Planned tasks',
      noun: 'task',
      open: OPEN_TASKS,
      columns: [
        { title: 'task', kind: 'number', names: true },
        { title: 'stage', kind: 'short' },
        { title: 'after', kind: 'medium' },
        { title: 'runs', kind: 'medium' },
        { title: 'what', kind: 'wide' },
      ],
      rows: plan.tasks.map((task, index) => ({
        cells: [
          index,
          task.stage ?? '',
          task.dependencies.join(', '),
          formatIndexes(task.runIndexes),
          task.description,
        ],
      })),
    })}`;
}

function omitted(count: number): string {
  if (count === 0) return '';
  return count === 1
    ? ' One variant was a duplicate and was omitted.'
    : ` ${count} variants were duplicates and were omitted.`;
}

function resumed(count: number): string {
  return count === 1 ? 'one was resumed' : `${count} were resumed`;
}

function taskRow(task: TaskHistory): Row {
  const last = task.attempts.at(-1);
  const milliseconds = task.attempts.reduce((sum, attempt) => sum + (tookOf(attempt) ?? 0), 0);
  return {
    cells: [
      task.taskId,
      task.stage ?? '',
      last === undefined ? '' : stateBadge(last.state),
      task.attempts.length,
      milliseconds === 0 ? '' : duration(milliseconds),
      [...workersOf([task])].join(', '),
      last === undefined || last.message === '' ? '' : html`<span class="lines">${last.message}</span>`,
    ],
  };
}
