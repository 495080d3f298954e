import { pythonVenv } from '../../../support/python-venv.ts';
import type { PythonVenv } from '../../../support/python-venv.ts';

/** Packages of the samplers and of the surrogate, in exact versions. `--no-deps`: Syne Tune asks for XGBoost with CUDA, which BOHB does not use. */
const PACKAGES = [
  '--no-deps',
  'numpy==2.4.6',
  'pandas==3.1.1',
  'python-dateutil==4.0.0',
  'scipy==1.17.1',
  'dill==0.4.1',
  'PyYAML==6.0.4',
  'typing_extensions==4.16.0',
  'optuna==5.0.0',
  'alembic==1.20.1',
  'colorlog==6.12.0',
  'Mako==1.4.3',
  'MarkupSafe==3.0.4',
  'packaging==26.4',
  'SQLAlchemy==2.1.9',
  'tqdm==4.70.1',
  'syne-tune==0.16.0',
  'statsmodels==0.14.6',
  'patsy==1.0.3',
  'onnxruntime==1.32.0',
  'flatbuffers==25.12.19',
  'protobuf==7.36.2',
];

/** Returns the Python environment of the peers and of the surrogate, installed on first use. */
export function adaptiveVenv(): Promise<PythonVenv> {
  return pythonVenv({ name: 'search-adaptive-venv', packages: PACKAGES, skipVariable: 'GRAFT_SKIP_SEARCH_PEERS' });
}
