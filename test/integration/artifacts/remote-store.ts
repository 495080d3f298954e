import { DirectoryArtifactStore } from '../../../services/platform/artifacts/directory-artifact-store.ts';
import type {
  ArtifactStore,
  ListedArtifact,
  StoredArtifact,
} from '../../../services/platform/artifacts/artifact-store.ts';

/** A folder that is reached as a store on another machine is: nothing can be read in place, and the line may break. */
export class RemoteStore implements ArtifactStore {
  readonly directory: DirectoryArtifactStore;
  readonly reads: { readonly uri: string; readonly offset: number }[] = [];
  breakAfterBytes = Infinity;

  constructor(root: string) {
    this.directory = new DirectoryArtifactStore(root);
  }

  get place(): string {
    return this.directory.place;
  }

  write(uri: string, bytes: Uint8Array): Promise<StoredArtifact> {
    return this.directory.write(uri, bytes);
  }

  writeStream(uri: string, chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<StoredArtifact> {
    return this.directory.writeStream(uri, chunks);
  }

  read(uri: string): Promise<Buffer> {
    return this.directory.read(uri);
  }

  async *readFrom(uri: string, offset: number): AsyncGenerator<Uint8Array> {
    this.reads.push({ uri, offset });
    let sentBytes = 0;
    for await (const whole of this.directory.readFrom(uri, offset)) {
      for (let start = 0; start < whole.length; start += 16_384) {
        const chunk = whole.subarray(start, start + 16_384);
        sentBytes += chunk.length;
        if (sentBytes > this.breakAfterBytes) throw new Error('the line broke');
        yield chunk;
      }
    }
  }

  stat(uri: string): Promise<{ readonly sizeBytes: number } | null> {
    return this.directory.stat(uri);
  }

  remove(uri: string): Promise<void> {
    return this.directory.remove(uri);
  }

  list(): AsyncIterable<ListedArtifact> {
    return this.directory.list();
  }

  localPath(): null {
    return null;
  }
}
