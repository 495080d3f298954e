/** Content of the marker in an artifact store. */
export interface StoreMarker {
  /** Identity of the cluster, which its database keeps. */
  readonly clusterId: string;
  /** Time of creation, ISO 8601. */
  readonly createTime: string;
}

const FORMAT = 'graft-store-1';

/** Encodes a marker, readable for a person who finds the file. */
export function encodeMarker({ clusterId, createTime }: StoreMarker): string {
  const note =
    'This folder belongs to one Graft cluster. Without this file its coordinators and trainers refuse to use it.';
  return `${JSON.stringify({ format: FORMAT, cluster_id: clusterId, create_time: createTime, note }, null, 2)}\n`;
}

/** Decodes a marker; null where this is none, or one of a later format. */
export function decodeMarker(text: string): StoreMarker | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof parsed !== 'object' || parsed === null) return null;
  const { format, cluster_id: clusterId, create_time: createTime } = parsed as Record<string, unknown>;
  if (format !== FORMAT || typeof clusterId !== 'string' || clusterId === '') return null;
  return { clusterId, createTime: typeof createTime === 'string' ? createTime : '' };
}

export interface FoundStore {
  /** The store's marker; null: none; 'DAMAGED': it can't be decoded. */
  readonly marker: StoreMarker | 'DAMAGED' | null;
  /** True: the store has files that a Graft cluster wrote. */
  readonly hasArtifacts: boolean;
  /** True: this cluster's database names one of these files. */
  readonly isKnown: boolean;
  /** Time at which this cluster marked its store; null: it never did. */
  readonly markTime: string | null;
}

export type Claim =
  | { readonly action: 'OWNED' }
  /** The caller writes the marker, after it has removed `replaces`. */
  | { readonly action: 'MARK'; readonly replaces: StoreMarker | 'DAMAGED' | null }
  | { readonly action: 'REFUSE'; readonly reason: string };

/**
 * Decides whether a cluster may use an artifact store. A cluster without a store takes one without a marker when it has no files of
 * Graft, or when the database knows them: the store is older than markers. A cluster with a store takes no other:
 * a missing marker means that the store is not mounted, or that this is another folder.
 *
 * @param place folder or `s3://…`, for the message
 * @param isAdopting true: an administrator assigns the store to this cluster
 */
export function claimStore(found: FoundStore, clusterId: string, place: string, isAdopting: boolean): Claim {
  const { marker } = found;
  if (marker !== null && marker !== 'DAMAGED' && marker.clusterId === clusterId) return { action: 'OWNED' };
  if (isAdopting) return { action: 'MARK', replaces: marker };
  if (marker === 'DAMAGED') {
    return refuse(place, clusterId, "has a graft-store.json that can't be read, so that its owner is unknown.");
  }
  if (marker !== null) {
    const since = marker.createTime === '' ? '' : `, since ${marker.createTime}`;
    return refuse(place, clusterId, `belongs to another cluster, ${marker.clusterId}${since}.`);
  }
  if (found.markTime !== null) {
    const problem = `has no graft-store.json, and this cluster marked its store on ${found.markTime}: it is not mounted, or this is another folder.`;
    return refuse(place, clusterId, problem);
  }
  if (!found.hasArtifacts || found.isKnown) return { action: 'MARK', replaces: null };
  return refuse(place, clusterId, 'has files of a Graft cluster in it that the database knows nothing of.');
}

function refuse(place: string, clusterId: string, problem: string): Claim {
  return {
    action: 'REFUSE',
    reason:
      `The artifact store ${place} ${problem} The database of this coordinator is that of cluster ${clusterId}, and two ` +
      "clusters on one store would remove each other's files. Set GRAFT_ARTIFACTS_DIR to a folder or prefix of this cluster's " +
      "own, or DATABASE_URL to the database that the store belongs to. If that database is lost for good and the store's " +
      'files are to be kept or may be removed by this cluster, take the store over once with --adopt-store (`graft up ' +
      '--adopt-store`, `graft coordinator --adopt-store`).',
  };
}

/** A trainer's report of the artifact store and of the folders that it was given. */
export interface StoreReport {
  /** Location of the store: a folder or `s3://…`. */
  readonly place: string;
  /** Cluster that the marker names; empty: there is no marker. */
  readonly clusterId: string;
  /** The reason why the machine can't work; empty: it can. */
  readonly problem: string;
}

/** Hint for a store that differs between machines. */
export const SAME_STORE_RULE =
  'All trainers and coordinators of a cluster must use one artifact store (GRAFT_ARTIFACTS_DIR).';

/**
 * Returns the reason why a trainer gets no tasks; null: it gets them.
 *
 * @param report null: the trainer's version does not send one
 */
export function whyBenched(report: StoreReport | null, clusterId: string, hostname: string): string | null {
  if (report === null) return null;
  if (report.problem !== '') return report.problem;
  if (report.clusterId === clusterId) return null;
  const found =
    report.clusterId === ''
      ? 'has no graft-store.json: it is another folder than the one the coordinator uses, or is not mounted.'
      : `belongs to another cluster, ${report.clusterId}.`;
  return `The artifact store ${report.place} of host ${hostname} ${found} This cluster is ${clusterId}. ${SAME_STORE_RULE}`;
}
