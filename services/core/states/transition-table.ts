/** The states that may follow each state. A state that none follows is terminal. */
export type TransitionTable<S extends string> = Readonly<Record<S, readonly S[]>>;

export interface StateMachine<S extends string> {
  readonly states: readonly S[];
  readonly table: TransitionTable<S>;
  /** States that are never left. */
  readonly terminal: ReadonlySet<S>;
  /** States that are not terminal. */
  readonly live: ReadonlySet<S>;
}

/** Derives the sets of states from the table, so that they can't disagree with it. */
export function defineStateMachine<S extends string>(table: TransitionTable<S>): StateMachine<S> {
  const states = Object.keys(table) as S[];
  return {
    states,
    table,
    terminal: new Set(states.filter((state) => table[state].length === 0)),
    live: new Set(states.filter((state) => table[state].length > 0)),
  };
}

/** Returns the states from which `to` may be entered: the `$allowed` of `… WHERE state = ANY($allowed)`. */
export function statesBefore<S extends string>(machine: StateMachine<S>, to: S): readonly S[] {
  return machine.states.filter((state) => machine.table[state].includes(to));
}
