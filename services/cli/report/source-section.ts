import { GRAFT } from '../terminal/program-name.ts';
import { writeSweepFile } from '../sweep-file/write-sweep-file.ts';
import { renderTable } from './data-table.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import { bestEntry, workersOf } from './report-data.ts';
import type { ReportData } from './report-data.ts';

/** Lines of a sweep file up to which it is open. */
const OPEN_LINES = 40;

/** Renders what is needed to use the result and to repeat the sweep: the export command, the sweep file, and the versions. */
export function sourceSection(data: ReportData): Html {
  const { sweep } = data;
  const file = writeSweepFile(sweep.spec);
  const name = `${sweep.sweepId}.yaml`;
  const link = html`<a download="${name}" href="data:application/yaml;base64,${Buffer.from(file).toString('base64')}"
    >${name}</a
  >`;
  const isLong = file.split('\n').length > OPEN_LINES;
  const text = html`<pre class="source" tabindex="0" aria-label="Sweep file">${file}</pre>`;
  return html`<section aria-labelledby="again">
    <h2 id="again">Use and repeat</h2>
    <h3>Export the model</h3>
    ${exportCommand(data)}
    <h3>Submit the sweep again</h3>
    <p>
      Save this file (${link}) and run <code>${GRAFT} sweep submit ${name}</code>. Its paths are those of the trainers.
    </p>
    ${
      isLong
        ? html`<details>
            <summary>The sweep file</summary>
            ${text}
          </details>`
        : text
    }
    <h3>Versions</h3>
    ${versions(data)}
  </section>`;
}

function exportCommand(data: ReportData): Html {
  const best = bestEntry(data);
  if (best === null || data.bestCheckpointId === null) {
    return html`<p>
      ${best === null ? 'There is no model to export: no run can be the best one.' : 'The best run has no stored checkpoint.'}
    </p>`;
  }
  const what = data.sweep.state === 'SUCCEEDED' ? 'the winner' : 'the best run';
  return html`<p>Write ${what}, run ${best.run.runIndex}, as a file for <code>keras.models.load_model</code>:</p>
    <pre class="command" tabindex="0" aria-label="Command">
${GRAFT} checkpoint export ${data.bestCheckpointId} --format keras -o model.keras</pre>`;
}

function versions({ versions: { graft, node }, trainers, tasks, dataset }: ReportData): Html {
  const unknown = [...workersOf(tasks)].filter((id) => !trainers.some(({ trainerId }) => trainerId === id));
  return html`<p>
      This report was made by Graft ${graft} on Node ${node}. Data digest:
      <code>${dataset?.digest ?? 'not indexed'}</code>.
      ${unknown.length === 0 ? '' : `No longer registered: ${unknown.join(', ')}.`}
    </p>
    ${
      trainers.length === 0
        ? null
        : renderTable({
            label: 'Trainers that worked on the sweep',
            caption: 'Trainers that worked on it, as they are registered now',
            noun: 'trainer',
            open: 10,
            columns: [
              { title: 'trainer', kind: 'short', names: true },
              { title: 'Graft', kind: 'short' },
              { title: 'TensorFlow', kind: 'short' },
              { title: 'devices', kind: 'wide' },
            ],
            rows: trainers.map(({ trainerId, version, engineVersion, slots }) => ({
              cells: [trainerId, version, engineVersion, slots.map(({ deviceName }) => deviceName).join(', ')],
            })),
          })
    }`;
}
