import type { RunState } from '../../core/states/run-state.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import { countOf } from '../../core/text/count-of.ts';
import { formatIndexes } from './format.ts';

/** Maximum number of runs that a line names. */
const NAMED_RUNS = 8;

/** A run that may have failed. */
export interface EndedRun {
  readonly runIndex: number;
  readonly state: RunState;
  /** Reason of the state; may have several lines. */
  readonly reason: string;
}

/**
 * Returns one line for each reason for which runs failed or were infeasible, the most frequent first: `2 FAILED: out of memory
 * (runs 3, 7)`. Of a reason with several lines, the first one counts.
 *
 * @param most maximum number of lines; the last one counts the reasons that are left out.
 */
export function failureLines(runs: Iterable<EndedRun>, most: number): readonly string[] {
  const groups = new Map<string, { readonly state: RunState; readonly reason: string; readonly indexes: number[] }>();
  for (const { runIndex, state, reason } of runs) {
    if (state !== 'FAILED' && state !== 'INFEASIBLE') continue;
    const shown = firstLine(reason);
    const group = groups.get(`${state} ${shown}`) ?? { state, reason: shown, indexes: [] };
    group.indexes.push(runIndex);
    groups.set(`${state} ${shown}`, group);
  }
  const sorted = [...groups.values()].sort((a, b) => b.indexes.length - a.indexes.length);
  const shown = sorted.length > most ? sorted.slice(0, Math.max(0, most - 1)) : sorted;
  const lines = shown.map(({ state, reason, indexes }) => {
    const because = reason === '' ? '' : `: ${reason}`;
    return `${indexes.length} ${state}${because} (${nameRuns(indexes)})`;
  });
  const left = sorted.slice(shown.length);
  const count = left.reduce((sum, { indexes }) => sum + indexes.length, 0);
  return left.length === 0 || most <= 0
    ? lines
    : [...lines, `… and ${countOf(count, 'run')} for ${countOf(left.length, 'other reason')}`];
}

function nameRuns(indexes: readonly number[]): string {
  const named = formatIndexes(indexes.slice(0, NAMED_RUNS));
  const more = indexes.length > NAMED_RUNS ? ` and ${indexes.length - NAMED_RUNS} more` : '';
  return `run${indexes.length === 1 ? '' : 's'} ${named}${more}`;
}

function firstLine(reason: string): string {
  const lines = reason.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  const first = escapeControls(lines[0]?.trim() ?? '');
  return lines.length > 1 ? `${first} …` : first;
}
