import { renderTable } from '../../../services/cli/terminal/table.ts';

/** One line of the table. */
export interface Row {
  readonly work: string;
  readonly peer: string;
  readonly peerFigure: string;
  readonly graftFigure: string;
  /** Factor by which Graft is better; null without a peer. */
  readonly ratio: number | null;
  readonly target: string;
  readonly isMet: boolean;
  /** Accuracies of both sides, or empty. */
  readonly accuracies: string;
  /** Notes on the measurement: sizes and extrapolations. */
  readonly notes: readonly string[];
}

export interface RatioRow {
  readonly work: string;
  readonly peer: string;
  readonly peerSeconds: number;
  readonly graftSeconds: number;
  readonly target: number;
  readonly accuracies?: string;
  readonly notes: readonly string[];
}

/** Compares seconds with seconds. */
export function ratioRow({ work, peer, peerSeconds, graftSeconds, target, accuracies, notes }: RatioRow): Row {
  const ratio = peerSeconds / graftSeconds;
  return {
    work,
    peer,
    peerFigure: seconds(peerSeconds),
    graftFigure: seconds(graftSeconds),
    ratio,
    target: `≥ ${target}×`,
    isMet: ratio >= target,
    accuracies: accuracies ?? '',
    notes,
  };
}

export function seconds(value: number): string {
  return `${value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(1) : value.toFixed(2)} s`;
}

export function percent(value: number): string {
  return `${(100 * value).toFixed(1)} %`;
}

/** Renders the table, followed by the notes of each row. */
export function renderRows(rows: readonly Row[]): string {
  const table = renderTable(
    [
      { title: 'work' },
      { title: 'peer' },
      { title: 'peer', align: 'right' },
      { title: 'Graft', align: 'right' },
      { title: 'ratio', align: 'right' },
      { title: 'target', align: 'right' },
      { title: '' },
      { title: 'accuracy, peer / Graft' },
    ],
    rows.map((row) => [
      row.work,
      row.peer,
      row.peerFigure,
      row.graftFigure,
      row.ratio === null ? '' : `${row.ratio.toFixed(row.ratio < 10 ? 2 : 0)}×`,
      row.target,
      row.isMet ? 'met' : 'MISSED',
      row.accuracies,
    ]),
  );
  const notes = rows.filter((row) => row.notes.length > 0).map((row) => `${row.work}\n  ${row.notes.join('\n  ')}`);
  return [table, ...notes].join('\n\n');
}
