import { sweepSpecFromProto, sweepSpecToProto } from '../../platform/rpc/convert/sweep.ts';
import type { SweepSpec } from '../../core/sweep/sweep-spec.ts';
import { GRAFT } from '../terminal/program-name.ts';

/** Sections of a sweep file that an earlier coordinator does not know, as it sends no answer about fields that it ignores. */
const SECTIONS = [
  ['stopping', 'stopping'],
  ['budget', 'budget'],
  ['constraints', 'constraints'],
  ['maxParallelSlots', 'max_parallel_slots'],
  ['priority', 'priority'],
  ['reuse', 'reuse'],
  ['finalists', 'finalists'],
  ['winnerRule', 'winner_rule'],
  ['search', 'search'],
] as const satisfies readonly (readonly [keyof SweepSpec, string])[];

/** Returns a warning if a coordinator of an earlier version left sections of a spec out; none otherwise. */
export function ignoredSections(sent: SweepSpec, stored: SweepSpec, sweepId: string): readonly string[] {
  // As a coordinator of this version stores it: without values that are defaults.
  const { spec: expected } = sweepSpecFromProto(sweepSpecToProto(sent));
  const ignored = SECTIONS.filter(([key]) => expected[key] !== undefined && stored[key] === undefined);
  if (ignored.length === 0) return [];
  const names = ignored.map(([, name]) => name).join(', ');
  const effect = ignored.some(([key]) => key === 'stopping') ? ' Every run trains to its end.' : '';
  return [
    `The coordinator is of an earlier version, which ignores: ${names}.${effect} Update it, or end the sweep:  ${GRAFT} sweep cancel ${sweepId}`,
  ];
}
