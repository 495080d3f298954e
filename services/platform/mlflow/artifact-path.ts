import { MlflowError } from './mlflow-error.ts';

const SCHEME = 'mlflow-artifacts:';

/**
 * Returns the path of a run's artifact below `/api/2.0/mlflow-artifacts/artifacts/`, each part URL-encoded.
 *
 * @param artifactUri uri reported by MLflow, for example `mlflow-artifacts:/1/0123/artifacts`.
 * @param path path below it, for example `report/report.html`.
 * @throws {MlflowError} (REFUSED) for another scheme: clients write to such stores directly, with credentials and
 * libraries of their own, which Graft does not support.
 */
export function artifactPath(artifactUri: string, path: string, trackingUri: string): string {
  if (!artifactUri.startsWith(SCHEME)) {
    throw new MlflowError(
      'REFUSED',
      'ARTIFACT_STORE',
      `MLflow keeps the artifacts of this run at ${artifactUri}, which clients have to write directly; Graft writes through ` +
        'the server only. Start the server with --serve-artifacts and --artifacts-destination; existing experiments keep ' +
        'their location, so choose another experiment name.',
    );
  }
  const url = new URL(artifactUri);
  if (url.host !== '' && url.host !== new URL(trackingUri).host) {
    throw new MlflowError(
      'REFUSED',
      'ARTIFACT_STORE',
      `The artifacts of this run go through another server, ${url.host}; Graft has credentials for ${trackingUri} only.`,
    );
  }
  const parts = [...url.pathname.split('/'), ...path.split('/')].filter((part) => part !== '');
  return parts.map((part) => encodeURIComponent(decodeURIComponent(part))).join('/');
}

/** Returns the location within a run's artifacts in MLflow's notation, as a model version's source. */
export function artifactSource(artifactUri: string, path: string): string {
  return `${artifactUri.replace(/\/+$/, '')}/${path}`;
}
