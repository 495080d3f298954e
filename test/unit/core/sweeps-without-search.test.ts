import { describe, expect, it } from 'vitest';
import { parseSweepFile } from '../../../services/cli/sweep-file/parse-sweep-file.ts';
import { digestOf } from '../../../services/core/digest.ts';
import type { JsonValue } from '../../../services/core/digest.ts';
import { NO_CORRECTIONS } from '../../../services/core/planner/cost/corrections.ts';
import { previewSweep } from '../../../services/core/planner/preview-sweep.ts';
import { sampleRuns } from '../../../services/core/samplers/sample-runs.ts';

const CLUSTER = {
  slotCount: 2,
  device: { kind: 'gpu' as const, threadCount: 8 },
  memoryBytes: 0,
  corrections: NO_CORRECTIONS,
};

/** Files without stopping, budget, priority or reuse, with what the last version before these keys made of them. */
const FILES = {
  'a grid of heads': {
    yaml: `dataset: { path: /data/pets }
base: { backbone: mobilenet_v2, epochs: 10 }
parameters: { head.units: [32, 64, 128], optimizer.learning_rate: [0.001, 0.0001] }
seed: 5`,
    spec: 'ce1191a65d87c4837edda6299aae07d36be08d63c160ebb8e211bc1cfa8a64b2',
    runs: '5d2a2be6f4cf5bc14f3e5b333959ac0ab55d2928fa3c4a43dd76da4c89494151',
    tasks: '6f95d11efecceb884556642f4e5dabdff4b3e31c3a9d601ce928bba06924bf77',
  },
  'augmented heads of a Sobol sequence': {
    yaml: `dataset: { path: /data/pets }
base: { backbone: efficientnet_lite0, epochs: 12, method: augmented }
parameters: { head.units: { min: 16, max: 512 }, head.dropout: { min: 0, max: 0.5 } }
strategy: sobol
max_runs: 8
seed: 3`,
    spec: '383a804f34432842ca9232b26b44a29b51491a4f93e552a1a418c4a9b0edb5b2',
    runs: '63af6a36609d1538e4051d23c09b29a164e611eb869244081d9435de7d072354',
    tasks: 'a97b06a72cb8de427da703ccd8c5cc4e14daf7da57612901c2632937b80bfb69',
  },
  'fine-tuned runs': {
    yaml: `dataset: { path: /data/pets }
base: { backbone: mobilenet_v2, epochs: 5, fine_tune.enabled: true, fine_tune.epochs: 9 }
parameters: { fine_tune.learning_rate: [0.00001, 0.0001], head.units: [64, 128] }
objective: { metric: val_accuracy, goal: maximize }
seed: 7`,
    spec: '75f4f2985674d8edf77dbdc040d16e7c0f54228f3f61c9dec5c97d2ed71360c0',
    runs: 'da210bfca76eea53c5a518f3abfd5d5414eeb7c770d87d6890ba22544a671876',
    tasks: '1f790da7a80c892105d4e37dcfd3f590dc55aad5d69b5f204a8d952aaf84b5e7',
  },
  'a list': {
    yaml: `dataset: { path: /data/pets }
strategy: list
base: { backbone: mobilenet_v2, epochs: 5 }
variants: [{ head.units: 64 }, { head.units: 128, fine_tune.enabled: true, fine_tune.epochs: 3 }]`,
    spec: 'd391f7d6ca1ba3f1d18f73c381627e98350179261985d3b4294b20d862ac8147',
    runs: '7c8b884f70bea3df412f3dd09a6240e430f8fd7d3edd081ed7890ee096ad0341',
    tasks: 'a4bdfb04661992edc897dee52caea814b097fc5d05ac439e0d8271f678ea6e72',
  },
};

describe('a sweep file without a search', () => {
  it.each(Object.entries(FILES))(
    'has the spec, the runs and the tasks that it always had: %s',
    (_, { yaml, ...golden }) => {
      const { spec, violations } = parseSweepFile(yaml, { folder: '/', home: '/' });
      expect(violations).toEqual([]);
      const { tasks } = previewSweep(spec, CLUSTER, null);
      const { runs } = sampleRuns(spec);
      const parameters = runs.map((run) => digestOf(run.parameters as JsonValue));
      expect({
        spec: digestOf(spec as unknown as JsonValue),
        runs: digestOf(parameters),
        tasks: digestOf(JSON.parse(JSON.stringify(tasks)) as JsonValue),
      }).toEqual(golden);
    },
  );
});
