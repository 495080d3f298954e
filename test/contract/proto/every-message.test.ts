import { readdirSync, readFileSync } from 'node:fs';
import { create, createFileRegistry, fromBinary, ScalarType, toBinary, toJson } from '@bufbuild/protobuf';
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { reflect } from '@bufbuild/protobuf/reflect';
import type { ReflectMessage } from '@bufbuild/protobuf/reflect';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';

const generated = new URL('../../../proto/gen/', import.meta.url);
const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(new URL('descriptor.binpb', generated))),
);
const messages = [...registry]
  .filter((type) => type.kind === 'message')
  .filter(({ typeName }) => typeName.startsWith('graft.v1.'))
  .toSorted((a, b) => a.typeName.localeCompare(b.typeName));

interface Codec {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  toJSON(message: unknown): unknown;
}

/** By the name that ts-proto gives: that of the message, those around it in front. */
const codecs = new Map<string, Codec>();
for (const file of readdirSync(new URL('graft/v1/', generated))) {
  const module = (await import(new URL(`graft/v1/${file}`, generated).href)) as Record<string, unknown>;
  for (const [name, value] of Object.entries(module)) {
    if (typeof value === 'object' && value !== null && 'decode' in value) codecs.set(name, value as Codec);
  }
}

function codecOf({ typeName }: DescMessage): Codec {
  const codec = codecs.get(typeName.slice('graft.v1.'.length).replaceAll('.', '_'));
  if (codec === undefined) throw new Error(`ts-proto has made nothing for ${typeName}.`);
  return codec;
}

/** A value that no other field has, so that two fields that changed places are seen. */
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

/** Below this messages stay empty: values nest in values. */
const MAX_DEPTH = 3;

/** An instance with every field set; of each oneof the field at `choice`. */
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
      else throw new Error(`${message.desc.typeName}.${field.name}: maps of messages are not known here.`);
    }
  }
}

/** One for each field of the message's largest oneof. */
function instancesOf(type: DescMessage): ReflectMessage[] {
  const count = Math.max(1, ...type.oneofs.map(({ fields }) => fields.length));
  return Array.from({ length: count }, (_, choice) => filled(type, choice));
}

describe('every message', () => {
  it('is on the wire what it was when it was published', async () => {
    const lines = messages.flatMap((type) =>
      instancesOf(type).map(
        ({ message }) => `${type.typeName} ${Buffer.from(toBinary(type, message)).toString('base64')}`,
      ),
    );
    // After a field was added: vitest -u. What was there before must not change in any other way.
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('wire-golden.txt');
  });

  it.each(messages.map((type) => [type.typeName, type] as const))(
    '%s: ts-proto reads and writes what another implementation writes',
    (_name, type) => {
      const codec = codecOf(type);
      for (const { message } of instancesOf(type)) {
        const bytes = toBinary(type, message);
        const decoded = codec.decode(bytes);
        // ts-proto's JSON has an object where the standard has '1.5s'; no JSON of ours leaves the process.
        if (!type.fields.some((field) => field.message?.typeName === 'google.protobuf.Duration')) {
          expect(codec.toJSON(decoded)).toEqual(toJson(type, message, { registry }));
        }
        // Fields may be written in another order; what is read of them is the same.
        const written = fromBinary(type, codec.encode(decoded).finish());
        expect(toJson(type, written, { registry })).toEqual(toJson(type, message, { registry }));
        expect(written.$unknown).toBeUndefined();
      }
    },
  );
});
