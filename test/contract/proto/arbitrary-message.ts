import { ScalarType } from '@bufbuild/protobuf';
import type { DescField, DescMessage } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { parametersToProto } from '../../../services/platform/rpc/convert/parameter.ts';
import { budgetToProto } from '../../../services/platform/rpc/convert/search.ts';
import { sweepSpecToProto } from '../../../services/platform/rpc/convert/sweep.ts';
import { registry } from '../../support/filled-messages.ts';
import { budget, few, int32, natural, parameters, plainDouble, role, sweepSpec, text } from './arbitraries.ts';

/** Milliseconds up to the year 9999, the range of a timestamp. */
const time = fc.date({ min: new Date(0), max: new Date('9999-12-31'), noInvalidDate: true });

/** Fields whose values follow rules that the proto does not state. */
const RULED: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  'graft.v1.Run.parameters': parameters.map(parametersToProto),
  'graft.v1.PlannedRun.parameters': parameters.map(parametersToProto),
  'graft.v1.Sweep.spec': sweepSpec.map(sweepSpecToProto),
  'graft.v1.Sweep.budget': fc.option(budget.map(budgetToProto), { nil: undefined }),
  'graft.v1.RunAttempt.micro_batch_divisor': fc.integer({ min: 1, max: 2 ** 31 - 1 }),
  'graft.v1.TestResult.role': role,
};

/** Times that are sent always; other times and fields with presence may be absent. */
const REQUIRED = new Set(['createTime', 'eventTime', 'heartbeatTime', 'deadTime']);

/**
 * Returns messages of a type in the shape of the generated code, made from its descriptor: a new field is covered without a line
 * of a test.
 *
 * @param name for example `Run`.
 * @param required fields that are present in this message, beside those that are present everywhere.
 */
export function arbitraryMessage<M>(name: string, required: readonly string[] = []): fc.Arbitrary<M> {
  const type = registry.getMessage(`graft.v1.${name}`);
  if (type === undefined) throw new Error(`There is no message ${name}.`);
  return messageOf(type, new Set([...REQUIRED, ...required])) as fc.Arbitrary<M>;
}

function messageOf(type: DescMessage, required: ReadonlySet<string>): fc.Arbitrary<object> {
  const fields = Object.fromEntries(
    type.fields
      .filter(({ oneof }) => oneof === undefined)
      .map((field) => [
        field.localName,
        hasPresence(field) && !required.has(field.localName)
          ? fc.option(valueOf(field, required), { nil: undefined })
          : valueOf(field, required),
      ]),
  );
  const oneofs = Object.fromEntries(
    type.oneofs.map((oneof) => [
      oneof.localName,
      fc.oneof(
        ...oneof.fields.map((field) => valueOf(field, required).map((value) => ({ $case: field.localName, value }))),
      ),
    ]),
  );
  return fc.record({ ...fields, ...oneofs }, { noNullPrototype: true });
}

/** Messages inside messages are always sent, times and `optional` fields are not. */
function hasPresence(field: DescField): boolean {
  if (field.fieldKind === 'message') return field.message.typeName === 'google.protobuf.Timestamp';
  return field.fieldKind === 'scalar' && field.proto.proto3Optional;
}

function valueOf(field: DescField, required: ReadonlySet<string>): fc.Arbitrary<unknown> {
  const ruled = RULED[`${field.parent.typeName}.${field.name}`];
  if (ruled !== undefined) return ruled;
  switch (field.fieldKind) {
    case 'scalar':
      return scalarOf(field.scalar);
    case 'enum':
      return fc.constantFrom(...field.enum.values.map(({ number }) => number).filter((number) => number !== 0));
    case 'message':
      return field.message.typeName === 'google.protobuf.Timestamp' ? time : messageOf(field.message, required);
    case 'map':
      break;
    case 'list':
      if (field.listKind === 'scalar') return fc.array(scalarOf(field.scalar), few);
      if (field.listKind === 'message') return fc.array(messageOf(field.message, required), few);
  }
  throw new Error(`${field.parent.typeName}.${field.name}: ${field.fieldKind} is not known here.`);
}

function scalarOf(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.DOUBLE:
      return plainDouble;
    case ScalarType.INT32:
      return int32;
    case ScalarType.INT64:
      return natural.map(BigInt);
    default:
      throw new Error(`Scalars of type ${ScalarType[type]} are not known here.`);
  }
}
