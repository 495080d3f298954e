import { readFileSync } from 'node:fs';

export interface PrismaColumn {
  readonly table: string;
  readonly column: string;
  /** Type in the form of PostgreSQL's `format_type`. */
  readonly type: string;
  readonly nullable: boolean;
  readonly hasDefault: boolean;
}

export interface PrismaKey {
  readonly table: string;
  /** Name that Prisma gives. */
  readonly name: string;
  readonly kind: 'primary' | 'unique' | 'index' | 'foreign';
  readonly columns: readonly string[];
  /** Referenced columns of a foreign key. */
  readonly target: string;
}

/** The names of a column in Prisma Client. */
export interface PrismaField {
  readonly table: string;
  readonly column: string;
  readonly model: string;
  readonly field: string;
}

export interface PrismaSchema {
  readonly modelNames: readonly string[];
  readonly fields: readonly PrismaField[];
  readonly columns: readonly PrismaColumn[];
  readonly keys: readonly PrismaKey[];
}

const SCALARS: Readonly<Record<string, string>> = {
  String: 'text',
  Int: 'integer',
  BigInt: 'bigint',
  Bytes: 'bytea',
  Float: 'double precision',
  Boolean: 'boolean',
  Json: 'jsonb',
  DateTime: 'timestamp(3) without time zone',
};

interface Field {
  readonly name: string;
  readonly column: string;
  readonly type: string;
  readonly isList: boolean;
  readonly isOptional: boolean;
  readonly attributes: string;
}

interface Model {
  readonly name: string;
  readonly table: string;
  readonly fields: readonly Field[];
  readonly blockAttributes: readonly string[];
}

/** Parses the tables and keys of a schema.prisma, with the names that Prisma gives (prisma.io, "Naming conventions"). */
export function readPrismaSchema(file: string): PrismaSchema {
  const models = parseModels(readFileSync(file, 'utf8'));
  return {
    modelNames: models.map(({ name }) => name),
    fields: models.flatMap(({ name: model, table, fields }) =>
      fields.filter(isScalar).map(({ name: field, column }) => ({ table, column, model, field })),
    ),
    columns: models.flatMap((model) => model.fields.filter(isScalar).map((field) => columnOf(model, field))),
    keys: models.flatMap((model) => keysOf(model, models)),
  };
}

function parseModels(text: string): Model[] {
  return [...text.matchAll(/^model (\w+) \{\n(.*?)^\}/gms)].map(([, name = '', body = '']) => {
    const lines = body.split('\n').map((line) => line.trim());
    const blockAttributes = lines.filter((line) => line.startsWith('@@'));
    return {
      name,
      table: /@@map\("(\w+)"\)/.exec(blockAttributes.join('\n'))?.[1] ?? name,
      fields: lines.filter((line) => /^\w/.test(line)).map(parseField),
      blockAttributes,
    };
  });
}

function parseField(line: string): Field {
  const match = /^(\w+)\s+(\w+)(\[\])?(\?)?\s*(.*)$/.exec(line);
  if (!match) throw new Error(`schema.prisma: this line is not a field: ${line}`);
  const [, name = '', type = '', list, optional, attributes = ''] = match;
  return {
    name,
    column: /@map\("(\w+)"\)/.exec(attributes)?.[1] ?? name,
    type,
    isList: list !== undefined,
    isOptional: optional !== undefined,
    attributes,
  };
}

function isScalar(field: Field): boolean {
  return field.type in SCALARS;
}

function columnOf(model: Model, field: Field): PrismaColumn {
  const native = /@db\.Timestamptz\((\d)\)/.exec(field.attributes)?.[1];
  const type = native === undefined ? (SCALARS[field.type] ?? '') : `timestamp(${native}) with time zone`;
  return {
    table: model.table,
    column: field.column,
    type: field.isList ? `${type}[]` : type,
    nullable: field.isOptional,
    hasDefault: field.attributes.includes('@default('),
  };
}

function keysOf(model: Model, models: readonly Model[]): PrismaKey[] {
  const { table } = model;
  const make = (kind: PrismaKey['kind'], columns: string[], target = ''): PrismaKey => {
    const end = { primary: 'pkey', unique: 'key', index: 'idx', foreign: 'fkey' }[kind];
    const name = kind === 'primary' ? `${table}_${end}` : `${table}_${columns.join('_')}_${end}`;
    return { table, name, kind, columns, target };
  };
  const kinds = { '@@id': 'primary', '@@unique': 'unique', '@@index': 'index' } as const;
  const ofBlock = model.blockAttributes.flatMap((line) => {
    const match = /^(@@(?:id|unique|index))\(\[([^\]]*)\](?:, type: \w+)?\)/.exec(line);
    return match ? [make(kinds[match[1] as keyof typeof kinds], columnsOf(model, match[2] ?? ''))] : [];
  });
  const ofFields = model.fields.flatMap((field) => {
    if (/@id\b/.test(field.attributes)) return [make('primary', [field.column])];
    if (/@unique\b/.test(field.attributes)) return [make('unique', [field.column])];
    const relation = /@relation\(.*?fields: \[([^\]]*)\], references: \[([^\]]*)\]/.exec(field.attributes);
    const other = models.find(({ name }) => name === field.type);
    if (!relation || !other) return [];
    const target = `${other.table}(${columnsOf(other, relation[2] ?? '').join(', ')})`;
    return [make('foreign', columnsOf(model, relation[1] ?? ''), target)];
  });
  return [...ofFields, ...ofBlock];
}

function columnsOf(model: Model, names: string): string[] {
  return names.split(',').map((name) => {
    const field = model.fields.find((candidate) => candidate.name === name.trim());
    if (!field) throw new Error(`schema.prisma: ${model.name} has no field '${name.trim()}'`);
    return field.column;
  });
}
