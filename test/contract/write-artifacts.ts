import { openArtifactStore } from '../../services/platform/artifacts/open-artifact-store.ts';

/** Writes one artifact after the other until the process is killed. The bytes of each are its uri, repeated. */
const { STORE = '', SIZE_BYTES = '0' } = process.env;
const store = await openArtifactStore(STORE);
for (let index = 0; ; index++) {
  const uri = `written/${process.pid}-${index}`;
  await store.write(uri, Buffer.alloc(Number(SIZE_BYTES), `${uri} `));
}
