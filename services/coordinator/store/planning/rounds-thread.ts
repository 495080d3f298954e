import { serveJobs } from '../../../platform/lifecycle/worker-jobs.ts';
import { ROUND_JOBS } from './round-jobs.ts';

serveJobs(ROUND_JOBS);
