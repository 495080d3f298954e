import { MlflowError } from './mlflow-error.ts';

const SCHEME = 'mlflow-artifacts:';

/**
 * Where a run's artifacts are below `/api/2.0/mlflow-artifacts/artifacts/`, each part encoded for a URL.
 *
 * @param artifactUri as MLflow tells it, for example `mlflow-artifacts:/1/0123/artifacts`.
 * @param path below it, for example `report/report.html`.
 * @throws MlflowError (REFUSED) for another scheme: such stores are written to by clients themselves, with credentials and
 * libraries of their own, which Graft does not do.
 */
export function artifactPath(artifactUri: string, path: string, trackingUri: string): string {
  if (!artifactUri.startsWith(SCHEME)) {
    throw new MlflowError(
      'REFUSED',
      'ARTIFACT_STORE',
      `MLflow keeps the artifacts of this run at ${artifactUri}, where clients are to write by themselves; Graft writes through ` +
        'the server only. Start the server with --serve-artifacts and --artifacts-destination; experiments made before keep ' +
        'their old place, so name another one.',
    );
  }
  const url = new URL(artifactUri);
  if (url.host !== '' && url.host !== new URL(trackingUri).host) {
    throw new MlflowError(
      'REFUSED',
      'ARTIFACT_STORE',
      `The artifacts of this run go through another server, ${url.host}; Graft knows credentials for ${trackingUri} only.`,
    );
  }
  const parts = [...url.pathname.split('/'), ...path.split('/')].filter((part) => part !== '');
  return parts.map((part) => encodeURIComponent(decodeURIComponent(part))).join('/');
}

/** A place within a run's artifacts as MLflow spells it, for a model version's source. */
export function artifactSource(artifactUri: string, path: string): string {
  return `${artifactUri.replace(/\/+$/, '')}/${path}`;
}
