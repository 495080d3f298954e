import { STORE_MARKER_URI } from '../../core/artifact-names.ts';
import { ArtifactMissingError } from '../../core/errors.ts';
import { decodeMarker, encodeMarker } from '../../core/store-owner.ts';
import type { StoreMarker } from '../../core/store-owner.ts';
import { ArtifactExistsError } from './artifact-store.ts';
import type { ArtifactStore } from './artifact-store.ts';

/** A marker is some hundred bytes; a larger file is none. */
const MAX_MARKER_BYTES = 65_536;

/** Whose a store is; null: nobody has said. */
export async function readMarker(store: ArtifactStore): Promise<StoreMarker | 'DAMAGED' | null> {
  const found = await store.stat(STORE_MARKER_URI);
  if (found === null) return null;
  if (found.sizeBytes > MAX_MARKER_BYTES) return 'DAMAGED';
  try {
    return decodeMarker((await store.read(STORE_MARKER_URI)).toString('utf8')) ?? 'DAMAGED';
  } catch (error) {
    if (error instanceof ArtifactMissingError) return null;
    throw error;
  }
}

/** Writes the marker where there is none, so that the first cluster has the store. @returns the marker that is there now */
export async function writeMarker(store: ArtifactStore, marker: StoreMarker): Promise<StoreMarker | 'DAMAGED' | null> {
  try {
    await store.write(STORE_MARKER_URI, Buffer.from(encodeMarker(marker)));
  } catch (error) {
    if (!(error instanceof ArtifactExistsError)) throw error;
  }
  return readMarker(store);
}
