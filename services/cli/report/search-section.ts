import { isBetter } from '../../core/objective.ts';
import type { Objective } from '../../core/objective.ts';
import type { DecisionKind } from '../../core/records/decision.ts';
import type { RungEntryRecord, RungRecord, ScreenEntryRecord } from '../../core/records/explanation.ts';
import {
  byPlace,
  DECISION_WORDS,
  decisionOfEntry,
  placeOfEntry,
  placeOfRung,
  valueOfEntry,
} from '../describe/rung-text.ts';
import { screenColumns, screenTitle } from '../describe/screen-text.ts';
import { formatMetric } from '../terminal/format.ts';
import { renderTable } from './data-table.ts';
import type { Row } from './data-table.ts';
import { html } from './html.ts';
import type { Html } from './html.ts';
import { count, time } from './numbers.ts';
import type { ReportData } from './report-data.ts';

const OPEN_ENTRIES = 8;
const OPEN_DECISIONS = 12;

/** Renders the rungs at which runs were compared, and the decisions; null if every run trained to its end. */
export function searchSection({ search, sweep, runs }: ReportData): Html | null {
  if (search === null) return null;
  const { explanation, entries, decisions } = search;
  const { metric } = sweep.spec.objective;
  const hasEnded = sweep.searchEnd !== null;
  const indexes = new Map(runs.map(({ runId, runIndex }) => [runId, runIndex]));
  const reached = explanation.rungs.filter(({ entryCount }) => entryCount > 0);
  return html`<section aria-labelledby="search">
    <h2 id="search">The search</h2>
    <p>${explanation.rule}: ${explanation.policy}</p>
    ${explanation.notes.map((note) => html`<p>${note}</p>`)} ${screenPart(explanation.screen)}
    ${
      explanation.rungs.length === 0
        ? null
        : renderTable({
            label: 'Rungs',
            noun: 'rung',
            columns: [
              { title: 'rung', kind: 'number', names: true },
              { title: 'after', kind: 'short' },
              { title: 'runs', kind: 'number' },
              { title: `best ${metric}`, kind: 'number' },
              { title: 'trained on', kind: 'number' },
              { title: hasEnded ? 'not promoted' : 'paused', kind: 'number' },
              { title: 'stopped', kind: 'number' },
            ],
            rows: explanation.rungs.map((rung) => rungRow(rung, entriesOf(entries, rung), sweep.spec.objective)),
          })
    }
    ${reached.map((rung) => rungTable(rung, entriesOf(entries, rung), metric, hasEnded))}
    <h3>Decisions</h3>
    ${
      decisions.length === 0
        ? html`<p>Nothing was decided yet.</p>`
        : renderTable({
            label: 'Decisions',
            noun: 'decision',
            open: OPEN_DECISIONS,
            columns: [
              { title: '#', kind: 'number', names: true },
              { title: 'time', kind: 'short' },
              { title: 'decision', kind: 'short' },
              { title: 'run', kind: 'number' },
              { title: 'rung', kind: 'number' },
              { title: 'reason', kind: 'wide' },
            ],
            rows: decisions.map(({ decisionId, createTime, kind, runId, rung, reason }) => ({
              cells: [
                String(decisionId),
                time(createTime),
                kind === null ? '' : DECISION_WORDS[kind],
                runId === null ? '' : (indexes.get(runId) ?? runId),
                rung ?? '',
                reason,
              ],
            })),
          })
    }
  </section>`;
}

/** Renders the candidates of the screen; null where there is none. */
function screenPart(screen: readonly ScreenEntryRecord[]): Html | null {
  if (screen.length === 0) return null;
  const columns = screenColumns(screen);
  return html`<h3>${screenTitle(screen)}</h3>
    ${renderTable({
      label: 'Screen',
      noun: 'candidate',
      open: OPEN_DECISIONS,
      columns: [
        ...columns.map(({ title, isText }) => ({
          title: title === '' ? 'decision' : title,
          kind: isText ? ('short' as const) : ('number' as const),
        })),
        { title: 'why', kind: 'wide' as const, optional: true },
      ],
      rows: screen.map((entry) => ({ cells: [...columns.map(({ cell }) => cell(entry)), entry.reason] })),
    })}`;
}

function entriesOf(entries: readonly RungEntryRecord[], { rung }: RungRecord): readonly RungEntryRecord[] {
  return byPlace(entries.filter((entry) => entry.rung === rung));
}

function rungRow(rung: RungRecord, entries: readonly RungEntryRecord[], objective: Objective): Row {
  const having = (...kinds: readonly DecisionKind[]): number =>
    entries.filter(({ decision, competes }) => competes && decision !== null && kinds.includes(decision)).length;
  const best = entries.reduce<number | null>(
    (found, { value }) => (isBetter(objective, value, found) ? value : found),
    null,
  );
  return {
    cells: [
      rung.rung,
      placeOfRung(rung),
      rung.entryCount,
      best === null ? '–' : formatMetric(best),
      having('CONTINUE', 'PROMOTE'),
      having('PAUSE'),
      having('STOP', 'STOP_RUN'),
    ],
  };
}

function rungTable(rung: RungRecord, entries: readonly RungEntryRecord[], metric: string, hasEnded: boolean): Html {
  const rivals = entries.filter(({ competes }) => competes);
  const trained = rivals.filter(({ decision }) => decision === 'CONTINUE' || decision === 'PROMOTE').length;
  return html`<h3>
      Rung ${rung.rung}: ${placeOfRung(rung)}
      <small>${count(entries.length, 'run')}${rivals.length === 0 ? '' : `, ${trained} trained on`}</small>
    </h3>
    ${renderTable({
      label: `Runs at rung ${rung.rung}`,
      noun: 'run',
      open: OPEN_ENTRIES,
      columns: [
        { title: 'place', kind: 'number' },
        { title: 'run', kind: 'number', names: true },
        { title: metric, kind: 'number' },
        { title: 'epoch', kind: 'number' },
        { title: 'decision', kind: 'short' },
        { title: 'reason', kind: 'wide', optional: true },
      ],
      rows: entries.map((entry) => ({
        cells: [
          placeOfEntry(entry),
          entry.runIndex,
          valueOfEntry(entry),
          entry.epoch,
          decisionOfEntry(entry, hasEnded),
          reasonOf(entry, hasEnded),
        ],
      })),
    })}`;
}

/** Returns the reason of the latest decision. That of a pause names the table at the arrival, which more runs have changed since. */
function reasonOf({ decision, reason }: RungEntryRecord, hasEnded: boolean): string {
  return decision === 'PAUSE' && hasEnded ? '' : reason;
}
