import { z } from 'zod';
import { ARTIFACT_ADDRESS_RULE, isArtifactAddress } from '../artifacts/open-artifact-store.ts';
import type { Settings } from './setting.ts';

/** The settings of every service that uses the database. */
export const DATABASE_SETTINGS = {
  DATABASE_URL: {
    schema: z
      .string({ error: 'must be set, for example to postgresql://user:password@host:5432/graft' })
      .regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://'),
    help: 'PostgreSQL database, postgresql://user:password@host:5432/graft',
  },
} satisfies Settings;

/** Settings that coordinators and trainers have in common. */
export const SHARED_SETTINGS = {
  GRAFT_ARTIFACTS_DIR: {
    schema: z.string().refine(isArtifactAddress, ARTIFACT_ADDRESS_RULE),
    unset: '<state folder>/artifacts',
    help:
      'artifact store of the cluster: a folder that coordinators and trainers share, or s3://<bucket>/<prefix> with ' +
      'AWS_ENDPOINT_URL_S3, AWS_REGION, AWS_ACCESS_KEY_ID …',
  },
  GRAFT_CACHE_DIR: {
    schema: z.string(),
    unset: '${XDG_CACHE_HOME:-~/.cache}/graft',
    help: 'folder for files that can be recreated',
  },
  GRAFT_STATE_DIR: {
    schema: z.string(),
    unset: '${XDG_DATA_HOME:-~/.local/share}/graft',
    help: 'folder for files that must be kept',
  },
  GRAFT_LOG_LEVEL: {
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      error: 'must be fatal, error, warn, info, debug, trace or silent',
    }),
    default: 'info',
    help: 'least severity of log lines: fatal, error, warn, info, debug, trace or silent',
  },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    schema: z.string(),
    unset: 'no traces',
    help: 'collector of OpenTelemetry traces, for example http://collector:4318; other OTEL_* variables apply as well',
  },
} satisfies Settings;
