import { fileURLToPath } from 'node:url';
import { pythonVenv } from '../../support/python-venv.ts';
import type { PythonVenv } from '../../support/python-venv.ts';

/** The server that the mirror is shown against. */
const PACKAGES = ['mlflow==3.17.2'];

/** A Python environment with an MLflow server, made on first use (about a minute and 0.9 GB); a reason where there can be none. */
export async function mlflowVenv(): Promise<PythonVenv> {
  return pythonVenv({ name: 'mlflow-venv', packages: PACKAGES, skipVariable: 'GRAFT_SKIP_MLFLOW' });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(await mlflowVenv());
