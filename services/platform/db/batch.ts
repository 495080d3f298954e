import type { QueryConfig, QueryResult, QueryResultRow } from 'pg';
import { errorCode } from './database-error.ts';
import { prepared } from './prepared.ts';

/** "current transaction is aborted": says that another statement of the transaction failed, not why. */
const ABORTED_STATE = '25P02';

/** Sends one statement; a connection of `pg` does. */
export interface StatementClient {
  query(statement: QueryConfig): Promise<QueryResult<QueryResultRow>>;
}

/** The answer to a statement of a batch. Reading it before the batch was sent throws. */
export interface Answer<R> {
  readonly rows: readonly R[];
  readonly rowCount: number;
}

/**
 * Statements of one transaction that need none of each other's answers. They are sent in the order in which they were added,
 * without waiting in between, and so cost one round trip. A batch that was sent is empty and can be filled again.
 */
export class Batch {
  readonly #client: StatementClient;
  #added: Added<QueryResultRow>[] = [];

  constructor(client: StatementClient) {
    this.#client = client;
  }

  /** Adds a statement that the connection parses once (`prepared.ts`). @param then is called with its rows by `send` */
  prepared<R extends QueryResultRow>(
    text: string,
    values: readonly unknown[],
    then?: (rows: readonly R[]) => void,
  ): Answer<R> {
    return this.#add(prepared(text, values), then);
  }

  /** Adds a statement that is parsed each time. */
  query<R extends QueryResultRow>(text: string, values: readonly unknown[]): Answer<R> {
    return this.#add({ text, values: [...values] });
  }

  #add<R extends QueryResultRow>(statement: QueryConfig, then?: (rows: readonly R[]) => void): Answer<R> {
    const added = new Added<R>(statement, then);
    this.#added.push(added as unknown as Added<QueryResultRow>);
    return added;
  }

  /**
   * Sends all statements before it returns, and resolves when each is answered. Unlike `Promise.all` it rejects only when none is under
   * way any more, so that nothing can follow a ROLLBACK.
   *
   * @throws the error of the statement that failed first.
   */
  async send(): Promise<void> {
    const sent = this.#added;
    this.#added = [];
    const outcomes = await Promise.allSettled(sent.map(({ statement }) => this.#client.query(statement)));
    const errors = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []));
    if (errors.length > 0) throw errors.find((error) => errorCode(error) !== ABORTED_STATE) ?? errors[0];
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.status === 'fulfilled') sent[index]?.resolve(outcome.value);
    }
  }
}

class Added<R extends QueryResultRow> implements Answer<R> {
  readonly statement: QueryConfig;
  readonly #then: ((rows: readonly R[]) => void) | undefined;
  #result: QueryResult<R> | null = null;

  constructor(statement: QueryConfig, then?: (rows: readonly R[]) => void) {
    this.statement = statement;
    this.#then = then;
  }

  get rows(): readonly R[] {
    return this.#answered().rows;
  }

  get rowCount(): number {
    return this.#answered().rowCount ?? 0;
  }

  resolve(result: QueryResult<R>): void {
    this.#result = result;
    this.#then?.(result.rows);
  }

  #answered(): QueryResult<R> {
    if (this.#result === null) throw new Error('A statement of a batch was read before the batch was sent.');
    return this.#result;
  }
}
