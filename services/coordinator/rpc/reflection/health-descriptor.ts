import { create, toBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';

const STATUS = '.grpc.health.v1.HealthCheckResponse.ServingStatus';

/** `grpc/health/v1/health.proto` as a descriptor: the package that implements it brings the text only. */
export function healthDescriptor(): Uint8Array {
  return toBinary(
    FileDescriptorProtoSchema,
    create(FileDescriptorProtoSchema, {
      name: 'grpc/health/v1/health.proto',
      package: 'grpc.health.v1',
      syntax: 'proto3',
      messageType: [
        {
          name: 'HealthCheckRequest',
          field: [{ name: 'service', number: 1, label: Label.OPTIONAL, type: Type.STRING, jsonName: 'service' }],
        },
        {
          name: 'HealthCheckResponse',
          field: [
            { name: 'status', number: 1, label: Label.OPTIONAL, type: Type.ENUM, typeName: STATUS, jsonName: 'status' },
          ],
          enumType: [
            {
              name: 'ServingStatus',
              value: ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'].map((name, number) => ({ name, number })),
            },
          ],
        },
      ],
      service: [
        {
          name: 'Health',
          method: [
            {
              name: 'Check',
              inputType: '.grpc.health.v1.HealthCheckRequest',
              outputType: '.grpc.health.v1.HealthCheckResponse',
            },
            {
              name: 'Watch',
              inputType: '.grpc.health.v1.HealthCheckRequest',
              outputType: '.grpc.health.v1.HealthCheckResponse',
              serverStreaming: true,
            },
          ],
        },
      ],
    }),
  );
}
