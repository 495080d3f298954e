/** What a marker in an artifact store says. */
export interface StoreMarker {
  /** Identity of the cluster, which its database keeps. */
  readonly clusterId: string;
  /** ISO 8601. */
  readonly createTime: string;
}

const FORMAT = 'graft-store-1';

/** The marker's bytes, readable for a person who finds the file. */
export function encodeMarker({ clusterId, createTime }: StoreMarker): string {
  const note =
    'This folder belongs to one Graft cluster. Without this file its coordinators and trainers refuse to use it.';
  return `${JSON.stringify({ format: FORMAT, cluster_id: clusterId, create_time: createTime, note }, null, 2)}\n`;
}

/** null: this is no marker, or one of a later format. */
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
  /** null: none; 'DAMAGED': there is one that can't be read as one. */
  readonly marker: StoreMarker | 'DAMAGED' | null;
  /** Whether files lie there that a Graft cluster wrote. */
  readonly hasArtifacts: boolean;
  /** Whether this cluster's record names one of them. */
  readonly isKnown: boolean;
  /** When this cluster marked its store; null: it never did. */
  readonly markTime: string | null;
}

export type Claim =
  | { readonly action: 'OWNED' }
  /** The marker is written; `replaces` is removed before. */
  | { readonly action: 'MARK'; readonly replaces: StoreMarker | 'DAMAGED' | null }
  | { readonly action: 'REFUSE'; readonly reason: string };

/**
 * Whether a cluster may use an artifact store. A cluster that has none yet takes one without a marker when nothing of Graft lies
 * in it, or when the record knows what lies there: it was made before there were markers. A cluster that has one takes no other:
 * where its marker has gone, the store is not mounted, or this is another folder.
 *
 * @param place folder or `s3://…`, for the message
 * @param isAdopting an administrator has said that the store is to be this cluster's from now on
 */
export function claimStore(found: FoundStore, clusterId: string, place: string, isAdopting: boolean): Claim {
  const { marker } = found;
  if (marker !== null && marker !== 'DAMAGED' && marker.clusterId === clusterId) return { action: 'OWNED' };
  if (isAdopting) return { action: 'MARK', replaces: marker };
  if (marker === 'DAMAGED') {
    return refuse(place, clusterId, "has a graft-store.json that can't be read, so nobody knows whose it is.");
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
      "own, or DATABASE_URL to the database that the store belongs to. If that database is gone for good and the store's " +
      'files are to be kept or may be removed by this cluster, take the store over once with --adopt-store (`graft up ' +
      '--adopt-store`, `graft coordinator --adopt-store`).',
  };
}

/** What a trainer has found out about the artifact store and the folders that it was given. */
export interface StoreReport {
  /** Folder or `s3://…`. */
  readonly place: string;
  /** Of the marker; empty: there is none. */
  readonly clusterId: string;
  /** Why the machine can't do its work as it is; empty: it can. */
  readonly problem: string;
}

/** Every machine needs the same. */
export const SAME_STORE_RULE =
  'All trainers and coordinators of a cluster must use one artifact store (GRAFT_ARTIFACTS_DIR).';

/**
 * Why a trainer gets no tasks; null: it may have them.
 *
 * @param report null: the trainer is of a version that does not look
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
