const VERSION = /^(\d+)\.(\d+)\.\d+(?:[-+].*)?$/;
/** A rolling upgrade has two versions at work for some minutes; more are not tested together. */
const MAX_MINORS_APART = 1;

/**
 * Whether a trainer and a coordinator of these versions may work together: the same major version, and at most one minor
 * version apart, whichever is the newer one. What is no version fits nothing.
 */
export function areCompatible(version: string, other: string): boolean {
  const [, major, minor] = VERSION.exec(version) ?? [];
  const [, otherMajor, otherMinor] = VERSION.exec(other) ?? [];
  if (major === undefined || major !== otherMajor) return false;
  return Math.abs(Number(minor) - Number(otherMinor)) <= MAX_MINORS_APART;
}

/** Whether `version` is of an older minor version than `other`, of the same major one. */
export function isOlderMinor(version: string, other: string): boolean {
  const [, major, minor] = VERSION.exec(version) ?? [];
  const [, otherMajor, otherMinor] = VERSION.exec(other) ?? [];
  return major !== undefined && major === otherMajor && Number(minor) < Number(otherMinor);
}
