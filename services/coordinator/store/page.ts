/** One page of a list; `next` is the key of the last row, null on the last page. */
export interface Page<T, K> {
  readonly items: readonly T[];
  readonly next: K | null;
}
