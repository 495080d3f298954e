import { groupByKey } from '../../core/group-by-key.ts';
import type { RunRecord } from '../../core/records/run.ts';
import type { RunState } from '../../core/states/run-state.ts';
import { formatIndexes } from '../terminal/format.ts';
import { renderTable } from './data-table.ts';
import { html, parameterList } from './html.ts';
import type { Html } from './html.ts';
import { stateBadge } from './leaderboard-section.ts';
import { count } from './numbers.ts';
import type { ReportData } from './report-data.ts';

const UNSUCCESSFUL: readonly RunState[] = ['FAILED', 'INFEASIBLE', 'CANCELLED'];
const OPEN_GROUPS = 10;

export interface FailureGroup {
  readonly state: RunState;
  /** Reason of the first run; the others' differ in numbers and identities only. */
  readonly reason: string;
  readonly runs: readonly RunRecord[];
  /** Varied parameters of which all its runs, and no others, have the same value. */
  readonly shared: readonly string[];
}

/** Groups the runs that did not succeed by state, stage and reason, largest group first. */
export function failureGroups(runs: readonly RunRecord[]): readonly FailureGroup[] {
  const bad = runs.filter(({ state }) => UNSUCCESSFUL.includes(state));
  const groups = groupByKey(bad, ({ state, stage, stateReason }) =>
    JSON.stringify([state, stage, shapeOf(stateReason)]),
  );
  return [...groups.values()]
    .map((members) => ({
      state: members[0]?.state ?? 'FAILED',
      reason: members[0]?.stateReason ?? '',
      runs: members,
      shared: sharedNames(members, runs),
    }))
    .sort((a, b) => b.runs.length - a.runs.length);
}

/** Returns a reason without what differs between runs: numbers, and identities with digits. */
function shapeOf(reason: string): string {
  return reason.replaceAll(/[\w.+-]*\d[\w.+-]*/g, '#');
}

function sharedNames(members: readonly RunRecord[], all: readonly RunRecord[]): readonly string[] {
  const [first] = members;
  if (first === undefined || members.length < 2) return [];
  const inside = new Set(members.map(({ runId }) => runId));
  return first.variedNames.flatMap((name) => {
    const value = first.parameters[name];
    const having = all.filter(({ parameters }) => parameters[name] === value);
    const isOwn =
      value !== undefined && having.length === members.length && having.every(({ runId }) => inside.has(runId));
    return isOwn ? [name] : [];
  });
}

/** Renders the runs that did not succeed by reason; null if there are none. */
export function failuresSection({ runs }: ReportData): Html | null {
  const groups = failureGroups(runs);
  if (groups.length === 0) return null;
  const total = groups.reduce((sum, group) => sum + group.runs.length, 0);
  return html`<section aria-labelledby="failures">
    <h2 id="failures">Runs without success</h2>
    <p>
      ${count(total, 'run')}, ${count(groups.length, 'reason')}.
      ${groups.some(hasVariants) ? 'Reasons that differ only in numbers are counted as one, which the first run has.' : ''}
    </p>
    ${renderTable({
      label: 'Runs without success, by reason',
      noun: 'reason',
      open: OPEN_GROUPS,
      columns: [
        { title: 'runs', kind: 'number', names: true },
        { title: 'state', kind: 'short' },
        { title: 'stage', kind: 'short' },
        { title: 'reason', kind: 'wide' },
        { title: 'run numbers', kind: 'medium' },
        { title: 'only they have', kind: 'medium', optional: true },
      ],
      rows: groups.map(({ state, reason, runs: members, shared }) => ({
        cells: [
          members.length,
          stateBadge(state),
          members[0]?.stage ?? '–',
          reason === '' ? '–' : html`<span class="lines">${reason}</span>`,
          formatIndexes(members.map(({ runIndex }) => runIndex)),
          shared.length === 0 ? '' : parameterList(members[0]?.parameters ?? {}, shared),
        ],
      })),
    })}
  </section>`;
}

function hasVariants({ reason, runs }: FailureGroup): boolean {
  return runs.some(({ stateReason }) => stateReason !== reason);
}
