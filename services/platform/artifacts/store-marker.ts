import { STORE_MARKER_URI } from '../../core/artifact-names.ts';
import { ArtifactMissingError } from '../../core/errors.ts';
import { decodeMarker, encodeMarker } from '../../core/store-owner.ts';
import type { StoreMarker } from '../../core/store-owner.ts';
import { ArtifactExistsError } from './artifact-store.ts';
import type { ArtifactStore } from './artifact-store.ts';

/** Maximum size: a marker has some hundred bytes, so a larger file is not one. */
const MAX_MARKER_BYTES = 65_536;

/** Reads the marker that names the owner of a store; null if there is none. */
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

/** Writes the marker if there is none, so the first cluster owns the store. Returns the marker that is now stored. */
export async function writeMarker(store: ArtifactStore, marker: StoreMarker): Promise<StoreMarker | 'DAMAGED' | null> {
  try {
    await store.write(STORE_MARKER_URI, Buffer.from(encodeMarker(marker)));
  } catch (error) {
    if (!(error instanceof ArtifactExistsError)) throw error;
  }
  return readMarker(store);
}
