import { ArtifactCache } from '../../../services/platform/artifacts/artifact-cache.ts';
import type { StoredArtifact } from '../../../services/platform/artifacts/artifact-store.ts';
import { RemoteStore } from './remote-store.ts';

/** A process that holds an artifact until it is killed. */
const { STORE = '', CACHE = '', ARTIFACT = '' } = process.env;
const cache = new ArtifactCache({ store: new RemoteStore(STORE), folder: CACHE, maxBytes: 1e9 });
await cache.open(JSON.parse(ARTIFACT) as StoredArtifact);
process.send?.('held');
setInterval(() => undefined, 1 << 30);
