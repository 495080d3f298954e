import pg from 'pg';
import { Nullability } from './nullability.ts';
import { isNode, parseTree } from './query-tree.ts';
import type { TreeNode, TreeValue } from './query-tree.ts';

/** A column of a statement's result, as reported by the database and `pg`. */
export interface DescribedColumn {
  readonly name: string;
  readonly isNullable: boolean;
  /** Kind as in `ClaimedColumn`; `json` for any JSON value. */
  readonly kind: string;
  /** Words that a CHECK constraint allows for the underlying column; null: any. */
  readonly words: readonly string[] | null;
}

/** A sample value of each type, for the parsers of `pg`. */
const SAMPLES: Readonly<Record<string, string>> = {
  bool: 't',
  int4: '1',
  int8: '1',
  float8: '1.5',
  bytea: '\\x03',
  text: 'a',
  name: 'a',
  varchar: 'a',
  timestamptz: '2026-01-15 12:34:56.789+00',
  _text: '{a}',
  _int4: '{1}',
  _int8: '{1}',
  _float8: '{1.5}',
  _bytea: '{}',
  void: '',
};
const JSON_TYPES = new Set(['json', 'jsonb']);

/** Statements that PostgreSQL does not prepare; they return no rows. */
const UTILITY = /^\s*(BEGIN|COMMIT|ROLLBACK|LISTEN|SET|CREATE)\b/;

type TypeId = Parameters<pg.Client['getTypeParser']>[0];

interface Description {
  readonly fields: readonly { readonly name: string; readonly dataTypeID: TypeId }[];
  readonly parameterTypes: readonly number[];
}

/** Prepares statements on a migrated database, without running them. */
export class StatementDescriber {
  readonly #client: pg.Client;
  readonly #typeNames: ReadonlyMap<number, string>;
  readonly #words: ReadonlyMap<string, readonly string[]>;
  readonly #nullability: Nullability;

  private constructor(client: pg.Client, catalogs: Catalogs) {
    this.#client = client;
    this.#typeNames = catalogs.typeNames;
    this.#words = catalogs.words;
    this.#nullability = new Nullability(catalogs);
  }

  static async open(client: pg.Client): Promise<StatementDescriber> {
    return new StatementDescriber(client, await readCatalogs(client));
  }

  /** Describes a statement. Throws the server's error when it refuses the statement. */
  async describe(text: string): Promise<readonly DescribedColumn[]> {
    if (UTILITY.test(text)) return [];
    const { fields, parameterTypes } = await this.#prepare(text);
    if (fields.length === 0) return [];
    const columns = this.#nullability.columnsOf(await this.#analyse(text, parameterTypes));
    return fields.map(({ name, dataTypeID }, index) => {
      const column = columns[index];
      if (column?.name !== name)
        throw new Error(`Column ${index + 1} is ${name}, its tree has ${String(column?.name)}.`);
      return {
        name,
        isNullable: !column.isNotNull,
        kind: this.#kindOf(dataTypeID),
        words: column.origin === null ? null : (this.#words.get(column.origin) ?? null),
      };
    });
  }

  /** Sends Parse and Describe of the extended protocol, which name the columns and the types of the parameters. */
  async #prepare(text: string): Promise<Description> {
    return new Promise((resolve, reject) => {
      this.#client.query(new Describe(text, resolve, reject));
    });
  }

