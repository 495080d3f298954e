import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { ERROR_REASONS } from '../../../services/core/errors.ts';
import { ErrorReason } from '../../../proto/gen/graft/v1/error.ts';
import { CreateSweepRequest, WatchSweepResponse } from '../../../proto/gen/graft/v1/sweep_service.ts';
import { Task, WeightsInfo } from '../../../proto/gen/graft/v1/task.ts';
import {
  CompleteTaskRequest,
  HeartbeatResponse,
  ReportMetricsRequest,
} from '../../../proto/gen/graft/v1/trainer_service.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const buf = `${root}node_modules/.bin/buf`;

function runBuf(args: readonly string[]): string {
  try {
    return execFileSync(buf, [...args], { cwd: `${root}proto`, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`buf ${args.join(' ')}\n${stdout ?? ''}${stderr ?? ''}`, { cause: error });
  }
}

describe('the protos', { timeout: 60_000 }, () => {
  it('pass buf lint', () => {
    expect(runBuf(['lint'])).toBe('');
  });

  it('are compatible with the committed baseline', () => {
    expect(existsSync(`${root}proto/baseline.binpb`)).toBe(true);
    expect(runBuf(['breaking', '--against', 'baseline.binpb'])).toBe('');
  });

  it('skip the layers that a trainer of an earlier version sends with its weights', () => {
    const info = { backbone: 'vgg16', weights: 'imagenet', digest: 'd' };
    // Field 4, a message of eight bytes: the name `block1`.
    const layer = Uint8Array.from([0x22, 8, 0x0a, 6, ...Buffer.from('block1')]);
    const sent = Buffer.concat([WeightsInfo.encode(info).finish(), layer, layer]);
    expect(WeightsInfo.decode(sent)).toEqual(info);
  });

  it('define the same error reasons as the domain', () => {
    const names = Object.keys(ErrorReason).filter((name) => name !== 'UNSPECIFIED' && name !== 'UNRECOGNIZED');
    expect(names).toEqual([...ERROR_REASONS]);
  });
});

interface Message<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
  toJSON(message: T): unknown;
  fromJSON(json: unknown): T;
}

interface Fixture {
  readonly json: unknown;
  /** Wire format as written by another protobuf implementation (buf). */
  readonly base64: string;
}

const fixtures = JSON.parse(readFileSync(new URL('./wire-fixtures.json', import.meta.url), 'utf8')) as Record<
  string,
  Fixture
>;

const types = {
  'graft.v1.CreateSweepRequest': CreateSweepRequest,
  'graft.v1.WatchSweepResponse': WatchSweepResponse,
  'graft.v1.Task': Task,
  'graft.v1.CompleteTaskRequest': CompleteTaskRequest,
  'graft.v1.HeartbeatResponse': HeartbeatResponse,
  'graft.v1.ReportMetricsRequest': ReportMetricsRequest,
} as unknown as Readonly<Record<string, Message<unknown>>>;

/** Bytes that were once published must stay readable: they are never rewritten, only added to. */
describe('wire fixtures', () => {
  it('exist for each listed message', () => {
    expect(Object.keys(fixtures).toSorted()).toEqual(Object.keys(types).toSorted());
  });

  it.each(Object.keys(types))('%s: bytes and JSON are equal', (name) => {
    const type = types[name] as Message<unknown>;
    const { json, base64 } = fixtures[name] as Fixture;
    const decoded = type.decode(Buffer.from(base64, 'base64'));
    expect(type.toJSON(decoded)).toEqual(json);
    expect(type.decode(type.encode(type.fromJSON(json)).finish())).toEqual(decoded);
  });

  it.each(Object.keys(types))('%s: another implementation reads our bytes', (name) => {
    const type = types[name] as Message<unknown>;
    const { json } = fixtures[name] as Fixture;
    const bytes = type.encode(type.fromJSON(json)).finish();
    const args = [
      'convert',
      'gen/descriptor.binpb',
      '--type',
      name,
      '--from',
      '-#format=binpb',
      '--to',
      '-#format=json',
    ];
    const text = execFileSync(buf, args, { cwd: `${root}proto`, input: bytes, encoding: 'utf8' });
    expect(type.toJSON(type.fromJSON(JSON.parse(text)))).toEqual(json);
  });
});
