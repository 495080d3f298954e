import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { buildSweepSchema } from '../../../services/cli/sweep-file/build-schema.ts';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { writeSweepFile } from '../../../services/cli/sweep-file/write-sweep-file.ts';
import { sweepSpecFromProto, sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';

const folders = { folder: '/sweeps', home: '/home/me' };
const read = (screen: string) =>
  parseSweepFile(`dataset: { path: /data/pets }\nparameters: { backbone: [vgg16, mobilenet_v2] }\n${screen}`, folders);
const isValid = new Ajv2020({ strict: false }).compile(buildSweepSchema());

describe('the screen of a sweep file', () => {
  it.each([
    ['screen: { keep: 3, images: 450 }', { keep: 3, images: 450 }],
    ['screen: { keep: 2 }', { keep: 2, images: 0 }],
    ['screen:', { keep: 4, images: 0 }],
    ['screen: off', 'off'],
    ['screen: false', 'off'],
    ['', undefined],
  ])('%j is %j', (text, expected) => {
    const { spec, violations } = read(text);
    expect(violations).toEqual([]);
    expect(spec.screen).toEqual(expected);
  });

  it('reports all mistakes at once, with the field and how to fix it', () => {
    expect(
      read('screen: { keep: 0, images: 20, kep: 1 }')
        .violations.map(({ field }) => field)
        .sort(),
    ).toEqual(['screen.images', 'screen.keep', 'screen.kep']);
    expect(read('screen: on').violations).toEqual([
      expect.objectContaining({
        field: 'screen',
        description: expect.stringMatching(
          /^must be off or a mapping, for example \{ keep: 4 \}; received 'on'/,
        ) as string,
      }),
    ]);
  });

  it.each(['screen: { keep: 3, images: 450 }', 'screen: { keep: 2 }', 'screen: off', ''])(
    '%j survives the wire and is written as it was read',
    (text) => {
      const { spec } = read(text);
      expect(sweepSpecFromProto(sweepSpecToProto(spec))).toEqual({ spec, violations: [] });
      expect(parseSweepFile(writeSweepFile(spec), folders).spec).toEqual(spec);
      expect(isValid(parse(writeSweepFile(spec)))).toBe(true);
    },
  );

  it('has a schema that refuses what the reader refuses', () => {
    const file = (screen: unknown) => ({ dataset: { path: '/data' }, screen });
    expect([{ keep: 0 }, { images: 20 }, { kep: 1 }, 'on'].map((screen) => isValid(file(screen)))).toEqual(
      Array(4).fill(false),
    );
    expect(isValid(file({ keep: 3, images: 0 }))).toBe(true);
  });
});
