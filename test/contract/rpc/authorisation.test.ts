import { readFileSync } from 'node:fs';
import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { includesRole, TOKEN_ROLES } from '../../../services/core/token-role.ts';
import type { TokenRole } from '../../../services/core/token-role.ts';
import { METHOD_ROLES } from '../../../services/coordinator/rpc/authorisation/method-roles.ts';

const DESCRIPTORS = new URL('../../../proto/gen/descriptor.binpb', import.meta.url);

const paths = [...createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(DESCRIPTORS)))]
  .filter((type) => type.kind === 'service')
  .flatMap((service) => service.methods.map((method) => `/${service.typeName}/${method.name}`));

function allowed(role: TokenRole): string[] {
  return paths.filter((path) => {
    const need = METHOD_ROLES.get(path);
    return need === 'ANY' || (need !== undefined && includesRole(role, need));
  });
}

describe('the table of roles', () => {
  it('has every method of every service, and otherwise only reflection', () => {
    expect(paths.length).toBeGreaterThan(30);
    const others = [...METHOD_ROLES.keys()].filter((path) => !path.startsWith('/grpc.reflection.'));
    expect(others.toSorted()).toEqual(paths.toSorted());
  });

  it('allows each role the calls of its name', () => {
    expect(
      allowed('VIEWER').filter((path) => !/SweepService\/(Plan|Resolve|Get|List|Watch|Download|Explain)/.test(path)),
    ).toEqual([]);
    expect(allowed('SUBMITTER')).toEqual(expect.arrayContaining(allowed('VIEWER')));
    expect(allowed('ADMIN')).toEqual(expect.arrayContaining(allowed('SUBMITTER')));
    expect(allowed('TRAINER')).toEqual(paths.filter((path) => path.startsWith('/graft.v1.TrainerService/')));
    for (const role of TOKEN_ROLES.filter((name) => name !== 'ADMIN')) {
      expect(allowed(role).filter((path) => path.startsWith('/graft.v1.TokenService/'))).toEqual([]);
    }
    for (const role of TOKEN_ROLES.filter((name) => name !== 'TRAINER')) {
      expect(allowed(role).filter((path) => path.startsWith('/graft.v1.TrainerService/'))).toEqual([]);
    }
  });
});
