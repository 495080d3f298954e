import { readdirSync } from 'node:fs';
import { fromBinary, toBinary, toJson } from '@bufbuild/protobuf';
import type { DescMessage } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { GENERATED, instancesOf, registry } from '../../support/filled-messages.ts';

const messages = [...registry]
  .filter((type) => type.kind === 'message')
  .filter(({ typeName }) => typeName.startsWith('graft.v1.'))
  .toSorted((a, b) => a.typeName.localeCompare(b.typeName));

interface Codec {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  toJSON(message: unknown): unknown;
}

/** Codecs by ts-proto's name: that of the message, prefixed by those of the enclosing messages. */
const codecs = new Map<string, Codec>();
for (const file of readdirSync(new URL('graft/v1/', GENERATED))) {
  const module = (await import(new URL(`graft/v1/${file}`, GENERATED).href)) as Record<string, unknown>;
  for (const [name, value] of Object.entries(module)) {
    if (typeof value === 'object' && value !== null && 'decode' in value) codecs.set(name, value as Codec);
  }
}

function codecOf({ typeName }: DescMessage): Codec {
  const codec = codecs.get(typeName.slice('graft.v1.'.length).replaceAll('.', '_'));
  if (codec === undefined) throw new Error(`ts-proto has made nothing for ${typeName}.`);
  return codec;
}

describe('every message', () => {
  it('has the wire format that was published', async () => {
    const lines = messages.flatMap((type) =>
      instancesOf(type).map(
        ({ message }) => `${type.typeName} ${Buffer.from(toBinary(type, message)).toString('base64')}`,
      ),
    );
    // Update with `vitest -u` after a field was added. Existing lines must not change in any other way.
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot('wire-golden.txt');
  });

  it.each(messages.map((type) => [type.typeName, type] as const))(
    '%s: ts-proto reads and writes what another implementation writes',
    (_name, type) => {
      const codec = codecOf(type);
      for (const { message } of instancesOf(type)) {
        const bytes = toBinary(type, message);
        const decoded = codec.decode(bytes);
        // ts-proto's JSON has an object where the standard has '1.5s'; our JSON never leaves the process.
        if (!type.fields.some((field) => field.message?.typeName === 'google.protobuf.Duration')) {
          expect(codec.toJSON(decoded)).toEqual(toJson(type, message, { registry }));
        }
        // Fields may be written in another order; they decode to the same message.
        const written = fromBinary(type, codec.encode(decoded).finish());
        expect(toJson(type, written, { registry })).toEqual(toJson(type, message, { registry }));
        expect(written.$unknown).toBeUndefined();
      }
    },
  );
});
