import { formatDuration, formatIndexes } from '../terminal/format.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import type { ReportData, TaskHistory } from './report-data.ts';

/** Renders the plan and the attempts of its tasks. */
export function planSection({ plan, tasks, sweep }: ReportData): Html {
  const attempts = tasks.reduce((sum, task) => sum + task.attempts.length, 0);
  return html`<section aria-labelledby="plan">
    <h2 id="plan">The plan</h2>
    ${plan === null ? html`<p>This version can't rebuild the plan of this sweep.</p>` : plannedTasks(plan, sweep.runCount)}
    <h3>What was done</h3>
    <p>
      ${tasks.length} tasks in ${attempts}
      attempts${attempts > tasks.length ? `: ${again(attempts - tasks.length)} from the last checkpoint` : ''}.
    </p>
    <div class="scroll" tabindex="0" role="region" aria-label="Tasks and attempts">
      <table>
        <thead>
          <tr>
            <th scope="col">task</th>
            <th scope="col">stage</th>
            <th scope="col">state</th>
            <th scope="col" class="number">attempts</th>
            <th scope="col" class="number">time</th>
            <th scope="col">trainers</th>
            <th scope="col">last message</th>
          </tr>
        </thead>
        <tbody>
          ${tasks.map(taskRow)}
        </tbody>
      </table>
    </div>
  </section>`;
}

function plannedTasks(plan: NonNullable<ReportData['plan']>, runCount: number): Html {
  const { basePassCountAlone: alone, basePassCountShared: shared } = plan;
  const times = shared > 0 && alone > shared ? `, ${(alone / shared).toFixed(1)} times as many` : '';
  return html`<p>
      One by one, the ${runCount} runs would need ${alone} passes over the images through a frozen base${times}; with
      what they share it is
      ${shared}.${plan.duplicateCount === 0 ? '' : ` ${plan.duplicateCount} variants were duplicates and were omitted.`}
    </p>
    ${
      plan.notes.length === 0
        ? null
        : html`<ul>
            ${plan.notes.map((note) => html`<li>${note}</li>`)}
          </ul>`
    }
    <div class="scroll" tabindex="0" role="region" aria-label="Planned tasks">
      <table>
        <thead>
          <tr>
            <th scope="col" class="number">task</th>
            <th scope="col">stage</th>
            <th scope="col">after</th>
            <th scope="col">runs</th>
            <th scope="col">what</th>
          </tr>
        </thead>
        <tbody>
          ${plan.tasks.map(
            (task, index) =>
              html`<tr>
                <th scope="row" class="number">${index}</th>
                <td>${task.stage ?? ''}</td>
                <td>${task.dependencies.join(', ')}</td>
                <td>${formatIndexes(task.runIndexes)}</td>
                <td class="wide">${task.description}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function again(count: number): string {
  return count === 1 ? 'one was resumed' : `${count} were resumed`;
}

function taskRow(task: TaskHistory): Html {
  const last = task.attempts.at(-1);
  const milliseconds = task.attempts.reduce(
    (sum, { startTime, endTime }) =>
      startTime === null || endTime === null ? sum : sum + endTime.getTime() - startTime.getTime(),
    0,
  );
  const trainers = [...new Set(task.attempts.map(({ trainerId }) => trainerId).filter((id) => id !== ''))];
  return html`<tr>
    <th scope="row">${task.taskId}</th>
    <td>${task.stage ?? ''}</td>
    <td>${last?.state ?? ''}</td>
    <td class="number">${task.attempts.length}</td>
    <td class="number">${milliseconds === 0 ? '' : formatDuration(milliseconds)}</td>
    <td>${trainers.join(', ')}</td>
    <td>${last?.message ?? ''}</td>
  </tr>`;
}
