import { ScalarType } from '@bufbuild/protobuf';
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { registry } from '../../support/filled-messages.ts';

/** A field of a request, by its path in the proto's names; of lists the first element. */
export interface FieldPath {
  readonly path: string;
  readonly fields: readonly DescField[];
}

/** All fields of the requests of TrainerService, by method; a new one is found here before it has a rule. */
export function fieldsOf(method: string): FieldPath[] {
  const service = registry.getService('graft.v1.TrainerService');
  const found = service?.methods.find(({ name }) => name === method);
  if (found === undefined) throw new Error(`TrainerService has no ${method}.`);
  return under(found.input, []);
}

export function methodNames(): string[] {
  return registry.getService('graft.v1.TrainerService')?.methods.map(({ name }) => name) ?? [];
}

function under(message: DescMessage, above: readonly DescField[]): FieldPath[] {
  if (message.typeName.startsWith('google.')) return [];
  return message.fields.flatMap((field) => {
    const fields = [...above, field];
    const own = { path: fields.map(({ name }) => name).join('.'), fields };
    return field.message === undefined ? [own] : [own, ...under(field.message, fields)];
  });
}

/** Values that no honest trainer would send in such a field. */
export function lieFor(field: DescField): unknown {
  if (field.fieldKind === 'list') {
    if (field.listKind === 'message') return [];
    return field.listKind === 'scalar' && field.scalar === ScalarType.STRING ? ['\u001blie'] : [-7];
  }
  if (field.fieldKind === 'message') return undefined;
  if (field.fieldKind === 'enum') return 99;
  if (field.fieldKind !== 'scalar') throw new Error(`No lie for ${field.name}.`);
  switch (field.scalar) {
    case ScalarType.STRING:
      return '\u001blie\u202e';
    case ScalarType.BOOL:
      return true;
    case ScalarType.DOUBLE:
      return -1e9;
    case ScalarType.INT64:
      return 2n ** 60n;
    default:
      return 2_000_000_000;
  }
}

type Plain = Record<string, unknown>;

/** A copy of an honest request with another value at a path; null where the request has no such field set. */
export function withLie(request: object, { fields }: FieldPath, value: unknown): object | null {
  const [field, ...rest] = fields;
  if (field === undefined) return null;
  const copy: Plain = { ...(request as Plain) };
  const { oneof } = field;
  if (oneof !== undefined && !field.proto.proto3Optional) {
    const chosen = copy[oneof.localName] as { readonly $case: string; readonly value: object } | undefined;
    if (chosen?.$case !== field.localName) return null;
    if (rest.length === 0) return { ...copy, [oneof.localName]: undefined };
    const inner = withLie(chosen.value, { path: '', fields: rest }, value);
    return inner === null ? null : { ...copy, [oneof.localName]: { $case: chosen.$case, value: inner } };
  }
  if (rest.length === 0) return { ...copy, [field.localName]: value };
  const present = copy[field.localName];
  const target: unknown = Array.isArray(present) ? present[0] : present;
  if (typeof target !== 'object' || target === null) return null;
  const inner = withLie(target, { path: '', fields: rest }, value);
  if (inner === null) return null;
  return { ...copy, [field.localName]: Array.isArray(present) ? [inner, ...(present as unknown[]).slice(1)] : inner };
}
