import { describe, expect, test } from 'vitest';
import { hashKeyParts, murmur3 } from '../../../services/core/rng/key-hash.ts';
import { philoxBlocks } from '../../../services/core/rng/philox.ts';
import { createStream } from '../../../services/core/rng/stream.ts';

function hex(words: Uint32Array): string {
  return [...words].map((word) => word.toString(16).padStart(8, '0')).join(' ');
}

describe('philoxBlocks', () => {
  // Known answers of Random123 1.14, tests/kat_vectors, philox4x32 10.
  test.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('counter %j, key %j', (counter, key, expected) => {
    const out = new Uint32Array(4);
    const [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = counter;
    const [k0 = 0, k1 = 0] = key;
    philoxBlocks(out, c0, c1, c2, c3, k0, k1);
    expect(hex(out)).toBe(expected);
  });

  test('carries the first counter word into the second', () => {
    const two = new Uint32Array(8);
    philoxBlocks(two, 0xffffffff, 6, 1, 2, 3, 4);
    const next = new Uint32Array(4);
    philoxBlocks(next, 0, 7, 1, 2, 3, 4);
    expect(hex(two.subarray(4))).toBe(hex(next));
  });
});

describe('hashKeyParts', () => {
  test('computes the published value of murmur3', () => {
    const text = new TextEncoder().encode('The quick brown fox jumps over the lazy dog');
    expect(hex(murmur3(text))).toBe('2f1583c3 ecee2c67 5d7bf66c e5e91d2c');
  });

  test('depends on where parts end and on their type', () => {
    const keys = [['ab', 'c'], ['a', 'bc'], ['abc'], ['1'], [1], [1, 'x'], ['x', 1]].map((parts) =>
      hex(hashKeyParts(parts)),
    );
    expect(new Set(keys).size).toBe(keys.length);
  });

  test('refuses a part that is not finite', () => {
    expect(() => createStream('seed', NaN)).toThrow('received NaN');
  });
});

describe('RandomStream', () => {
  test('is the same for the same parts and does not depend on what was drawn elsewhere', () => {
    const first = createStream(7, 'shuffle', 3);
    createStream(8, 'shuffle', 3).permutation(100);
    const second = createStream(7, 'shuffle', 3);
    expect([...first.permutation(50)]).toEqual([...second.permutation(50)]);
    expect([...createStream(7, 'shuffle', 4).permutation(50)]).not.toEqual([...first.permutation(50)]);
  });

  test('keeps its first numbers: checkpoints and feature streams depend on them', () => {
    const stream = createStream(1, 'init', 'dense/kernel');
    expect([stream.uint32(), stream.uint32(), stream.uint32()]).toEqual([56254900, 2593967749, 2028391489]);
  });

  test('fills arrays of any length with the numbers of the blocks in order', () => {
    const long = createStream('fill').fillUniform(new Float32Array(10_001));
    const short = createStream('fill').fillUniform(new Float32Array(5));
    expect([...short]).toEqual([...long.subarray(0, 5)]);
    const single = createStream('fill');
    expect(Array.from({ length: 10 }, () => single.uniform())).toEqual([...long.subarray(0, 10)]);
  });

  test('repeats no number in an array fill after single draws, or in a second fill', () => {
    const stream = createStream('mixed');
    const values = [stream.uint32() / 2 ** 32, ...stream.fillUniform(new Float32Array(9_000)), stream.uniform()];
    values.push(...stream.fillUniform(new Float32Array(9_000)));
    const blocks = values.map((value) => value.toFixed(7));
    expect(blocks.slice(1, 9)).not.toEqual(blocks.slice(9_002, 9_010));
    expect(new Set(blocks).size).toBeGreaterThan(values.length * 0.99);
  });

  test('fills [0, 1) evenly with uniform numbers', () => {
    const values = createStream('even').fillUniform(new Float32Array(160_000));
    const counts = new Array<number>(16).fill(0);
    for (const value of values) {
      counts[Math.floor(value * 16)] = (counts[Math.floor(value * 16)] ?? 0) + 1;
    }
    expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
    const chiSquare = counts.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0);
    // 99.9 % quantile with 15 degrees of freedom.
    expect(chiSquare).toBeLessThan(37.7);
  });

  test('draws normal numbers with mean 0, deviation 1 and tails', () => {
    const values = createStream('normal').fillNormal(new Float32Array(100_000));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    const outside = values.filter((value) => Math.abs(value) > 1.96).length / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.01);
    expect(Math.abs(variance - 1)).toBeLessThan(0.02);
    expect(Math.abs(outside - 0.05)).toBeLessThan(0.003);
  });

  test('refuses a bound that is no integer from 1 to 2^32', () => {
    const stream = createStream('int');
    expect(() => stream.int(0)).toThrow('received 0');
    expect(() => stream.int(1.5)).toThrow('received 1.5');
    const counts = [0, 0, 0];
    for (let draw = 0; draw < 30_000; draw++) {
      const value = stream.int(3);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(300);
  });
});
