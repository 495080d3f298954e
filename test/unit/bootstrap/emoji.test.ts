import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelOf, splitEmoji } from '../../../deploy/bootstrap/emoji/split.js';
import { extractFromArchive, findPython } from '../../../deploy/bootstrap/pip.js';

describe('labelOf', () => {
  it('accepts animals, food and drink', () => {
    expect(['animal-bird', 'food-fruit', 'drink', 'dishware', 'plant-flower'].map(labelOf)).toEqual([
      'animal',
      'food',
      'food',
      undefined,
      undefined,
    ]);
  });
});

describe('splitEmoji', () => {
  const names = Array.from({ length: 100 }, (_, index) => `1f${(0x400 + index).toString(16)}`);

  it('assigns 60, 20 and 20 %, whatever the order of its input', () => {
    const drawings = new Map(names.map((name) => [name, [`${name} google`, `${name} twitter`]]));
    const splits = splitEmoji(drawings);
    const count = (split: string): number => [...splits.values()].filter((one) => one === split).length;
    expect([count('train'), count('validation'), count('test')]).toEqual([60, 20, 20]);
    const reversed = splitEmoji(new Map([...drawings].reverse()));
    expect(names.map((name) => reversed.get(name))).toEqual(names.map((name) => splits.get(name)));
  });

  it('keeps emoji that share a drawing together, also over a third one', () => {
    const drawings = new Map(names.map((name) => [name, [`${name} google`]]));
    const plain = splitEmoji(drawings);
    const [inTrain = '', inTest = '', inValidation = ''] = ['train', 'test', 'validation'].map((split) =>
      names.find((name) => plain.get(name) === split),
    );
    drawings.set(inTrain, ['shared 1']);
    drawings.set(inTest, ['shared 1', 'shared 2']);
    drawings.set(inValidation, ['shared 2']);
    const splits = splitEmoji(drawings);
    expect(splits.size).toBe(100);
    expect(new Set([inTrain, inTest, inValidation].map((name) => splits.get(name)))).toEqual(new Set(['train']));
  });
});

describe('extractFromArchive', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'graft-tar-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function tarEntry(name: string, content: Buffer, prefix = '', type = '0'): Buffer {
    const header = Buffer.alloc(512);
    header.write(name, 0);
    header.write('0000644\0', 100);
    header.write(content.length.toString(8).padStart(11, '0'), 124);
    header.write('        ', 148);
    header.write(type, 156);
    header.write('ustar\x0000', 257);
    header.write(prefix, 345);
    const checksum = header.reduce((sum, byte) => sum + byte, 0);
    header.write(`${checksum.toString(8).padStart(6, '0')}\0 `, 148);
    return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
  }

  it('extracts the files wanted, whatever lies between them, and nothing outside the folder', async () => {
    const path = join(folder, 'a.tgz');
    const entries = [
      tarEntry('package/', Buffer.alloc(0), '', '5'),
      tarEntry('package/one.txt', Buffer.from('one')),
      tarEntry('package/big.bin', Buffer.alloc(300_000, 7)),
      tarEntry('img/64/two.png', Buffer.from('two'.repeat(400)), 'package'),
      tarEntry('package/img/../../../outside.png', Buffer.from('no')),
      Buffer.alloc(1024),
    ];
    writeFileSync(path, gzipSync(Buffer.concat(entries)));
    const target = join(folder, 'a', 'b');
    await extractFromArchive(await findPython(), path, target, ['package/one.txt', 'package/img/']);
    const files = readdirSync(join(folder, 'a'), { recursive: true, withFileTypes: true }).filter((one) =>
      one.isFile(),
    );
    expect(files.map(({ name }) => name).sort()).toEqual(['one.txt', 'two.png']);
    expect(readFileSync(join(target, 'package/img/64/two.png'), 'utf8')).toBe('two'.repeat(400));
  });

  it('fails on a file that is cut off', async () => {
    const path = join(folder, 'cut.tgz');
    writeFileSync(path, gzipSync(tarEntry('package/one.txt', Buffer.alloc(2_000, 1)).subarray(0, 1_200)));
    await expect(extractFromArchive(await findPython(), path, join(folder, 'c'), ['package/'])).rejects.toThrow(
      /could not be unpacked/,
    );
  });
});
