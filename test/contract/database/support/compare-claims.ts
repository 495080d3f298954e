import type { DescribedColumn } from './describe-statements.ts';
import type { ClaimedColumn } from './row-claims.ts';

/** Describes how the claimed rows of a statement differ from the described ones; empty if they match. */
export function compareClaims(claimed: readonly ClaimedColumn[], given: readonly DescribedColumn[]): readonly string[] {
  const missing = claimed.filter(({ name }) => !given.some((column) => column.name === name));
  const surplus = given.filter(({ name }) => !claimed.some((column) => column.name === name));
  return [
    ...missing.map(({ name }) => `${name}: claimed, but the statement has no such column`),
    ...surplus.map(({ name }) => `${name}: selected, but not claimed`),
    ...claimed.flatMap((claim) => {
      const column = given.find(({ name }) => name === claim.name);
      return column === undefined ? [] : compareColumn(claim, column);
    }),
  ];
}

function compareColumn(claim: ClaimedColumn, column: DescribedColumn): readonly string[] {
  const { name, kind, words } = claim;
  const isKind = column.kind === 'json' ? isJson(kind) : kind === column.kind;
  // A longer list accepts any value, a shorter one relies on the WHERE clause; one that is neither belongs to something
  // else.
  const allowed = column.words ?? [];
  const isList = words === null || column.words === null || isPart(words, allowed) || isPart(allowed, words);
  return [
    ...(isKind ? [] : [`${name}: claimed as ${kind}, pg gives ${column.kind}`]),
    ...(column.isNullable && !claim.isNullable ? [`${name}: claimed as never null, may be null`] : []),
    ...(!column.isNullable && claim.isNullable ? [`${name}: claimed as nullable, is never null`] : []),
    ...(isList ? [] : [`${name}: claimed as one of ${words.join(', ')}, the table allows ${allowed.join(', ')}`]),
  ];
}

function isPart(words: readonly string[], of: readonly string[]): boolean {
  return words.every((word) => of.includes(word));
}

/** Returns whether JSON can hold the kind: it has no dates, bytes and 64-bit integers. */
function isJson(kind: string): boolean {
  return !/\b(Date|Buffer|bigint|undefined)\b/.test(kind);
}
