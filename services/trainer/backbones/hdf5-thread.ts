import { parentPort, workerData } from 'node:worker_threads';
import { BackboneError } from '../../core/network/backbone-error.ts';
import type { Hdf5Reply, Hdf5Request } from './hdf5-reader.ts';
import { readHdf5Weights } from './hdf5-weights.ts';

/** The thread of `hdf5-reader.ts`: reads one file and ends. */
const { path, graph, shownPath } = workerData as Hdf5Request;
try {
  const weights = await readHdf5Weights(path, graph, shownPath);
  const buffers = [...weights.values()].flatMap(({ values: { buffer } }) =>
    buffer instanceof ArrayBuffer ? [buffer] : [],
  );
  parentPort?.postMessage({ weights } satisfies Hdf5Reply, buffers);
} catch (error) {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  const layer = error instanceof BackboneError ? error.layer : null;
  parentPort?.postMessage({ error: { name, message, layer } } satisfies Hdf5Reply);
}
