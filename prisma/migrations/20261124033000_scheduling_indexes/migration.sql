-- What each lease and each completion asks, whatever the size of the sweep: the next ready task of a sweep, whether a run is still to
-- end, and how the last runs ended since the sweep was resumed.
CREATE INDEX tasks_sweep_ready_idx ON tasks (sweep_id, position, task_id) WHERE state = 'READY';
CREATE INDEX runs_live_idx ON runs (sweep_id) WHERE state IN ('QUEUED', 'RUNNING', 'PAUSED', 'STOPPING');
CREATE INDEX runs_ended_idx ON runs (sweep_id, end_time, run_id)
  WHERE state IN ('SUCCEEDED', 'FAILED', 'INFEASIBLE') AND start_time IS NOT NULL;
CREATE INDEX events_sweep_state_idx ON events (sweep_id, create_time) WHERE kind = 'SWEEP_STATE';
