import { readFileSync } from 'node:fs';
import { create, createFileRegistry, fromBinary, ScalarType } from '@bufbuild/protobuf';
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import type { ReflectMessage } from '@bufbuild/protobuf/reflect';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

/** Generated descriptor set of the protos. */
export const GENERATED = new URL('../../proto/gen/', import.meta.url);

/** All messages and services, read by an implementation that Graft does not use. */
export const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(new URL('descriptor.binpb', GENERATED))),
);

/** Returns a value that no other field has, so that swapped fields are detected. */
function scalarOf(type: ScalarType, number: number): unknown {
  switch (type) {
    case ScalarType.STRING:
      return `text ${number}`;
    case ScalarType.BOOL:
      return true;
    case ScalarType.BYTES:
      return Uint8Array.of(number, 0, 255);
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return number + 0.5;
    case ScalarType.INT64:
    case ScalarType.UINT64:
    case ScalarType.SINT64:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 2n ** 40n + BigInt(number);
    default:
      return 1_000 + number;
  }
}

/** Depth below which messages stay empty: values nest in values. */
const MAX_DEPTH = 3;

/** Returns an instance with every field set; of each oneof, the field at `choice`. */
function filled(type: DescMessage, choice: number, depth = 0): ReflectMessage {
  // Times have milliseconds in JavaScript.
  if (type.typeName.startsWith('google.protobuf.'))
    return reflect(type, create(type, { seconds: 1_700_000_000n, nanos: 250_000_000 }));
  const message = reflect(type, create(type));
  if (depth > MAX_DEPTH) return message;
  for (const field of type.fields) {
    const { oneof } = field;
    if (oneof !== undefined && oneof.fields[choice % oneof.fields.length] !== field) continue;
    fill(message, field, choice, depth);
  }
  return message;
}

function fill(message: ReflectMessage, field: DescField, choice: number, depth: number): void {
  switch (field.fieldKind) {
    case 'scalar': {
      message.set(field, scalarOf(field.scalar, field.number));
      return;
    }
    case 'enum': {
      message.set(field, (field.enum.values[1] ?? field.enum.values[0])?.number);
      return;
    }
    case 'message': {
      message.set(field, filled(field.message, choice, depth + 1));
      return;
    }
    case 'list': {
      const list = message.get(field);
      if (field.listKind === 'message') list.add(filled(field.message, choice, depth + 1));
      else if (field.listKind === 'enum') list.add(1);
      else for (const add of [0, 1]) list.add(scalarOf(field.scalar, field.number + add));
      return;
    }
    case 'map': {
      const map = message.get(field);
      if (field.mapKind === 'scalar') map.set('key', scalarOf(field.scalar, field.number));
      else throw new Error(`${message.desc.typeName}.${field.name}: maps of messages are not supported.`);
    }
  }
}

/** Returns one choice for each field of the message's largest oneof. */
export function instancesOf(type: DescMessage): ReflectMessage[] {
  const count = Math.max(1, ...type.oneofs.map(({ fields }) => fields.length));
  return Array.from({ length: count }, (_, choice) => filled(type, choice));
}
