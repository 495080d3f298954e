import { expect, test } from 'vitest';
import {
  controlProblem,
  escapeControls,
  escapeControlsInJson,
  escapeControlsInLines,
} from '../../../services/core/text/control-characters.ts';
import { validateSweepSpec } from '../../../services/core/validation/validate-spec.ts';
import type { SweepSpec } from '../../../services/core/sweep/sweep-spec.ts';
import { PLAIN_SPEC, values } from './support/specs.ts';

/** A character of each kind, as its code point. */
const CONTROLS = [
  0x00, 0x07, 0x0a, 0x0d, 0x1b, 0x7f, 0x85, 0x9b, 0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202e, 0x2066,
  0x2069, 0xd800, 0xdfff,
];

test.each(CONTROLS)('U+%s is refused in a name, and shown escaped', (code) => {
  const text = `a${String.fromCharCode(code)}b`;
  const hexadecimal = code.toString(16).toUpperCase().padStart(4, '0');
  expect(controlProblem(text)).toContain(`received U+${hexadecimal} at character 2 of 'a\\`);
  expect(escapeControls(text)).toMatch(/^a\\(n|r|x[0-9a-f]{2}|u[0-9a-f]{4})b$/);
  expect(JSON.parse(escapeControlsInJson(JSON.stringify(text)))).toBe(text);
});

test('keeps names in any script, and emoji of several characters', () => {
  for (const name of ['Tüchtige Köpfe', '猫と犬', 'כלבים', 'خيول', '👩‍👩‍👧‍👦 families', 'e\u0301 decomposed', '🏳️‍🌈']) {
    expect(controlProblem(name)).toBeNull();
    expect(escapeControls(name)).toBe(name);
  }
});

test('keeps lines and tabs of several lines', () => {
  expect(escapeControlsInLines('a\tb\r\nc\u001b[2J')).toBe('a\tb\\r\nc\\x1b[2J');
});

test.each<[string, string, Partial<SweepSpec>]>([
  ['a display name', 'display_name', { displayName: 'pets\u001b]0;owned\u0007' }],
  ['a display name of two lines', 'display_name', { displayName: 'pets\nstate  SUCCEEDED' }],
  ['a path', 'dataset.path', { dataset: { ...PLAIN_SPEC.dataset, path: '/data/\u202apets' } }],
  ['weights of the base', 'base["weights"]', { base: { weights: '/w/\u0000.h5' } }],
  ['a value of a dimension', 'parameters[0].values[1]', { parameters: [values('cut', '', 'block\u202e1')] }],
  ['an experiment', 'mlflow.experiment', { mlflow: { experiment: 'pets\u0085', registerModel: '' } }],
  ['a registered model', 'mlflow.register_model', { mlflow: { experiment: '', registerModel: 'pe\u2028ts' } }],
])('%s with a control character is refused', (_, field, change) => {
  const violations = validateSweepSpec({ ...PLAIN_SPEC, ...change });
  expect(violations.map((violation) => violation.field)).toEqual([field]);
  expect(violations[0]?.description).toContain('must not have control characters; received U+');
  expect(violations[0]?.description).toBe(escapeControls(violations[0]?.description ?? ''));
});

test('escapes an unknown name in the message', () => {
  const [violation] = validateSweepSpec({ ...PLAIN_SPEC, base: { 'epochs\u202e\n': 3 } });
  expect(violation?.description).toContain("there is no parameter 'epochs\\u202e\\n'.");
});
