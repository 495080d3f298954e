import type { WinnerRecord } from '../../core/records/winner.ts';
import { escapeControls } from '../../core/text/control-characters.ts';
import { wrap } from '../terminal/fitted-table.ts';

/** Returns what is worth knowing of the choice of a winner, a sentence each; nothing if there is no winner yet. */
export function winnerLines(winner: WinnerRecord | null, width: number | null): readonly string[] {
  return (winner?.statements ?? []).flatMap((statement) => wrap(escapeControls(statement), width));
}
