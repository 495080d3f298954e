import type { CliContext, GlobalOptions } from '../context/cli-context.ts';
import { chooseRows, renderList, tableWidth } from '../terminal/list.ts';
import type { ListColumn, ListFlags } from '../terminal/list.ts';
import { writeResult } from '../terminal/output.ts';

/**
 * Writes a list: as JSON with all fields of the chosen rows, or as a table with the chosen columns.
 *
 * @param none text of an empty list.
 */
export function writeList<T>(
  context: CliContext,
  options: GlobalOptions,
  list: {
    readonly rows: readonly T[];
    readonly columns: readonly ListColumn<T>[];
    readonly flags: ListFlags;
    readonly none: string;
  },
): void {
  const { rows, columns, flags, none } = list;
  const shown = chooseRows(columns, rows, flags);
  writeResult(context, options, shown, () =>
    rows.length === 0
      ? none
      : renderList(columns, shown, { flags, total: rows.length, width: tableWidth(context.stdout) }),
  );
}