  /** The body of an SQL function keeps its analysed query, whatever the statement does. */
  async #analyse(text: string, parameterTypes: readonly number[]): Promise<TreeNode> {
    const parameters = parameterTypes.map((type) => this.#typeNames.get(type) ?? '').map(pg.escapeIdentifier);
    await this.#client.query('BEGIN');
    try {
      await this.#client.query(
        `CREATE FUNCTION pg_temp.analysed(${parameters.join(', ')}) RETURNS void LANGUAGE sql BEGIN ATOMIC ${text}; END`,
      );
      const { rows } = await this.#client.query<{ body: string }>(
        `SELECT prosqlbody::text AS body FROM pg_proc WHERE proname = 'analysed' AND pronamespace = pg_my_temp_schema()`,
      );
      return firstNode(parseTree(rows[0]?.body ?? ''));
    } finally {
      await this.#client.query('ROLLBACK');
    }
  }

  #kindOf(typeId: TypeId): string {
    const name = this.#typeNames.get(typeId) ?? String(typeId);
    if (JSON_TYPES.has(name)) return 'json';
    const sample = SAMPLES[name];
    if (sample === undefined) throw new Error(`No sample of the type ${name}: add one.`);
    const parse = this.#client.getTypeParser(typeId, 'text') as (text: string) => unknown;
    return kindOf(parse(sample));
  }
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return `${kindOf(value[0])}[]`;
  if (value instanceof Buffer) return 'Buffer';
  return value instanceof Date ? 'Date' : typeof value;
}

/** Implements the interface of `pg` for objects that handle the protocol themselves (`Submittable`). */
class Describe implements pg.Submittable {
  readonly #text: string;
  readonly #resolve: (description: Description) => void;
  readonly #reject: (error: Error) => void;
  #fields: Description['fields'] = [];
  #parameterTypes: readonly number[] = [];

  constructor(text: string, resolve: (description: Description) => void, reject: (error: Error) => void) {
    this.#text = text;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: pg.Connection): void {
    connection.once('parameterDescription', ({ dataTypeIDs }: { readonly dataTypeIDs: readonly number[] }) => {
      this.#parameterTypes = dataTypeIDs;
    });
    connection.parse({ name: '', text: this.#text, types: [] }, true);
    connection.describe({ type: 'S', name: '' }, true);
    connection.sync();
  }

  handleRowDescription({ fields }: Pick<Description, 'fields'>): void {
    this.#fields = fields;
  }

  /** Called last after a refusal. */
  handleError(error: Error): void {
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#resolve({ fields: this.#fields, parameterTypes: this.#parameterTypes });
  }
}

interface Catalogs {
  readonly typeNames: ReadonlyMap<number, string>;
  readonly words: ReadonlyMap<string, readonly string[]>;
  readonly notNullColumns: ReadonlySet<string>;
  readonly views: ReadonlyMap<number, TreeNode>;
  readonly functionNames: ReadonlyMap<number, string>;
}

async function readCatalogs(client: pg.Client): Promise<Catalogs> {
  const types = await client.query<{ oid: number; name: string }>('SELECT oid, typname AS name FROM pg_type');
  const functions = await client.query<{ oid: number; name: string }>('SELECT oid, proname AS name FROM pg_proc');
  const columns = await client.query<{ key: string }>(
    `SELECT attrelid || '.' || attnum AS key FROM pg_attribute WHERE attnotnull AND attnum > 0`,
  );
  const views = await client.query<{ oid: number; action: string }>(
    `SELECT c.oid, r.ev_action::text AS action FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
      WHERE c.relkind = 'v' AND c.relnamespace = current_schema()::regnamespace`,
  );
  const checks = await client.query<{ key: string; definition: string }>(
    `SELECT conrelid || '.' || conkey[1] AS key, pg_get_constraintdef(oid) AS definition FROM pg_constraint
      WHERE contype = 'c' AND cardinality(conkey) = 1 AND pg_get_constraintdef(oid) LIKE '%ANY (ARRAY[''%'`,
  );
  return {
    typeNames: new Map(types.rows.map(({ oid, name }) => [oid, name])),
    functionNames: new Map(functions.rows.map(({ oid, name }) => [oid, name])),
    notNullColumns: new Set(columns.rows.map(({ key }) => key)),
    views: new Map(views.rows.map(({ oid, action }) => [oid, firstNode(parseTree(action))])),
    words: new Map(
      checks.rows.map(({ key, definition }) => [
        key,
        [...definition.matchAll(/'(\w+)'/g)].map(([, word]) => word ?? ''),
      ]),
    ),
  };
}

function firstNode(value: TreeValue): TreeNode {
  if (isNode(value)) return value;
  const first = Array.isArray(value) ? (value[0] as TreeValue) : null;
  if (first === null) throw new Error('An empty tree.');
  return firstNode(first);
}
