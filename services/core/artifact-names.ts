/** URI of the marker that names the cluster an artifact store belongs to. */
export const STORE_MARKER_URI = 'graft-store.json';

/** Kinds of files that Graft writes into the artifact store. */
export type ArtifactKind = 'MARKER' | 'CHECKPOINT' | 'FEATURES' | 'FEATURE_PART' | 'MANIFEST' | 'PROBE' | 'TEMPORARY';

const DIGEST = '[0-9a-f]{64}';

/** All URIs that Graft writes. A file of any other name is foreign and is never removed. */
const FORMS: readonly (readonly [ArtifactKind, RegExp])[] = [
  ['MARKER', /^graft-store\.json$/],
  [
    'CHECKPOINT',
    /^checkpoints\/[0-9A-Za-z][0-9A-Za-z_.-]*\/(head|fine[-_]tune)-\d+(-\d+)?-(best|last)-\d+\.safetensors$/,
  ],
  ['FEATURES', new RegExp(`^features/${DIGEST}(\\.safetensors)?$`)],
  ['FEATURE_PART', new RegExp(`^features/${DIGEST}\\.parts/\\d{8,}$`)],
  ['MANIFEST', new RegExp(`^datasets/${DIGEST}\\.jsonl$`)],
  ['PROBE', /^probes\/[0-9A-Za-z_.-]+\.probe$/],
];
/** Ending of a file that is still being written: `<uri>.<host>-<pid>-<number>.tmp` in a folder, `<uri>.<upload id>.upload.tmp` in a bucket. */
const TEMPORARY_END = String.raw`\.(?:[^/]+-\d+-\d+|[^./]+\.upload)\.tmp$`;
/** URIs with that ending. A host name may contain dots, so the ending alone does not show where the URI ends. */
const TEMPORARY = FORMS.map(([, form]) => new RegExp(form.source.replace(/\$$/, TEMPORARY_END)));

/** Returns the kind of a file in the artifact store; null for a foreign file. */
export function artifactKind(uri: string): ArtifactKind | null {
  const kind = FORMS.find(([, form]) => form.test(uri))?.[0];
  if (kind !== undefined) return kind;
  return TEMPORARY.some((form) => form.test(uri)) ? 'TEMPORARY' : null;
}

/** Returns the URI of the file by which a process tests whether the store is writable. @param name letters, digits, dots, dashes and underscores */
export function probeUri(name: string): string {
  return `probes/${name.replace(/[^0-9A-Za-z_.-]/g, '-')}.probe`;
}
