import { serveJobs } from '../../../platform/lifecycle/worker-jobs.ts';
import { STORED_PLANS } from './stored-plans.ts';

serveJobs(STORED_PLANS);
