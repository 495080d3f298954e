import { ScalarType } from '@bufbuild/protobuf';
import type { DescField, DescMessage, FileRegistry } from '@bufbuild/protobuf';

/** Limits of one field; an omitted limit has the default of the field's kind. */
export interface FieldLimit {
  /** Longest string, in bytes of UTF-8, or longest `bytes`. */
  readonly bytes?: number;
  /** Maximum entries of a repeated field. */
  readonly items?: number;
  /** Smallest integer; null: any. */
  readonly min?: number | null;
}

/** Limits of all requests: one declarative table. */
export interface RequestLimitTable {
  /** Limits of fields without an entry. Integers must be 0 or above. */
  readonly defaults: { readonly bytes: number; readonly items: number; readonly requestBytes: number };
  /** Maximum request size in bytes, by message name. */
  readonly requestBytes: Readonly<Record<string, number>>;
  /** Limits by `Message.field`, without the package. */
  readonly fields: Readonly<Record<string, FieldLimit>>;
  /** Maximum messages of a kind in a whole request, by message name. */
  readonly totals: Readonly<Record<string, number>>;
}

export type FieldKind = 'string' | 'bytes' | 'message' | 'int32' | 'int64' | 'other';

/** Rule of one field. */
export interface FieldRule {
  readonly name: string;
  readonly kind: FieldKind;
  readonly isList: boolean;
  readonly maxBytes: number;
  readonly maxItems: number;
  readonly min: number | null;
  /** Bytes of one entry in a packed list; null: varints. */
  readonly packedBytes: number | null;
  readonly message: MessageRule | null;
}

/** Rule of one message type. */
export interface MessageRule {
  /** Message name without the package. */
  readonly name: string;
  readonly fields: ReadonlyMap<number, FieldRule>;
  readonly total: number;
}

const INT32: ReadonlySet<ScalarType> = new Set([ScalarType.INT32, ScalarType.SFIXED32, ScalarType.UINT32]);
const INT64: ReadonlySet<ScalarType> = new Set([ScalarType.INT64, ScalarType.SFIXED64, ScalarType.UINT64]);
const FOUR_BYTES: ReadonlySet<ScalarType> = new Set([ScalarType.FIXED32, ScalarType.SFIXED32, ScalarType.FLOAT]);
const EIGHT_BYTES: ReadonlySet<ScalarType> = new Set([ScalarType.FIXED64, ScalarType.SFIXED64, ScalarType.DOUBLE]);

/**
 * Rules of requests, built from the table and the compiler's descriptors.
 *
 * @param packageName package of the table's messages; others (`google.protobuf`) get the default lengths only
 * @throws Error for an entry of the table that names no message or field
 */
export class MessageRules {
  readonly #registry: FileRegistry;
  readonly #packageName: string;
  readonly #table: RequestLimitTable;
  readonly #rules = new Map<string, MessageRule>();

  constructor(registry: FileRegistry, packageName: string, table: RequestLimitTable) {
    this.#registry = registry;
    this.#packageName = packageName;
    this.#table = table;
    for (const entry of Object.keys(table.fields)) this.#requireField(entry);
    for (const name of [...Object.keys(table.totals), ...Object.keys(table.requestBytes)]) this.#requireMessage(name);
  }

  /** @param typeName full name of a message */
  of(typeName: string): MessageRule {
    const message = this.#registry.getMessage(typeName);
    if (message === undefined) throw new Error(`There is no message ${typeName}.`);
    return this.#ruleOf(message);
  }

  /** Returns the maximum request size in bytes. */
  requestBytes(typeName: string): number {
    return this.#table.requestBytes[this.#shortName(typeName)] ?? this.#table.defaults.requestBytes;
  }

  #ruleOf(message: DescMessage): MessageRule {
    const known = this.#rules.get(message.typeName);
    if (known !== undefined) return known;
    const fields = new Map<number, FieldRule>();
    const name = this.#shortName(message.typeName);
    const rule = { name, fields, total: this.#table.totals[name] ?? Infinity };
    // Registered before its fields are read: messages may be recursive.
    this.#rules.set(message.typeName, rule);
    for (const field of message.fields) fields.set(field.number, this.#fieldRuleOf(message, field));
    return rule;
  }

  #fieldRuleOf(parent: DescMessage, field: DescField): FieldRule {
    const isOwn = parent.typeName.startsWith(`${this.#packageName}.`);
    const limit = this.#table.fields[`${this.#shortName(parent.typeName)}.${field.name}`] ?? {};
    const scalar = field.fieldKind === 'scalar' || field.fieldKind === 'list' ? field.scalar : undefined;
    const message = field.fieldKind === 'message' || field.fieldKind === 'list' ? field.message : undefined;
    return {
      name: field.name,
      kind: kindOf(scalar, message),
      isList: field.fieldKind === 'list' || field.fieldKind === 'map',
      maxBytes: limit.bytes ?? this.#table.defaults.bytes,
      maxItems: limit.items ?? this.#table.defaults.items,
      min: limit.min === undefined ? (isOwn ? 0 : null) : limit.min,
      packedBytes: scalar === undefined ? null : EIGHT_BYTES.has(scalar) ? 8 : FOUR_BYTES.has(scalar) ? 4 : null,
      message: message === undefined ? null : this.#ruleOf(message),
    };
  }

  #shortName(typeName: string): string {
    const prefix = `${this.#packageName}.`;
    return typeName.startsWith(prefix) ? typeName.slice(prefix.length) : typeName;
  }

  #requireMessage(name: string): DescMessage {
    const message = this.#registry.getMessage(`${this.#packageName}.${name}`);
    if (message === undefined) throw new Error(`The table of limits names ${name}, which does not exist.`);
    return message;
  }

  #requireField(entry: string): void {
    const [name = '', field = ''] = entry.split('.');
    if (this.#requireMessage(name).fields.some((one) => one.name === field)) return;
    throw new Error(`The table of limits names ${entry}, which does not exist.`);
  }
}

function kindOf(scalar: ScalarType | undefined, message: DescMessage | undefined): FieldKind {
  if (message !== undefined) return 'message';
  if (scalar === ScalarType.STRING) return 'string';
  if (scalar === ScalarType.BYTES) return 'bytes';
  if (scalar !== undefined && INT32.has(scalar)) return 'int32';
  return scalar !== undefined && INT64.has(scalar) ? 'int64' : 'other';
}
