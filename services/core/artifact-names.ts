/** Where an artifact store says whose it is. */
export const STORE_MARKER_URI = 'graft-store.json';

/** Kinds of files that Graft writes into the artifact store. */
export type ArtifactKind = 'MARKER' | 'CHECKPOINT' | 'FEATURES' | 'FEATURE_PART' | 'MANIFEST' | 'PROBE' | 'TEMPORARY';

const DIGEST = '[0-9a-f]{64}';

/** Closed: a file of another name was put there by somebody else, and stays whatever happens. */
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
/** On its way to a name: `<uri>.<host>-<pid>-<number>.tmp` in a folder, `<uri>.<upload id>.upload.tmp` in a bucket. */
const TEMPORARY_END = String.raw`\.(?:[^/]+-\d+-\d+|[^./]+\.upload)\.tmp$`;
/** A form with the end behind it: a host's name may have dots, so that the end alone does not tell where the uri ends. */
const TEMPORARY = FORMS.map(([, form]) => new RegExp(form.source.replace(/\$$/, TEMPORARY_END)));

/** What a file of the artifact store is to Graft; null: nothing, it is a stranger's. */
export function artifactKind(uri: string): ArtifactKind | null {
  const kind = FORMS.find(([, form]) => form.test(uri))?.[0];
  if (kind !== undefined) return kind;
  return TEMPORARY.some((form) => form.test(uri)) ? 'TEMPORARY' : null;
}

/** Where a process tries whether the store takes anything. @param name letters, digits, dots, dashes and underscores */
export function probeUri(name: string): string {
  return `probes/${name.replace(/[^0-9A-Za-z_.-]/g, '-')}.probe`;
}
