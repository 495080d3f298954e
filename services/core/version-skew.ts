import type { Stage } from './task.ts';

const VERSION = /^(\d+)\.(\d+)\.\d+(?:[-+].*)?$/;
/** A rolling upgrade runs two versions side by side for some minutes; more are not tested together. */
const MAX_MINORS_APART = 1;

/**
 * Returns whether a trainer and a coordinator of these versions may work together: the same major version, and at most one minor
 * version apart in either direction. A string that is no version fits none.
 */
export function areCompatible(version: string, other: string): boolean {
  const [, major, minor] = VERSION.exec(version) ?? [];
  const [, otherMajor, otherMinor] = VERSION.exec(other) ?? [];
  if (major === undefined || major !== otherMajor) return false;
  return Math.abs(Number(minor) - Number(otherMinor)) <= MAX_MINORS_APART;
}

/** Returns whether `version` has the same major version as `other` and an older minor one. */
export function isOlderMinor(version: string, other: string): boolean {
  const [, major, minor] = VERSION.exec(version) ?? [];
  const [, otherMajor, otherMinor] = VERSION.exec(other) ?? [];
  return major !== undefined && major === otherMajor && Number(minor) < Number(otherMinor);
}

/** Stages that a trainer executes which reports none, because its version is older than the report. */
const STAGES_UNREPORTED = ['INDEX', 'FEATURES', 'HEAD', 'FINE_TUNE', 'EVALUATE'] as const satisfies readonly Stage[];

/**
 * Returns the stages whose tasks a trainer may get.
 *
 * @param reported stages that it reports and that this version knows; empty: it reports none.
 */
export function executedStages(reported: readonly Stage[]): readonly Stage[] {
  return reported.length === 0 ? STAGES_UNREPORTED : reported;
}
