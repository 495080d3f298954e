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
