import { startThread } from '../../platform/lifecycle/node-program.ts';
import { BackboneError } from '../../core/network/backbone-error.ts';
import type { WeightTensor } from './backbone.ts';
import type { LayerGraph } from '../../core/network/layer-graph.ts';
import { fileError } from './weight-file-error.ts';

export interface Hdf5Request {
  readonly path: string;
  readonly graph: LayerGraph;
  readonly shownPath: string;
}

export type Hdf5Reply =
  | { readonly weights: ReadonlyMap<string, WeightTensor> }
  | { readonly error: { readonly name: string; readonly message: string; readonly layer: string | null } };

/** The largest published file takes two seconds. */
const TIME_LIMIT_MS = 300_000;

/**
 * Reads an HDF5 file as `readHdf5Weights` does, in a thread of its own: a damaged file can trap the HDF5 library (compiled C),
 * make it loop or grow its heap to 2 GiB, and after that it should read no other file.
 *
 * @throws BackboneError
 */
export async function readHdf5Apart(
  path: string,
  graph: LayerGraph,
  shownPath: string = path,
  timeLimitMs: number = TIME_LIMIT_MS,
): Promise<ReadonlyMap<string, WeightTensor>> {
  const { backbone } = graph;
  const request: Hdf5Request = { path, graph, shownPath };
  const source = { path: shownPath, backbone };
  const thread = startThread('trainer/backbones/hdf5-thread', { workerData: request });
  let timer: NodeJS.Timeout | undefined;
  try {
    const reply = await new Promise<Hdf5Reply>((resolve, reject) => {
      thread.once('message', (message) => resolve(message as Hdf5Reply)).once('error', reject);
      thread.once('exit', (code) => reject(new Error(`The thread that reads ${shownPath} ended with ${code}.`)));
      timer = setTimeout(() => {
        reject(
          fileError(source, `it could not be read within ${timeLimitMs / 1000} s: it is damaged. Download it again`),
        );
      }, timeLimitMs);
    });
    if ('weights' in reply) return reply.weights;
    throw revivedError(reply.error, backbone);
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}

/** The class decides whether a task is retried. */
function revivedError(
  { name, message, layer }: Extract<Hdf5Reply, { error: unknown }>['error'],
  backbone: string,
): Error {
  if (name === 'BackboneError') return new BackboneError(message, layer === null ? { backbone } : { backbone, layer });
  return name === 'RangeError' ? new RangeError(message) : new Error(message);
}
