/** The columns of an outer join: all of a row, or all null where there is none. A NOT NULL column tells which. */
export type OuterJoined<Row> = Row | { readonly [Column in keyof Row]: null };
