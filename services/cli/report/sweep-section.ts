import { countProblems, SPLITS } from '../../core/dataset.ts';
import { renderTable } from './data-table.ts';
import { breakable, html, parameterList, wrapping } from './html.ts';
import type { Html } from './html.ts';
import { count, time } from './numbers.ts';
import type { ReportData } from './report-data.ts';

const SHOWN_PROBLEMS = 20;
const OPEN_CLASSES = 12;

/** Renders the facts of the sweep and its data. */
export function sweepSection(data: ReportData): Html {
  const { sweep, dataset } = data;
  const { spec } = sweep;
  const varied = [...new Set(data.runs.flatMap(({ variedNames }) => variedNames))];
  const first = data.runs[0];
  const shared = first === undefined ? [] : Object.keys(first.parameters).filter((name) => !varied.includes(name));
  const facts: readonly (readonly [string, string | Html])[] = [
    ['Data', spec.dataset.path],
    ['Data set', dataset?.datasetId ?? 'not indexed'],
    ['Objective', `${spec.objective.metric}, ${spec.objective.goal}`],
    ['Strategy', `${spec.strategy}${spec.maxRuns === null ? '' : `, at most ${count(spec.maxRuns, 'run')}`}`],
    ['Varied', varied.length === 0 ? 'nothing' : breakable(varied.join(', '))],
    ['Seed', String(spec.seed)],
    ['Submitted', time(sweep.createTime)],
    ['Ended', time(sweep.endTime)],
  ];
  return html`<section aria-labelledby="sweep">
    <h2 id="sweep">The sweep</h2>
    <div class="columns">
      <dl class="facts">
        ${facts.map(
          ([name, value]) =>
            html`<dt>${name}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>
      ${imageCounts(data)}
    </div>
    ${problemsOf(data)}
    <details>
      <summary>What all runs have</summary>
      <p>${first === undefined ? '' : parameterList(first.parameters, shared)}</p>
    </details>
  </section>`;
}

function imageCounts({ dataset }: ReportData): Html | null {
  if (dataset === null) return null;
  const imagesOf = (split: string, className: string): number =>
    dataset.classCounts.find((row) => row.split === split && row.className === className)?.imageCount ?? 0;
  return renderTable({
    label: 'Images per class and split',
    caption: 'Images',
    noun: 'class',
    open: OPEN_CLASSES,
    columns: [{ title: 'class', names: true }, ...SPLITS.map((split) => ({ title: split, kind: 'number' }) as const)],
    rows: dataset.classNames.map((name) => ({
      cells: [wrapping(name), ...SPLITS.map((split) => imagesOf(split, name))],
    })),
  });
}

/** Renders the non-fatal problems that indexing found; duplicates across splits inflate the test accuracy. */
function problemsOf({ dataset }: ReportData): Html | null {
  if (dataset === null || dataset.problems.length === 0) return null;
  const total = countProblems(dataset.problems);
  const shown = dataset.problems.slice(0, SHOWN_PROBLEMS);
  const rest = total - countProblems(shown);
  return html`<details open>
    <summary>${total === 1 ? 'One problem' : count(total, 'problem')} of the data that did not stop the sweep</summary>
    <ul>
      ${shown.map(({ code, message }) => html`<li>${code}: ${message}</li>`)}
      ${rest > 0 ? html`<li>… and ${rest} more: table <code>sweeps</code>, <code>dataset_problems</code></li>` : null}
    </ul>
  </details>`;
}
