-- The result of all migrations, written by a test from the catalogs of PostgreSQL.
-- To read, not to edit: after a new migration run
--   npx vitest run --config test/vitest.config.ts test/contract/database/golden-schema.test.ts -u

-- Sequences.

CREATE SEQUENCE events_event_id_seq AS bigint;
CREATE SEQUENCE outbox_outbox_id_seq AS bigint;

-- Tables.

CREATE TABLE attempts (
    task_id text NOT NULL,
    lease_epoch integer NOT NULL,
    trainer_id text NOT NULL,
    slot_index integer NOT NULL,
    request_id text NOT NULL,
    state text NOT NULL,
    error_class text,
    error_code text,
    message text NOT NULL DEFAULT ''::text,
    last_sequence bigint NOT NULL DEFAULT 0,
    thread_count integer,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    end_time timestamp(6) with time zone,
    micro_batch_divisor integer NOT NULL DEFAULT 1,
    lease_secret_hash text,
    recipe_version integer,
    CONSTRAINT attempts_pkey PRIMARY KEY (task_id, lease_epoch),
    CONSTRAINT attempts_error_class_check CHECK (error_class = ANY (ARRAY['INFRASTRUCTURE'::text, 'MEMORY'::text, 'PERMANENT'::text, 'NUMERIC'::text, 'COUNTED'::text])),
    CONSTRAINT attempts_last_sequence_check CHECK (last_sequence >= 0),
    CONSTRAINT attempts_lease_epoch_check CHECK (lease_epoch >= 1),
    CONSTRAINT attempts_lease_secret_hash_check CHECK (lease_secret_hash ~ '^[0-9a-f]{64}$'::text),
    CONSTRAINT attempts_micro_batch_divisor_check CHECK (micro_batch_divisor = ANY (ARRAY[1, 2, 4, 8])),
    CONSTRAINT attempts_state_check CHECK (state = ANY (ARRAY['LEASED'::text, 'RUNNING'::text, 'SUCCEEDED'::text, 'RELEASED'::text, 'FAILED'::text, 'EXPIRED'::text]))
);

CREATE TABLE checkpoints (
    checkpoint_id text NOT NULL,
    run_id text NOT NULL,
    task_id text NOT NULL,
    lease_epoch integer NOT NULL,
    stage text NOT NULL,
    epoch integer NOT NULL,
    kind text NOT NULL,
    uri text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL,
    value double precision,
    state text NOT NULL DEFAULT 'STORED'::text,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    delete_time timestamp(6) with time zone,
    pinned boolean NOT NULL DEFAULT false,
    damage text,
    CONSTRAINT checkpoints_pkey PRIMARY KEY (checkpoint_id),
    CONSTRAINT checkpoints_epoch_check CHECK (epoch >= 0),
    CONSTRAINT checkpoints_kind_check CHECK (kind = ANY (ARRAY['BEST'::text, 'LAST'::text])),
    CONSTRAINT checkpoints_size_bytes_check CHECK (size_bytes >= 0),
    CONSTRAINT checkpoints_stage_check CHECK (stage = ANY (ARRAY['HEAD'::text, 'FINE_TUNE'::text])),
    CONSTRAINT checkpoints_state_check CHECK (state = ANY (ARRAY['STORED'::text, 'DELETING'::text, 'DELETED'::text]))
);

CREATE TABLE cluster (
    singleton boolean NOT NULL DEFAULT true,
    cluster_id text NOT NULL,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    store_mark_time timestamp(6) with time zone,
    CONSTRAINT cluster_pkey PRIMARY KEY (singleton),
    CONSTRAINT cluster_singleton_check CHECK (singleton)
);

CREATE TABLE datasets (
    dataset_id text NOT NULL,
    digest text NOT NULL,
    path text NOT NULL,
    class_names text[] NOT NULL,
    class_counts jsonb NOT NULL,
    problems jsonb NOT NULL,
    manifest_uri text NOT NULL,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT datasets_pkey PRIMARY KEY (dataset_id)
);

CREATE TABLE decisions (
    sweep_id text NOT NULL,
    decision_id bigint NOT NULL,
    kind text NOT NULL,
    run_id text,
    rung integer,
    rule text NOT NULL DEFAULT ''::text,
    place integer,
    cut integer,
    p_value double precision,
    alpha double precision,
    inputs jsonb NOT NULL DEFAULT '{}'::jsonb,
    reason text NOT NULL DEFAULT ''::text,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT decisions_pkey PRIMARY KEY (sweep_id, decision_id),
    CONSTRAINT decisions_kind_check CHECK (kind = ANY (ARRAY['CONTINUE'::text, 'STOP'::text, 'PAUSE'::text, 'PROMOTE'::text, 'END'::text, 'STOP_RUN'::text, 'EXTEND'::text, 'CHANGE_BUDGET'::text, 'RETRY_RUN'::text, 'PREEMPT'::text, 'SUGGEST'::text, 'SCREEN'::text, 'REPEAT'::text]))
);

CREATE TABLE deleted_sweeps (
    sweep_id text NOT NULL,
    display_name text NOT NULL,
    run_count integer NOT NULL,
    checkpoint_count integer NOT NULL,
    feature_set_count integer NOT NULL,
    manifest_count integer NOT NULL,
    size_bytes bigint NOT NULL,
    deleted_by text NOT NULL DEFAULT ''::text,
    delete_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT deleted_sweeps_pkey PRIMARY KEY (sweep_id)
);

CREATE TABLE epoch_metrics (
    run_id text NOT NULL,
    stage text NOT NULL,
    epoch integer NOT NULL,
    name text NOT NULL,
    lease_epoch integer NOT NULL,
    task_id text NOT NULL,
    value double precision NOT NULL,
    superseded_by integer,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT epoch_metrics_pkey PRIMARY KEY (run_id, stage, epoch, name, lease_epoch),
    CONSTRAINT epoch_metrics_epoch_check CHECK (epoch >= 1),
    CONSTRAINT epoch_metrics_name_check CHECK (name <> ''::text),
    CONSTRAINT epoch_metrics_stage_check CHECK (stage = ANY (ARRAY['HEAD'::text, 'FINE_TUNE'::text])),
    CONSTRAINT epoch_metrics_superseded_by_check CHECK (superseded_by > lease_epoch)
);

CREATE TABLE events (
    event_id bigint NOT NULL DEFAULT nextval('events_event_id_seq'::regclass),
    sweep_id text NOT NULL,
    kind text NOT NULL,
    payload jsonb NOT NULL,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT events_pkey PRIMARY KEY (event_id)
);

CREATE TABLE feature_sets (
    feature_key text NOT NULL,
    dataset_digest text NOT NULL,
    split text NOT NULL,
    backbone text NOT NULL,
    weights_digest text NOT NULL,
    cut text,
    image_size integer NOT NULL,
    pooling text NOT NULL,
    state text NOT NULL DEFAULT 'PLANNED'::text,
    uri text,
    shape integer[] NOT NULL DEFAULT ARRAY[]::integer[],
    row_count integer NOT NULL DEFAULT 0,
    sha256 text,
    size_bytes bigint NOT NULL DEFAULT 0,
    compute_seconds double precision,
    computed_by_task_id text,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    dtype text NOT NULL DEFAULT 'float32'::text,
    CONSTRAINT feature_sets_pkey PRIMARY KEY (feature_key),
    CONSTRAINT feature_sets_computed_check CHECK (state <> 'COMPUTED'::text OR num_nulls(uri, sha256) = 0),
    CONSTRAINT feature_sets_dtype_check CHECK (dtype = ANY (ARRAY['float32'::text, 'float16'::text])),
    CONSTRAINT feature_sets_pooling_check CHECK (pooling = ANY (ARRAY['avg'::text, 'max'::text, 'none'::text])),
    CONSTRAINT feature_sets_size_check CHECK (image_size > 0 AND row_count >= 0 AND size_bytes >= 0),
    CONSTRAINT feature_sets_split_check CHECK (split = ANY (ARRAY['train'::text, 'validation'::text, 'test'::text])),
    CONSTRAINT feature_sets_state_check CHECK (state = ANY (ARRAY['PLANNED'::text, 'COMPUTED'::text]))
);

CREATE TABLE file_removals (
    uri text NOT NULL,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT file_removals_pkey PRIMARY KEY (uri)
);

CREATE TABLE leader_leases (
    name text NOT NULL,
    holder text NOT NULL,
    term bigint NOT NULL,
    expire_time timestamp(6) with time zone NOT NULL,
    CONSTRAINT leader_leases_pkey PRIMARY KEY (name)
);

CREATE TABLE machine_faults (
    task_id text NOT NULL,
    trainer_id text NOT NULL,
    slot_index integer NOT NULL,
    code text NOT NULL,
    message text NOT NULL,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT machine_faults_pkey PRIMARY KEY (task_id, trainer_id, slot_index)
);

CREATE TABLE mlflow_runs (
    subject_id text NOT NULL,
    sweep_id text NOT NULL,
    run_id text,
    tracking_uri text,
    experiment_id text,
    mlflow_run_id text,
    artifact_uri text,
    described boolean NOT NULL DEFAULT false,
    failure_count integer NOT NULL DEFAULT 0,
    next_try_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    claim_epoch integer NOT NULL DEFAULT 0,
    claim_expire_time timestamp(6) with time zone,
    notes_sent boolean NOT NULL DEFAULT false,
    CONSTRAINT mlflow_runs_pkey PRIMARY KEY (subject_id),
    CONSTRAINT mlflow_runs_counts_check CHECK (failure_count >= 0 AND claim_epoch >= 0),
    CONSTRAINT mlflow_runs_place_check CHECK (num_nulls(tracking_uri, experiment_id, mlflow_run_id, artifact_uri) = ANY (ARRAY[0, 4])),
    CONSTRAINT mlflow_runs_subject_check CHECK (subject_id = COALESCE(run_id, sweep_id))
);

CREATE TABLE mlflow_servers (
    tracking_uri text NOT NULL,
    success_time timestamp(6) with time zone,
    failure_time timestamp(6) with time zone,
    failure_count integer NOT NULL DEFAULT 0,
    error_code text,
    error_message text NOT NULL DEFAULT ''::text,
    next_try_time timestamp(6) with time zone,
    CONSTRAINT mlflow_servers_pkey PRIMARY KEY (tracking_uri),
    CONSTRAINT mlflow_servers_failure_count_check CHECK (failure_count >= 0)
);

CREATE TABLE outbox (
    outbox_id bigint NOT NULL DEFAULT nextval('outbox_outbox_id_seq'::regclass),
    sweep_id text NOT NULL,
    run_id text,
    kind text NOT NULL,
    stage text,
    lease_epoch integer,
    epochs integer[] NOT NULL DEFAULT ARRAY[]::integer[],
    attempt_count integer NOT NULL DEFAULT 0,
    error_code text,
    error_message text NOT NULL DEFAULT ''::text,
    dead_time timestamp(6) with time zone,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT outbox_pkey PRIMARY KEY (outbox_id),
    CONSTRAINT outbox_attempt_count_check CHECK (attempt_count >= 0),
    CONSTRAINT outbox_dead_check CHECK (dead_time IS NULL OR error_code IS NOT NULL),
    CONSTRAINT outbox_kind_check CHECK (kind = ANY (ARRAY['SWEEP'::text, 'RUN'::text, 'METRICS'::text, 'TEST_RESULT'::text, 'REPORT'::text, 'MODEL'::text])),
    CONSTRAINT outbox_metrics_check CHECK (num_nonnulls(stage, lease_epoch) =
CASE
    WHEN kind = 'METRICS'::text THEN 2
    ELSE 0
END),
    CONSTRAINT outbox_run_check CHECK ((run_id IS NOT NULL) = (kind = 'RUN'::text OR kind = 'METRICS'::text OR kind = 'TEST_RESULT'::text)),
    CONSTRAINT outbox_stage_check CHECK (stage = ANY (ARRAY['HEAD'::text, 'FINE_TUNE'::text]))
);

CREATE TABLE probes (
    sweep_id text NOT NULL,
    "position" integer NOT NULL,
    task_id text NOT NULL,
    backbone text NOT NULL,
    weights text NOT NULL,
    weights_digest text NOT NULL,
    cut text,
    image_size integer NOT NULL,
    pooling text NOT NULL,
    train_image_count integer NOT NULL,
    validation_image_count integer NOT NULL,
    feature_seconds double precision NOT NULL,
    is_baseline boolean NOT NULL,
    correct bytea,
    correct_count integer,
    log_me double precision,
    penalty double precision,
    feature_count integer,
    latency_seconds double precision,
    seconds double precision,
    kept boolean,
    place integer,
    best_only_count integer,
    this_only_count integer,
    p_value double precision,
    reason text NOT NULL DEFAULT ''::text,
    CONSTRAINT probes_pkey PRIMARY KEY (sweep_id, "position"),
    CONSTRAINT probes_pooling_check CHECK (pooling = ANY (ARRAY['avg'::text, 'max'::text])),
    CONSTRAINT probes_result_check CHECK (num_nulls(correct, correct_count, log_me, penalty, feature_count, latency_seconds, seconds) = ANY (ARRAY[0, 7]))
);

CREATE TABLE repeat_results (
    run_id text NOT NULL,
    stage text NOT NULL,
    epoch integer NOT NULL,
    value double precision NOT NULL,
    standard_error double precision,
    task_id text NOT NULL,
    lease_epoch integer NOT NULL,
    correct bytea,
    losses bytea,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT repeat_results_pkey PRIMARY KEY (run_id, stage),
    CONSTRAINT repeat_results_stage_check CHECK (stage = ANY (ARRAY['HEAD'::text, 'FINE_TUNE'::text]))
);

CREATE TABLE run_parameters (
    run_id text NOT NULL,
    name text NOT NULL,
    number_value double precision,
    int_value bigint,
    bool_value boolean,
    string_value text,
    CONSTRAINT run_parameters_pkey PRIMARY KEY (run_id, name),
    CONSTRAINT run_parameters_value_check CHECK (num_nonnulls(number_value, int_value, bool_value, string_value) = 1)
);

CREATE TABLE rung_entries (
    sweep_id text NOT NULL,
    rung integer NOT NULL,
    run_id text NOT NULL,
    arrival integer NOT NULL,
    value double precision NOT NULL,
    standard_error double precision,
    epoch integer NOT NULL,
    task_id text NOT NULL,
    lease_epoch integer NOT NULL,
    correct bytea,
    losses bytea,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    completed_epochs integer,
    tie_order integer NOT NULL DEFAULT 0,
    CONSTRAINT rung_entries_pkey PRIMARY KEY (sweep_id, rung, run_id)
);

CREATE TABLE rungs (
    sweep_id text NOT NULL,
    rung integer NOT NULL,
    stage text NOT NULL,
    epoch integer,
    entry_count integer NOT NULL DEFAULT 0,
    CONSTRAINT rungs_pkey PRIMARY KEY (sweep_id, rung),
    CONSTRAINT rungs_stage_check CHECK (stage = ANY (ARRAY['HEAD'::text, 'FINE_TUNE'::text]))
);

CREATE TABLE runs (
    run_id text NOT NULL,
    sweep_id text NOT NULL,
    run_index integer NOT NULL,
    parameters_digest text NOT NULL,
    parameters jsonb NOT NULL,
    state text NOT NULL,
    state_reason text NOT NULL DEFAULT ''::text,
    stage text NOT NULL,
    epoch_count integer NOT NULL DEFAULT 0,
    epoch_limit integer NOT NULL DEFAULT 0,
    best_value double precision,
    best_stage text,
    best_epoch integer,
    best_val_loss double precision,
    best_val_accuracy double precision,
    last_value double precision,
    peak_memory_bytes bigint,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    start_time timestamp(6) with time zone,
    end_time timestamp(6) with time zone,
    head_run_id text,
    notes text NOT NULL DEFAULT ''::text,
    tags text[] NOT NULL DEFAULT '{}'::text[],
    rung integer,
    paused_rung integer,
    end_cause text,
    reused_run_id text,
    result_digest text,
    head_digest text,
    model_bytes bigint,
    parameter_count bigint,
    flops bigint,
    repeat_of text,
    CONSTRAINT runs_pkey PRIMARY KEY (run_id),
    CONSTRAINT runs_best_check CHECK (num_nulls(best_value, best_stage, best_epoch) = ANY (ARRAY[0, 3])),
    CONSTRAINT runs_best_epoch_check CHECK (best_epoch >= 1),
    CONSTRAINT runs_best_stage_check CHECK (best_stage = ANY (ARRAY['HEAD'::text, 'FINE_TUNE'::text])),
    CONSTRAINT runs_end_cause_check CHECK (end_cause = ANY (ARRAY['ALL_EPOCHS'::text, 'EARLY_STOPPING'::text, 'RULE'::text, 'NOT_PROMOTED'::text, 'BUDGET'::text, 'TARGET'::text, 'USER'::text, 'ERROR'::text, 'REUSED'::text, 'SCREENED'::text])),
    CONSTRAINT runs_head_run_id_check CHECK (head_run_id <> run_id),
    CONSTRAINT runs_repeat_of_check CHECK (repeat_of <> run_id),
    CONSTRAINT runs_reused_run_id_check CHECK (reused_run_id <> run_id),
    CONSTRAINT runs_run_index_check CHECK (run_index >= 0),
    CONSTRAINT runs_stage_check CHECK (stage = ANY (ARRAY['INDEX'::text, 'PROBE'::text, 'FEATURES'::text, 'HEAD'::text, 'FINE_TUNE'::text, 'EVALUATE'::text])),
    CONSTRAINT runs_state_check CHECK (state = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text, 'PAUSED'::text, 'STOPPING'::text, 'SUCCEEDED'::text, 'STOPPED'::text, 'CANCELLED'::text, 'FAILED'::text, 'INFEASIBLE'::text]))
);

CREATE TABLE searches (
    sweep_id text NOT NULL,
    policy jsonb NOT NULL,
    decision_count bigint NOT NULL DEFAULT 0,
    end_reason text,
    end_time timestamp(6) with time zone,
    CONSTRAINT searches_pkey PRIMARY KEY (sweep_id),
    CONSTRAINT searches_end_check CHECK ((end_reason IS NULL) = (end_time IS NULL)),
    CONSTRAINT searches_end_reason_check CHECK (end_reason = ANY (ARRAY['ALL_DECIDED'::text, 'BUDGET'::text, 'WALL_TIME'::text, 'TARGET'::text, 'USER'::text, 'SPACE_EXHAUSTED'::text, 'PATIENCE'::text]))
);

CREATE TABLE slots (
    trainer_id text NOT NULL,
    slot_index integer NOT NULL,
    device_kind text NOT NULL,
    device_name text NOT NULL,
    memory_bytes bigint NOT NULL,
    thread_count integer NOT NULL,
    bench_reason text NOT NULL DEFAULT ''::text,
    benched_by_faults boolean NOT NULL DEFAULT false,
    CONSTRAINT slots_pkey PRIMARY KEY (trainer_id, slot_index),
    CONSTRAINT slots_device_kind_check CHECK (device_kind = ANY (ARRAY['cpu'::text, 'gpu'::text])),
    CONSTRAINT slots_slot_index_check CHECK (slot_index >= 0)
);

CREATE TABLE suggestions (
    sweep_id text NOT NULL,
    round integer NOT NULL,
    "position" integer NOT NULL,
    run_id text NOT NULL,
    sampler text NOT NULL,
    decision_id bigint,
    detail jsonb NOT NULL DEFAULT '{}'::jsonb,
    CONSTRAINT suggestions_pkey PRIMARY KEY (sweep_id, round, "position"),
    CONSTRAINT suggestions_place_check CHECK (round >= 0 AND "position" >= 1)
);

CREATE TABLE sweeps (
    sweep_id text NOT NULL,
    request_id text,
    spec_digest text NOT NULL,
    display_name text NOT NULL,
    spec jsonb NOT NULL,
    state text NOT NULL,
    state_reason text NOT NULL DEFAULT ''::text,
    dataset_id text,
    objective_metric text NOT NULL,
    objective_goal text NOT NULL,
    test_policy text NOT NULL,
    varied_names text[] NOT NULL DEFAULT ARRAY[]::text[],
    weights jsonb,
    planned boolean NOT NULL DEFAULT false,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    start_time timestamp(6) with time zone,
    end_time timestamp(6) with time zone,
    planned_slot_count integer,
    forecast_wall_seconds double precision,
    forecast_alone_seconds double precision,
    traceparent text,
    dataset_problems jsonb,
    notes text NOT NULL DEFAULT ''::text,
    tags text[] NOT NULL DEFAULT '{}'::text[],
    priority integer NOT NULL DEFAULT 0,
    max_parallel_slots integer,
    budget jsonb,
    ended_seconds double precision NOT NULL DEFAULT 0,
    has_baseline boolean,
    CONSTRAINT sweeps_pkey PRIMARY KEY (sweep_id),
    CONSTRAINT sweeps_max_parallel_slots_check CHECK (max_parallel_slots > 0),
    CONSTRAINT sweeps_objective_goal_check CHECK (objective_goal = ANY (ARRAY['minimize'::text, 'maximize'::text])),
    CONSTRAINT sweeps_objective_metric_check CHECK (objective_metric = ANY (ARRAY['val_loss'::text, 'val_accuracy'::text, 'val_macro_f1'::text, 'val_balanced_accuracy'::text, 'val_auc'::text])),
    CONSTRAINT sweeps_priority_check CHECK (priority >= '-1000'::integer AND priority <= 1000),
    CONSTRAINT sweeps_state_check CHECK (state = ANY (ARRAY['ACTIVE'::text, 'PAUSED'::text, 'SUCCEEDED'::text, 'FAILED'::text, 'CANCELLED'::text])),
    CONSTRAINT sweeps_test_policy_check CHECK (test_policy = ANY (ARRAY['winner'::text, 'every_run'::text])),
    CONSTRAINT sweeps_traceparent_check CHECK (traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'::text)
);

CREATE TABLE task_dependencies (
    task_id text NOT NULL,
    depends_on_id text NOT NULL,
    CONSTRAINT task_dependencies_pkey PRIMARY KEY (task_id, depends_on_id),
    CONSTRAINT task_dependencies_depends_on_id_check CHECK (depends_on_id <> task_id)
);

CREATE TABLE task_feature_sets (
    task_id text NOT NULL,
    feature_key text NOT NULL,
    CONSTRAINT task_feature_sets_pkey PRIMARY KEY (task_id, feature_key)
);

CREATE TABLE task_runs (
    task_id text NOT NULL,
    run_id text NOT NULL,
    "position" integer NOT NULL,
    state text NOT NULL DEFAULT 'PENDING'::text,
    role text,
    source_checkpoint_id text,
    CONSTRAINT task_runs_pkey PRIMARY KEY (task_id, run_id),
    CONSTRAINT task_runs_role_check CHECK (role = ANY (ARRAY['WINNER'::text, 'BASELINE'::text, 'EVERY_RUN'::text])),
    CONSTRAINT task_runs_state_check CHECK (state = ANY (ARRAY['PENDING'::text, 'SUCCEEDED'::text, 'EARLY_STOPPED'::text, 'FAILED'::text, 'STOPPED'::text, 'PAUSED'::text]))
);

CREATE TABLE tasks (
    task_id text NOT NULL,
    sweep_id text NOT NULL,
    stage text NOT NULL,
    state text NOT NULL,
    "position" integer NOT NULL,
    description text NOT NULL DEFAULT ''::text,
    lease_epoch integer NOT NULL DEFAULT 0,
    lease_expire_time timestamp(6) with time zone,
    trainer_id text,
    slot_index integer,
    lease_request_id text,
    command text,
    not_before_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    failure_count integer NOT NULL DEFAULT 0,
    infrastructure_count integer NOT NULL DEFAULT 0,
    memory_count integer NOT NULL DEFAULT 0,
    progress_step_count bigint NOT NULL DEFAULT 0,
    progress_step_limit bigint NOT NULL DEFAULT 0,
    progress_detail text NOT NULL DEFAULT ''::text,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    start_time timestamp(6) with time zone,
    end_time timestamp(6) with time zone,
    cost_class text,
    model_seconds double precision,
    forecast_seconds double precision,
    forecast_memory_bytes bigint,
    required_memory_bytes bigint,
    peak_memory_bytes bigint,
    machine_round_count integer NOT NULL DEFAULT 0,
    partial_index jsonb,
    pause_epoch integer,
    rung integer,
    command_reason text NOT NULL DEFAULT ''::text,
    CONSTRAINT tasks_pkey PRIMARY KEY (task_id),
    CONSTRAINT tasks_command_check CHECK (command = ANY (ARRAY['ABANDON'::text, 'PAUSE'::text, 'STOP'::text, 'KILL'::text, 'CHECKPOINT_NOW'::text])),
    CONSTRAINT tasks_counts_check CHECK (failure_count >= 0 AND infrastructure_count >= 0 AND memory_count >= 0),
    CONSTRAINT tasks_lease_check CHECK ((state <> ALL (ARRAY['LEASED'::text, 'RUNNING'::text])) OR lease_epoch > 0 AND num_nulls(lease_expire_time, trainer_id, slot_index) = 0),
    CONSTRAINT tasks_lease_epoch_check CHECK (lease_epoch >= 0),
    CONSTRAINT tasks_stage_check CHECK (stage = ANY (ARRAY['INDEX'::text, 'PROBE'::text, 'FEATURES'::text, 'HEAD'::text, 'FINE_TUNE'::text, 'EVALUATE'::text])),
    CONSTRAINT tasks_state_check CHECK (state = ANY (ARRAY['WAITING'::text, 'READY'::text, 'LEASED'::text, 'RUNNING'::text, 'SUCCEEDED'::text, 'FAILED'::text, 'CANCELLED'::text]))
);

CREATE TABLE test_class_results (
    run_id text NOT NULL,
    class_index integer NOT NULL,
    class_name text NOT NULL,
    "precision" double precision NOT NULL,
    recall double precision NOT NULL,
    f1 double precision NOT NULL,
    support integer NOT NULL,
    CONSTRAINT test_class_results_pkey PRIMARY KEY (run_id, class_index)
);

CREATE TABLE test_predictions (
    run_id text NOT NULL,
    path text NOT NULL,
    label integer NOT NULL,
    predicted_label integer NOT NULL,
    probabilities double precision[] NOT NULL,
    CONSTRAINT test_predictions_pkey PRIMARY KEY (run_id, path)
);

CREATE TABLE test_results (
    run_id text NOT NULL,
    checkpoint_id text NOT NULL,
    role text NOT NULL,
    accuracy double precision NOT NULL,
    accuracy_low double precision NOT NULL,
    accuracy_high double precision NOT NULL,
    loss double precision NOT NULL,
    roc_auc double precision,
    image_count integer NOT NULL,
    correct_count integer NOT NULL,
    confusion_matrix integer[] NOT NULL,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    macro_f1 double precision,
    balanced_accuracy double precision,
    CONSTRAINT test_results_pkey PRIMARY KEY (run_id),
    CONSTRAINT test_results_accuracy_check CHECK (accuracy >= 0::double precision AND accuracy <= 1::double precision),
    CONSTRAINT test_results_accuracy_high_check CHECK (accuracy_high >= 0::double precision AND accuracy_high <= 1::double precision),
    CONSTRAINT test_results_accuracy_low_check CHECK (accuracy_low >= 0::double precision AND accuracy_low <= 1::double precision),
    CONSTRAINT test_results_count_check CHECK (correct_count >= 0 AND correct_count <= image_count),
    CONSTRAINT test_results_role_check CHECK (role = ANY (ARRAY['WINNER'::text, 'BASELINE'::text, 'EVERY_RUN'::text]))
);

CREATE TABLE tokens (
    token_id text NOT NULL,
    token_hash text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    expire_time timestamp(6) with time zone,
    revoke_time timestamp(6) with time zone,
    last_use_time timestamp(6) with time zone,
    trainer_ids text[] NOT NULL DEFAULT '{}'::text[],
    CONSTRAINT tokens_pkey PRIMARY KEY (token_id),
    CONSTRAINT tokens_name_check CHECK (name <> ''::text),
    CONSTRAINT tokens_role_check CHECK (role = ANY (ARRAY['VIEWER'::text, 'SUBMITTER'::text, 'TRAINER'::text, 'ADMIN'::text])),
    CONSTRAINT tokens_token_hash_check CHECK (token_hash ~ '^[0-9a-f]{64}$'::text),
    CONSTRAINT tokens_trainer_ids_check CHECK (trainer_ids = '{}'::text[] OR role = 'TRAINER'::text)
);

CREATE TABLE trainers (
    trainer_id text NOT NULL,
    hostname text NOT NULL,
    version text NOT NULL,
    engine_version text NOT NULL,
    state text NOT NULL,
    heartbeat_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    secret_hash text,
    refusal_count integer NOT NULL DEFAULT 0,
    drain_reason text,
    recipe_version integer,
    stages text[] NOT NULL DEFAULT ARRAY['INDEX'::text, 'FEATURES'::text, 'HEAD'::text, 'FINE_TUNE'::text, 'EVALUATE'::text],
    CONSTRAINT trainers_pkey PRIMARY KEY (trainer_id),
    CONSTRAINT trainers_refusal_count_check CHECK (refusal_count >= 0),
    CONSTRAINT trainers_secret_hash_check CHECK (secret_hash ~ '^[0-9a-f]{64}$'::text),
    CONSTRAINT trainers_state_check CHECK (state = ANY (ARRAY['READY'::text, 'DRAINING'::text, 'LOST'::text]))
);

CREATE TABLE winners (
    sweep_id text NOT NULL,
    run_id text NOT NULL,
    rule text NOT NULL,
    best_run_id text NOT NULL,
    score double precision NOT NULL,
    measurement_count integer NOT NULL,
    expected_score double precision,
    rival_count integer NOT NULL,
    cheaper_run_id text,
    cheaper_part double precision,
    cheaper_difference double precision,
    cheaper_difference_standard_error double precision,
    statements text[] NOT NULL,
    create_time timestamp(6) with time zone NOT NULL DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT winners_pkey PRIMARY KEY (sweep_id),
    CONSTRAINT winners_rule_check CHECK (rule = ANY (ARRAY['best'::text, 'one_standard_error'::text]))
);

-- Owners of sequences.

ALTER SEQUENCE events_event_id_seq OWNED BY events.event_id;
ALTER SEQUENCE outbox_outbox_id_seq OWNED BY outbox.outbox_id;

-- Foreign keys.

ALTER TABLE attempts ADD CONSTRAINT attempts_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id);
ALTER TABLE checkpoints ADD CONSTRAINT checkpoints_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE decisions ADD CONSTRAINT decisions_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE decisions ADD CONSTRAINT decisions_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES searches(sweep_id);
ALTER TABLE events ADD CONSTRAINT events_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES sweeps(sweep_id);
ALTER TABLE machine_faults ADD CONSTRAINT machine_faults_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id);
ALTER TABLE machine_faults ADD CONSTRAINT machine_faults_trainer_id_fkey FOREIGN KEY (trainer_id) REFERENCES trainers(trainer_id);
ALTER TABLE mlflow_runs ADD CONSTRAINT mlflow_runs_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE mlflow_runs ADD CONSTRAINT mlflow_runs_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES sweeps(sweep_id);
ALTER TABLE outbox ADD CONSTRAINT outbox_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE outbox ADD CONSTRAINT outbox_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES sweeps(sweep_id);
ALTER TABLE probes ADD CONSTRAINT probes_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES searches(sweep_id);
ALTER TABLE probes ADD CONSTRAINT probes_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id);
ALTER TABLE repeat_results ADD CONSTRAINT repeat_results_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE run_parameters ADD CONSTRAINT run_parameters_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE rung_entries ADD CONSTRAINT rung_entries_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE rung_entries ADD CONSTRAINT rung_entries_sweep_id_rung_fkey FOREIGN KEY (sweep_id, rung) REFERENCES rungs(sweep_id, rung);
ALTER TABLE rungs ADD CONSTRAINT rungs_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES searches(sweep_id);
ALTER TABLE runs ADD CONSTRAINT runs_head_run_id_fkey FOREIGN KEY (head_run_id) REFERENCES runs(run_id);
ALTER TABLE runs ADD CONSTRAINT runs_repeat_of_fkey FOREIGN KEY (repeat_of) REFERENCES runs(run_id);
ALTER TABLE runs ADD CONSTRAINT runs_reused_run_id_fkey FOREIGN KEY (reused_run_id) REFERENCES runs(run_id);
ALTER TABLE runs ADD CONSTRAINT runs_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES sweeps(sweep_id);
ALTER TABLE searches ADD CONSTRAINT searches_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES sweeps(sweep_id);
ALTER TABLE slots ADD CONSTRAINT slots_trainer_id_fkey FOREIGN KEY (trainer_id) REFERENCES trainers(trainer_id);
ALTER TABLE suggestions ADD CONSTRAINT suggestions_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE suggestions ADD CONSTRAINT suggestions_sweep_id_decision_id_fkey FOREIGN KEY (sweep_id, decision_id) REFERENCES decisions(sweep_id, decision_id);
ALTER TABLE suggestions ADD CONSTRAINT suggestions_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES sweeps(sweep_id);
ALTER TABLE sweeps ADD CONSTRAINT sweeps_dataset_id_fkey FOREIGN KEY (dataset_id) REFERENCES datasets(dataset_id);
ALTER TABLE task_dependencies ADD CONSTRAINT task_dependencies_depends_on_id_fkey FOREIGN KEY (depends_on_id) REFERENCES tasks(task_id);
ALTER TABLE task_dependencies ADD CONSTRAINT task_dependencies_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id);
ALTER TABLE task_feature_sets ADD CONSTRAINT task_feature_sets_feature_key_fkey FOREIGN KEY (feature_key) REFERENCES feature_sets(feature_key);
ALTER TABLE task_feature_sets ADD CONSTRAINT task_feature_sets_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id);
ALTER TABLE task_runs ADD CONSTRAINT task_runs_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE task_runs ADD CONSTRAINT task_runs_task_id_fkey FOREIGN KEY (task_id) REFERENCES tasks(task_id);
ALTER TABLE tasks ADD CONSTRAINT tasks_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES sweeps(sweep_id);
ALTER TABLE test_class_results ADD CONSTRAINT test_class_results_run_id_fkey FOREIGN KEY (run_id) REFERENCES test_results(run_id);
ALTER TABLE test_predictions ADD CONSTRAINT test_predictions_run_id_fkey FOREIGN KEY (run_id) REFERENCES test_results(run_id);
ALTER TABLE test_results ADD CONSTRAINT test_results_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE winners ADD CONSTRAINT winners_best_run_id_fkey FOREIGN KEY (best_run_id) REFERENCES runs(run_id);
ALTER TABLE winners ADD CONSTRAINT winners_cheaper_run_id_fkey FOREIGN KEY (cheaper_run_id) REFERENCES runs(run_id);
ALTER TABLE winners ADD CONSTRAINT winners_run_id_fkey FOREIGN KEY (run_id) REFERENCES runs(run_id);
ALTER TABLE winners ADD CONSTRAINT winners_sweep_id_fkey FOREIGN KEY (sweep_id) REFERENCES sweeps(sweep_id);

-- Indexes.

CREATE UNIQUE INDEX attempts_live_task_key ON attempts USING btree (task_id) WHERE state = ANY (ARRAY['LEASED'::text, 'RUNNING'::text]);
CREATE UNIQUE INDEX attempts_trainer_id_slot_index_request_id_key ON attempts USING btree (trainer_id, slot_index, request_id);
CREATE INDEX checkpoints_deleting_idx ON checkpoints USING btree (create_time) WHERE state = 'DELETING'::text;
CREATE INDEX checkpoints_handle_idx ON checkpoints USING btree (checkpoint_id text_pattern_ops) WHERE state = 'STORED'::text;
CREATE INDEX checkpoints_run_id_stage_epoch_idx ON checkpoints USING btree (run_id, stage, epoch);
CREATE UNIQUE INDEX checkpoints_uri_key ON checkpoints USING btree (uri);
CREATE UNIQUE INDEX datasets_digest_key ON datasets USING btree (digest);
CREATE INDEX decisions_run_id_idx ON decisions USING btree (run_id);
CREATE INDEX epoch_metrics_superseded_idx ON epoch_metrics USING btree (task_id, lease_epoch, run_id) WHERE superseded_by IS NOT NULL;
CREATE UNIQUE INDEX epoch_metrics_surviving_key ON epoch_metrics USING btree (run_id, stage, epoch, name) WHERE superseded_by IS NULL;
CREATE INDEX events_sweep_id_event_id_idx ON events USING btree (sweep_id, event_id);
CREATE INDEX events_sweep_state_idx ON events USING btree (sweep_id, create_time) WHERE kind = 'SWEEP_STATE'::text;
CREATE UNIQUE INDEX mlflow_runs_run_id_key ON mlflow_runs USING btree (run_id);
CREATE INDEX outbox_dead_idx ON outbox USING btree (outbox_id) WHERE dead_time IS NOT NULL;
CREATE INDEX outbox_pending_idx ON outbox USING btree (COALESCE(run_id, sweep_id), outbox_id) WHERE dead_time IS NULL;
CREATE UNIQUE INDEX probes_task_id_key ON probes USING btree (task_id);
CREATE INDEX run_parameters_name_idx ON run_parameters USING btree (name);
CREATE INDEX rung_entries_run_id_idx ON rung_entries USING btree (run_id);
CREATE UNIQUE INDEX rung_entries_sweep_id_rung_arrival_key ON rung_entries USING btree (sweep_id, rung, arrival);
CREATE INDEX runs_ended_idx ON runs USING btree (sweep_id, end_time, run_id) WHERE (state = ANY (ARRAY['SUCCEEDED'::text, 'FAILED'::text, 'INFEASIBLE'::text])) AND start_time IS NOT NULL;
CREATE INDEX runs_head_digest_idx ON runs USING btree (head_digest) WHERE reused_run_id IS NULL AND head_run_id IS NULL;
CREATE INDEX runs_head_run_id_idx ON runs USING btree (head_run_id);
CREATE INDEX runs_live_idx ON runs USING btree (sweep_id) WHERE state = ANY (ARRAY['QUEUED'::text, 'RUNNING'::text, 'PAUSED'::text, 'STOPPING'::text]);
CREATE INDEX runs_repeat_of_idx ON runs USING btree (repeat_of) WHERE repeat_of IS NOT NULL;
CREATE INDEX runs_result_digest_idx ON runs USING btree (result_digest) WHERE reused_run_id IS NULL;
CREATE INDEX runs_reused_run_id_idx ON runs USING btree (reused_run_id) WHERE reused_run_id IS NOT NULL;
CREATE UNIQUE INDEX runs_sweep_id_parameters_digest_key ON runs USING btree (sweep_id, parameters_digest);
CREATE UNIQUE INDEX runs_sweep_id_run_index_key ON runs USING btree (sweep_id, run_index);
CREATE UNIQUE INDEX suggestions_run_id_key ON suggestions USING btree (run_id);
CREATE INDEX sweeps_create_time_idx ON sweeps USING btree (create_time);
CREATE INDEX sweeps_handle_id_idx ON sweeps USING btree (lower(sweep_id) text_pattern_ops);
CREATE INDEX sweeps_handle_name_idx ON sweeps USING btree (lower(display_name) text_pattern_ops) WHERE display_name <> ''::text;
CREATE UNIQUE INDEX sweeps_request_id_key ON sweeps USING btree (request_id);
CREATE INDEX sweeps_tags_idx ON sweeps USING gin (tags);
CREATE INDEX task_dependencies_depends_on_id_idx ON task_dependencies USING btree (depends_on_id);
CREATE INDEX task_feature_sets_feature_key_idx ON task_feature_sets USING btree (feature_key);
CREATE INDEX task_runs_run_id_idx ON task_runs USING btree (run_id);
CREATE INDEX task_runs_source_checkpoint_id_idx ON task_runs USING btree (source_checkpoint_id) WHERE source_checkpoint_id IS NOT NULL;
CREATE INDEX tasks_lease_expire_time_idx ON tasks USING btree (lease_expire_time) WHERE state = ANY (ARRAY['LEASED'::text, 'RUNNING'::text]);
CREATE UNIQUE INDEX tasks_live_slot_key ON tasks USING btree (trainer_id, slot_index) WHERE state = ANY (ARRAY['LEASED'::text, 'RUNNING'::text]);
CREATE INDEX tasks_measured_idx ON tasks USING btree (end_time) WHERE state = 'SUCCEEDED'::text AND lease_epoch = 1 AND model_seconds IS NOT NULL;
CREATE INDEX tasks_peak_memory_idx ON tasks USING btree (cost_class, end_time) WHERE peak_memory_bytes > 0 AND forecast_memory_bytes > 0;
CREATE INDEX tasks_ready_idx ON tasks USING btree (not_before_time, "position") WHERE state = 'READY'::text;
CREATE INDEX tasks_ready_shared_idx ON tasks USING btree (sweep_id) WHERE state = 'READY'::text AND (stage = ANY (ARRAY['INDEX'::text, 'FEATURES'::text]));
CREATE INDEX tasks_sweep_id_position_idx ON tasks USING btree (sweep_id, "position");
CREATE INDEX tasks_sweep_ready_idx ON tasks USING btree (sweep_id, "position", task_id) WHERE state = 'READY'::text;
CREATE INDEX test_results_checkpoint_id_idx ON test_results USING btree (checkpoint_id);
CREATE INDEX test_results_winner_idx ON test_results USING btree (run_id) WHERE role = 'WINNER'::text;
CREATE UNIQUE INDEX tokens_token_hash_key ON tokens USING btree (token_hash);

-- Functions.

CREATE OR REPLACE FUNCTION public.bit_values(data bytea, value_count integer)
 RETURNS double precision[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN (SELECT array_agg((get_bit(bit_values.data, (i.i)::bigint))::double precision ORDER BY i.i) AS array_agg FROM generate_series(0, (LEAST(bit_values.value_count, (8 * length(bit_values.data))) - 1)) i(i));

CREATE OR REPLACE FUNCTION public.check_metric_runs()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
DECLARE
    missing text;
BEGIN
    -- The lock of a foreign key: nobody deletes a run while its metrics are being written.
    PERFORM FROM runs r WHERE r.run_id IN (SELECT a.run_id FROM added a) FOR KEY SHARE;
    SELECT a.run_id INTO missing
      FROM (SELECT DISTINCT run_id FROM added) a
     WHERE NOT EXISTS (SELECT FROM runs r WHERE r.run_id = a.run_id)
     LIMIT 1;
    IF missing IS NOT NULL THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('metrics can only be stored of a run that exists; received %L', missing),
            TABLE = 'epoch_metrics', CONSTRAINT = 'epoch_metrics_check_runs';
    END IF;
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.float32_values(data bytea)
 RETURNS double precision[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN (SELECT array_agg(CASE WHEN (parts.exponent = 255) THEN 'NaN'::double precision WHEN (parts.exponent = 0) THEN (((parts.sign * parts.mantissa))::double precision * power((2)::double precision, ('-149'::integer)::double precision)) ELSE (((parts.sign * (8388608 + parts.mantissa)))::double precision * power((2)::double precision, ((parts.exponent - 150))::double precision)) END ORDER BY parts.i) AS array_agg FROM (SELECT bytes.i, CASE WHEN (bytes.high >= 128) THEN '-1'::integer ELSE 1 END AS sign, (((bytes.high & 127) * 2) + (bytes.middle / 128)) AS exponent, (((bytes.middle & 127) * 65536) + bytes.low) AS mantissa FROM (SELECT i.i, get_byte(float32_values.data, ((4 * i.i) + 3)) AS high, get_byte(float32_values.data, ((4 * i.i) + 2)) AS middle, ((get_byte(float32_values.data, ((4 * i.i) + 1)) * 256) + get_byte(float32_values.data, (4 * i.i))) AS low FROM generate_series(0, ((length(float32_values.data) / 4) - 1)) i(i)) bytes) parts);

CREATE OR REPLACE FUNCTION public.grant_reader()
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    own_schema name;
    view_name name;
BEGIN
    IF to_regrole('graft_reader') IS NULL THEN
        RAISE NOTICE 'There is no role graft_reader. Have an administrator run CREATE ROLE graft_reader NOLOGIN, then run SELECT grant_reader() in this database.';
        RETURN;
    END IF;
    FOR own_schema IN
        SELECT n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.proname = 'grant_reader' AND p.pronargs = 0 AND pg_has_role(p.proowner, 'USAGE')
           AND EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = n.oid AND c.relname = '_prisma_migrations')
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO graft_reader', own_schema);
        FOR view_name IN
            SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = own_schema AND c.relkind = 'v' AND pg_has_role(c.relowner, 'USAGE')
               -- Those of extensions are not ours to grant.
               AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
        LOOP
            EXECUTE format('GRANT SELECT ON %I.%I TO graft_reader', own_schema, view_name);
        END LOOP;
    END LOOP;
END
$function$;

CREATE OR REPLACE FUNCTION public.keep_measured_run()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF EXISTS (SELECT FROM epoch_metrics m WHERE m.run_id = OLD.run_id) THEN
        RAISE foreign_key_violation USING
            MESSAGE = format('run %L has metrics; delete them first', OLD.run_id),
            TABLE = 'runs', CONSTRAINT = 'runs_keep_measured';
    END IF;
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.notify_event()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM pg_notify('graft_events', a.sweep_id) FROM (SELECT DISTINCT sweep_id FROM added) a;
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.notify_place()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF EXISTS (SELECT 1 FROM sweeps WHERE sweep_id = NEW.sweep_id AND max_parallel_slots IS NOT NULL) THEN
        PERFORM pg_notify('graft_tasks', NEW.sweep_id);
    END IF;
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.notify_task()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM pg_notify('graft_tasks', NEW.sweep_id);
    RETURN NULL;
END
$function$;

CREATE OR REPLACE FUNCTION public.paired_standard_error(first double precision[], second double precision[])
 RETURNS double precision
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE STRICT
RETURN (SELECT CASE WHEN (cardinality(paired_standard_error.first) = cardinality(paired_standard_error.second)) THEN (stddev_samp((pairs.a - pairs.b)) / sqrt((count(*))::double precision)) ELSE NULL::double precision END AS "case" FROM UNNEST(paired_standard_error.first, paired_standard_error.second) pairs(a, b));

CREATE OR REPLACE FUNCTION public.run_rank_key(state text, objective_metric text, objective_goal text, best_value double precision, best_val_loss double precision, best_val_accuracy double precision, run_index integer)
 RETURNS double precision[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
SELECT ARRAY[
    CASE WHEN best_value IS NULL OR best_value IN ('NaN', 'Infinity', '-Infinity') THEN 1 ELSE 0 END,
    CASE WHEN state IN ('FAILED', 'CANCELLED', 'INFEASIBLE') THEN 1 ELSE 0 END,
    CASE
        WHEN best_value IS NULL OR best_value IN ('NaN', 'Infinity', '-Infinity') THEN 0
        WHEN objective_goal = 'maximize' THEN - best_value
        ELSE best_value
    END,
    CASE WHEN objective_metric = 'val_loss' THEN - COALESCE(best_val_accuracy, 'NaN') ELSE COALESCE(best_val_loss, 'NaN') END,
    run_index
]::double precision[]
$function$;

-- Triggers.

CREATE TRIGGER epoch_metrics_check_runs AFTER INSERT ON epoch_metrics REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION check_metric_runs();
CREATE TRIGGER events_notify AFTER INSERT ON events REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION notify_event();
CREATE TRIGGER runs_keep_measured_delete AFTER DELETE ON runs FOR EACH ROW EXECUTE FUNCTION keep_measured_run();
CREATE TRIGGER runs_keep_measured_update AFTER UPDATE OF run_id ON runs FOR EACH ROW WHEN (old.run_id <> new.run_id) EXECUTE FUNCTION keep_measured_run();
CREATE TRIGGER sweeps_notify_resume AFTER UPDATE OF state ON sweeps FOR EACH ROW WHEN (new.state = 'ACTIVE'::text AND old.state <> 'ACTIVE'::text) EXECUTE FUNCTION notify_task();
CREATE TRIGGER sweeps_notify_schedule AFTER UPDATE OF priority, max_parallel_slots ON sweeps FOR EACH ROW WHEN (new.state = 'ACTIVE'::text AND (new.priority IS DISTINCT FROM old.priority OR new.max_parallel_slots IS DISTINCT FROM old.max_parallel_slots)) EXECUTE FUNCTION notify_task();
CREATE TRIGGER tasks_notify_insert AFTER INSERT ON tasks FOR EACH ROW WHEN (new.state = 'READY'::text) EXECUTE FUNCTION notify_task();
CREATE TRIGGER tasks_notify_place AFTER UPDATE OF state ON tasks FOR EACH ROW WHEN ((old.state = ANY (ARRAY['LEASED'::text, 'RUNNING'::text])) AND (new.state <> ALL (ARRAY['LEASED'::text, 'RUNNING'::text]))) EXECUTE FUNCTION notify_place();
CREATE TRIGGER tasks_notify_update AFTER UPDATE OF state ON tasks FOR EACH ROW WHEN (new.state = 'READY'::text AND old.state <> 'READY'::text) EXECUTE FUNCTION notify_task();

-- Views, in the order in which they were made.

CREATE VIEW leaderboard AS
 SELECT r.sweep_id,
    row_number() OVER (PARTITION BY r.sweep_id ORDER BY (run_rank_key(r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index)))::integer AS rank,
    r.run_id,
    r.run_index,
    r.state,
    COALESCE(varied.parameters, ''::text) AS parameters,
    s.objective_metric,
    r.best_value,
    r.best_stage,
    r.best_epoch,
    r.best_val_loss,
    r.best_val_accuracy,
    r.last_value,
    t.accuracy AS test_accuracy,
    t.accuracy_low AS test_accuracy_low,
    t.accuracy_high AS test_accuracy_high,
    t.role AS test_role,
    EXTRACT(epoch FROM COALESCE(r.end_time, now()) - r.start_time)::double precision AS seconds,
    t.macro_f1 AS test_macro_f1,
    t.balanced_accuracy AS test_balanced_accuracy,
    t.roc_auc AS test_roc_auc,
    ( SELECT array_agg(c.class_name ORDER BY c.class_index) AS array_agg
           FROM test_class_results c
          WHERE c.run_id = t.run_id AND c.recall = 0::double precision AND c.support > 0) AS never_found_classes,
    r.notes,
    r.tags,
    r.state_reason,
    r.end_cause,
    r.rung,
    r.paused_rung,
    r.reused_run_id,
    t.checkpoint_id AS test_checkpoint_id,
    r.model_bytes,
    r.parameter_count,
    r.flops
   FROM sweeps s
     JOIN runs r ON r.sweep_id = s.sweep_id
     LEFT JOIN test_results t ON t.run_id = r.run_id
     LEFT JOIN LATERAL ( SELECT string_agg((p.name || '='::text) || COALESCE(p.number_value::text, p.int_value::text, p.bool_value::text, p.string_value), ' '::text ORDER BY v.place) AS parameters
           FROM unnest(s.varied_names) WITH ORDINALITY v(name, place)
             JOIN run_parameters p ON p.run_id = r.run_id AND p.name = v.name) varied ON true
  WHERE r.repeat_of IS NULL;

CREATE VIEW epoch_curves AS
 SELECT r.sweep_id,
    r.run_id,
    r.run_index,
    m.stage,
    m.epoch,
    max(m.value) FILTER (WHERE m.name = 'loss'::text) AS loss,
    max(m.value) FILTER (WHERE m.name = 'accuracy'::text) AS accuracy,
    max(m.value) FILTER (WHERE m.name = 'val_loss'::text) AS val_loss,
    max(m.value) FILTER (WHERE m.name = 'val_accuracy'::text) AS val_accuracy,
    max(m.value) FILTER (WHERE m.name = 'learning_rate'::text) AS learning_rate,
    max(m.value) FILTER (WHERE m.name = 'seconds'::text) AS seconds,
    max(m.value) FILTER (WHERE m.name = 'images_per_second'::text) AS images_per_second,
    r.trained_run_id,
    max(m.value) FILTER (WHERE m.name = 'val_macro_f1'::text) AS val_macro_f1,
    max(m.value) FILTER (WHERE m.name = 'val_balanced_accuracy'::text) AS val_balanced_accuracy,
    max(m.value) FILTER (WHERE m.name = 'val_auc'::text) AS val_auc
   FROM ( SELECT o.sweep_id,
            o.run_id,
            o.run_index,
            o.run_id AS trained_run_id,
            false AS shared
           FROM runs o
        UNION ALL
         SELECT f.sweep_id,
            f.run_id,
            f.run_index,
            f.head_run_id,
            true
           FROM runs f
          WHERE f.head_run_id IS NOT NULL
        UNION ALL
         SELECT u.sweep_id,
            u.run_id,
            u.run_index,
            u.reused_run_id,
            false
           FROM runs u
          WHERE u.reused_run_id IS NOT NULL
        UNION ALL
         SELECT u.sweep_id,
            u.run_id,
            u.run_index,
            o.head_run_id,
            true
           FROM runs u
             JOIN runs o ON o.run_id = u.reused_run_id
          WHERE o.head_run_id IS NOT NULL) r
     JOIN epoch_metrics m ON m.run_id = r.trained_run_id AND (NOT r.shared OR m.stage = 'HEAD'::text)
  WHERE m.superseded_by IS NULL
  GROUP BY r.sweep_id, r.run_id, r.run_index, r.trained_run_id, m.stage, m.epoch;

CREATE VIEW sweep_summaries AS
 SELECT s.sweep_id,
    s.display_name,
    s.state,
    s.state_reason,
    s.objective_metric,
    s.objective_goal,
    s.varied_names,
    s.dataset_id,
    d.digest AS dataset_digest,
    COALESCE((s.spec -> 'dataset'::text) ->> 'path'::text, d.path) AS dataset_path,
    d.class_names,
    runs.run_count,
    runs.succeeded_count,
    runs.failed_count,
    work.attempt_count,
    work.slot_seconds,
    s.create_time,
    s.start_time,
    s.end_time,
    runs.infeasible_count,
    runs.stopped_count,
    runs.cancelled_count,
    best.run_id AS best_run_id,
    s.notes,
    s.tags,
    runs.reused_count,
    runs.repeat_count,
    ( SELECT w.run_id
           FROM winners w
          WHERE w.sweep_id = s.sweep_id) AS winner_run_id
   FROM sweeps s
     LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
     CROSS JOIN LATERAL ( SELECT count(*)::integer AS run_count,
            count(*) FILTER (WHERE r.state = 'SUCCEEDED'::text)::integer AS succeeded_count,
            count(*) FILTER (WHERE r.state = ANY (ARRAY['FAILED'::text, 'INFEASIBLE'::text]))::integer AS failed_count,
            count(*) FILTER (WHERE r.state = 'INFEASIBLE'::text)::integer AS infeasible_count,
            count(*) FILTER (WHERE r.state = 'STOPPED'::text)::integer AS stopped_count,
            count(*) FILTER (WHERE r.state = 'CANCELLED'::text)::integer AS cancelled_count,
            count(r.reused_run_id)::integer AS reused_count,
            count(r.repeat_of)::integer AS repeat_count
           FROM runs r
          WHERE r.sweep_id = s.sweep_id) runs
     CROSS JOIN LATERAL ( SELECT count(*)::integer AS attempt_count,
            COALESCE(EXTRACT(epoch FROM sum(COALESCE(a.end_time, now()) - a.create_time)), 0::numeric)::double precision AS slot_seconds
           FROM tasks t
             JOIN attempts a ON a.task_id = t.task_id
          WHERE t.sweep_id = s.sweep_id) work
     LEFT JOIN LATERAL ( SELECT r.run_id
           FROM runs r
             CROSS JOIN LATERAL ( SELECT run_rank_key(r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index) AS rank_key) k
          WHERE r.sweep_id = s.sweep_id AND r.repeat_of IS NULL AND k.rank_key[1] = 0::double precision AND k.rank_key[2] = 0::double precision
          ORDER BY k.rank_key
         LIMIT 1) best ON true;

CREATE VIEW run_parameter_values AS
 SELECT r.sweep_id,
    p.run_id,
    r.run_index,
    p.name,
    COALESCE(p.number_value::text, p.int_value::text, p.bool_value::text, p.string_value) AS value,
    COALESCE(p.number_value, p.int_value::double precision) AS number,
    p.name = ANY (s.varied_names) AS varied
   FROM runs r
     JOIN sweeps s ON s.sweep_id = r.sweep_id
     JOIN run_parameters p ON p.run_id = r.run_id;

CREATE VIEW parameter_effects AS
 SELECT r.sweep_id,
    p.name,
    COALESCE(p.number_value::text, p.int_value::text, p.bool_value::text, p.string_value) AS value,
    COALESCE(p.number_value, p.int_value::double precision) AS number,
    s.objective_metric,
    count(*)::integer AS run_count,
    count(o.value)::integer AS counted_count,
    avg(o.value) AS mean_value,
    stddev_samp(o.value) AS deviation,
        CASE s.objective_goal
            WHEN 'maximize'::text THEN max(o.value)
            ELSE min(o.value)
        END AS best_value,
    (array_agg(r.run_id ORDER BY k.rank_key) FILTER (WHERE o.value IS NOT NULL))[1] AS best_run_id
   FROM runs r
     JOIN sweeps s ON s.sweep_id = r.sweep_id
     JOIN run_parameters p ON p.run_id = r.run_id AND (p.name = ANY (s.varied_names))
     CROSS JOIN LATERAL ( SELECT run_rank_key(r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index) AS rank_key) k
     CROSS JOIN LATERAL ( SELECT
                CASE
                    WHEN k.rank_key[1] = 0::double precision AND k.rank_key[2] = 0::double precision THEN r.best_value
                    ELSE NULL::double precision
                END AS value) o
  WHERE r.repeat_of IS NULL
  GROUP BY r.sweep_id, s.sweep_id, p.name, p.number_value, p.int_value, p.bool_value, p.string_value;

CREATE VIEW run_attempts AS
 SELECT t.sweep_id,
    tr.run_id,
    r.run_index,
    t.stage,
    a.task_id,
    a.lease_epoch,
    a.trainer_id,
    a.slot_index,
    a.state,
    a.error_class,
    a.error_code,
    a.message,
    a.thread_count,
    a.create_time AS start_time,
    a.end_time,
    span.seconds,
    served.run_count::integer AS run_count,
    span.seconds / GREATEST(served.run_count, 1::bigint)::double precision AS run_seconds,
    lost.epochs AS lost_epochs,
    lost.seconds / GREATEST(served.run_count, 1::bigint)::double precision AS lost_seconds
   FROM tasks t
     JOIN attempts a ON a.task_id = t.task_id
     LEFT JOIN task_runs tr ON tr.task_id = t.task_id
     LEFT JOIN runs r ON r.run_id = tr.run_id
     CROSS JOIN LATERAL ( SELECT EXTRACT(epoch FROM COALESCE(a.end_time, now()) - a.create_time)::double precision AS seconds) span
     CROSS JOIN LATERAL ( SELECT count(*) AS run_count
           FROM task_runs o
          WHERE o.task_id = t.task_id) served
     CROSS JOIN LATERAL ( SELECT count(DISTINCT m.epoch)::integer AS epochs,
            COALESCE(sum(m.value) FILTER (WHERE m.name = 'seconds'::text), 0::double precision) AS seconds
           FROM epoch_metrics m
          WHERE m.task_id = a.task_id AND m.lease_epoch = a.lease_epoch AND m.run_id = tr.run_id AND m.superseded_by IS NOT NULL) lost;

CREATE VIEW checkpoint_lineage AS
 SELECT r.sweep_id,
    c.run_id,
    r.run_index,
    c.checkpoint_id,
    c.stage,
    c.epoch,
    c.kind,
    c.state,
    c.value,
    c.stage = r.best_stage AND c.epoch = r.best_epoch AND c.kind = 'BEST'::text AS best_of_run,
    e.role AS test_role,
    COALESCE(resumed.checkpoint_id, tr.source_checkpoint_id) AS parent_checkpoint_id,
        CASE
            WHEN resumed.checkpoint_id IS NOT NULL THEN 'RESUMED'::text
            WHEN tr.source_checkpoint_id IS NOT NULL THEN 'STARTED_FROM'::text
            ELSE 'PRETRAINED'::text
        END AS origin,
    ( SELECT w.value ->> 'digest'::text
           FROM jsonb_array_elements(
                CASE jsonb_typeof(s.weights)
                    WHEN 'array'::text THEN s.weights
                    ELSE '[]'::jsonb
                END) w(value)
          WHERE (w.value ->> 'backbone'::text) = (r.parameters ->> 'backbone'::text) AND COALESCE(w.value ->> 'weights'::text, 'imagenet'::text) = COALESCE(r.parameters ->> 'weights'::text, 'imagenet'::text)
         LIMIT 1) AS weights_digest,
    d.digest AS dataset_digest,
    c.task_id,
    c.lease_epoch,
    a.trainer_id,
    a.slot_index,
    a.thread_count,
    c.uri,
    c.sha256,
    c.size_bytes,
    c.create_time,
    c.delete_time
   FROM checkpoints c
     JOIN runs r ON r.run_id = c.run_id
     JOIN sweeps s ON s.sweep_id = r.sweep_id
     LEFT JOIN datasets d ON d.dataset_id = s.dataset_id
     LEFT JOIN attempts a ON a.task_id = c.task_id AND a.lease_epoch = c.lease_epoch
     LEFT JOIN task_runs tr ON tr.task_id = c.task_id AND tr.run_id = c.run_id
     LEFT JOIN LATERAL ( SELECT t.role
           FROM test_results t
          WHERE t.checkpoint_id = c.checkpoint_id
          ORDER BY (array_position(ARRAY['WINNER'::text, 'BASELINE'::text, 'EVERY_RUN'::text], t.role))
         LIMIT 1) e ON true
     LEFT JOIN LATERAL ( SELECT p.checkpoint_id
           FROM checkpoints p
          WHERE p.run_id = c.run_id AND p.stage = c.stage AND p.kind = 'LAST'::text AND p.lease_epoch < c.lease_epoch
          ORDER BY p.epoch DESC, p.create_time DESC
         LIMIT 1) resumed ON true;

CREATE VIEW slot_utilisation AS
 SELECT k.trainer_id,
    k.slot_index,
    n.hostname,
    s.device_kind,
    s.device_name,
    n.state AS trainer_state,
    work.attempt_count,
    work.lost_count,
    work.first_time,
    work.last_time,
    work.busy_seconds,
    work.lost_seconds,
    work.busy_seconds / NULLIF(EXTRACT(epoch FROM work.last_time - work.first_time)::double precision, 0::double precision) AS busy_share
   FROM ( SELECT slots.trainer_id,
            slots.slot_index
           FROM slots
        UNION
         SELECT attempts.trainer_id,
            attempts.slot_index
           FROM attempts) k
     LEFT JOIN trainers n ON n.trainer_id = k.trainer_id
     LEFT JOIN slots s ON s.trainer_id = k.trainer_id AND s.slot_index = k.slot_index
     CROSS JOIN LATERAL ( SELECT count(*)::integer AS attempt_count,
            count(*) FILTER (WHERE a.state = ANY (ARRAY['EXPIRED'::text, 'FAILED'::text, 'RELEASED'::text]))::integer AS lost_count,
            min(a.create_time) AS first_time,
            max(COALESCE(a.end_time, now())) AS last_time,
            COALESCE(EXTRACT(epoch FROM sum(COALESCE(a.end_time, now()) - a.create_time)), 0::numeric)::double precision AS busy_seconds,
            COALESCE(EXTRACT(epoch FROM sum(COALESCE(a.end_time, now()) - a.create_time) FILTER (WHERE a.state = ANY (ARRAY['EXPIRED'::text, 'FAILED'::text, 'RELEASED'::text]))), 0::numeric)::double precision AS lost_seconds
           FROM attempts a
          WHERE a.trainer_id = k.trainer_id AND a.slot_index = k.slot_index) work;

CREATE VIEW feature_set_uses AS
 SELECT f.feature_key,
    f.backbone,
    f.cut,
    f.image_size,
    f.pooling,
    f.split,
    f.state,
    f.row_count,
    f.size_bytes,
    f.compute_seconds,
    f.dataset_digest,
    f.weights_digest,
    t.sweep_id,
    u.task_id,
    t.stage,
    NOT u.task_id IS DISTINCT FROM f.computed_by_task_id AS computed_here,
    f.dtype
   FROM feature_sets f
     JOIN task_feature_sets u ON u.feature_key = f.feature_key
     JOIN tasks t ON t.task_id = u.task_id;

CREATE VIEW test_answers AS
 SELECT r.sweep_id,
    p.run_id,
    r.run_index,
    e.role AS test_role,
    p.path,
    p.label,
    d.class_names[p.label + 1] AS class_name,
    p.predicted_label,
    d.class_names[p.predicted_label + 1] AS predicted_class_name,
    p.predicted_label = p.label AS correct,
    p.probabilities[p.predicted_label + 1] AS probability,
    p.probabilities
   FROM test_predictions p
     JOIN test_results e ON e.run_id = p.run_id
     JOIN runs r ON r.run_id = p.run_id
     JOIN sweeps s ON s.sweep_id = r.sweep_id
     LEFT JOIN datasets d ON d.dataset_id = s.dataset_id;

CREATE VIEW served_runs AS
 SELECT tr.task_id,
    t.sweep_id,
    t.stage,
    tr.run_id,
    false AS shared
   FROM task_runs tr
     JOIN tasks t ON t.task_id = tr.task_id
UNION ALL
 SELECT tr.task_id,
    t.sweep_id,
    t.stage,
    f.run_id,
    true AS shared
   FROM task_runs tr
     JOIN tasks t ON t.task_id = tr.task_id AND t.stage = 'HEAD'::text
     JOIN runs f ON f.head_run_id = tr.run_id AND f.sweep_id = t.sweep_id;

CREATE VIEW stage_forecasts AS
 SELECT t.sweep_id,
    t.stage,
    count(*)::integer AS task_count,
    COALESCE(sum(served.run_count), 0::numeric)::integer AS run_count,
    sum(t.forecast_seconds) AS forecast_seconds,
    sum(measured.seconds) AS measured_seconds,
    sum(measured.lost_seconds) AS lost_seconds,
    max(t.forecast_memory_bytes) AS forecast_memory_bytes,
    max(t.peak_memory_bytes) AS measured_memory_bytes,
    bool_and(t.state = ANY (ARRAY['SUCCEEDED'::text, 'FAILED'::text])) AS ended
   FROM tasks t
     CROSS JOIN LATERAL ( SELECT count(*) AS run_count
           FROM task_runs tr
          WHERE tr.task_id = t.task_id AND (t.stage = ANY (ARRAY['HEAD'::text, 'FINE_TUNE'::text]))) served
     CROSS JOIN LATERAL ( SELECT COALESCE(EXTRACT(epoch FROM sum(COALESCE(a.end_time, now()) - a.create_time)), 0::numeric)::double precision AS seconds,
            COALESCE(EXTRACT(epoch FROM sum(a.end_time - a.create_time) FILTER (WHERE a.state = ANY (ARRAY['EXPIRED'::text, 'FAILED'::text, 'RELEASED'::text]))), 0::numeric)::double precision AS lost_seconds
           FROM attempts a
          WHERE a.task_id = t.task_id) measured
  WHERE t.state <> 'CANCELLED'::text
  GROUP BY t.sweep_id, t.stage;

CREATE VIEW decision_log AS
 SELECT d.sweep_id,
    d.decision_id,
    d.create_time,
    d.kind,
    d.run_id,
    r.run_index,
    d.rung,
    g.stage,
    g.epoch AS rung_epoch,
    d.rule,
    d.place,
    d.cut,
    d.p_value,
    d.alpha,
    d.reason
   FROM decisions d
     LEFT JOIN runs r ON r.run_id = d.run_id
     LEFT JOIN rungs g ON g.sweep_id = d.sweep_id AND g.rung = d.rung;

CREATE VIEW rung_places AS
 SELECT e.sweep_id,
    e.rung,
    e.run_id,
    c.competes,
    row_number() OVER (PARTITION BY e.sweep_id, e.rung, c.competes ORDER BY (
        CASE
            WHEN s.objective_goal = 'maximize'::text AND e.value <> 'NaN'::double precision THEN - e.value
            ELSE e.value
        END), e.tie_order, r.run_index)::integer AS place
   FROM rung_entries e
     JOIN rungs g ON g.sweep_id = e.sweep_id AND g.rung = e.rung
     JOIN searches h ON h.sweep_id = e.sweep_id
     JOIN sweeps s ON s.sweep_id = e.sweep_id
     JOIN runs r ON r.run_id = e.run_id AND (r.state <> 'INFEASIBLE'::text OR ((h.policy ->> 'synchronous'::text)::boolean))
     CROSS JOIN LATERAL ( SELECT g.epoch IS NOT NULL OR g.stage = 'HEAD'::text AND COALESCE((r.parameters ->> 'fine_tune.enabled'::text)::boolean, false) AS competes) c;

CREATE VIEW rung_tables AS
 SELECT p.sweep_id,
    p.rung,
    g.stage,
    g.epoch AS rung_epoch,
    p.place,
    p.run_id,
    r.run_index,
    r.state,
    e.value,
    e.standard_error,
    e.epoch,
    e.arrival,
    verdict.kind AS verdict,
    verdict.place AS verdict_place,
    verdict.cut AS verdict_cut,
    verdict.reason,
    (EXISTS ( SELECT 1
           FROM decisions d
          WHERE d.sweep_id = p.sweep_id AND d.run_id = p.run_id AND d.rung = p.rung AND d.kind = 'PROMOTE'::text)) AS promoted,
    e.create_time,
    p.competes
   FROM rung_places p
     JOIN rung_entries e ON e.sweep_id = p.sweep_id AND e.rung = p.rung AND e.run_id = p.run_id
     JOIN rungs g ON g.sweep_id = p.sweep_id AND g.rung = p.rung
     JOIN runs r ON r.run_id = p.run_id
     LEFT JOIN LATERAL ( SELECT d.kind,
            d.place,
            d.cut,
            d.reason
           FROM decisions d
          WHERE d.sweep_id = p.sweep_id AND d.run_id = p.run_id AND d.rung = p.rung AND (d.kind = ANY (ARRAY['CONTINUE'::text, 'STOP'::text, 'PAUSE'::text]))
          ORDER BY d.decision_id
         LIMIT 1) verdict ON true;

CREATE VIEW screen_tables AS
 SELECT p.sweep_id,
    p.place,
    p.backbone,
    p.weights,
    p.cut,
    p.image_size,
    p.pooling,
    p.train_image_count + p.validation_image_count AS image_count,
    p.correct_count,
    p.correct_count::double precision / NULLIF(p.train_image_count + p.validation_image_count, 0)::double precision AS accuracy,
    p.best_only_count,
    p.this_only_count,
    p.p_value,
    p.kept,
    p.is_baseline,
    p.log_me,
    p.latency_seconds,
    p.feature_seconds,
    p.seconds,
    p.reason,
    t.state AS task_state
   FROM probes p
     JOIN tasks t ON t.task_id = p.task_id;

CREATE VIEW pareto_front AS
 SELECT s.sweep_id,
    front.place,
    front.run_id,
    front.run_index,
    s.objective_metric,
    front.best_value,
    front.standard_error,
    front.model_bytes,
    front.parameter_count,
    front.flops,
    front.tied_run_indexes
   FROM sweeps s
     CROSS JOIN LATERAL ( WITH RECURSIVE cheapest AS (
                 SELECT DISTINCT ON (r.model_bytes, r.flops) r.run_id,
                    r.run_index,
                    r.best_value,
                    r.best_stage,
                    r.best_epoch,
                    r.head_run_id,
                    r.reused_run_id,
                    r.model_bytes,
                    r.parameter_count,
                    r.flops,
                        CASE
                            WHEN s.objective_goal = 'maximize'::text THEN r.best_value
                            ELSE - r.best_value
                        END AS gain
                   FROM runs r
                     CROSS JOIN LATERAL ( SELECT run_rank_key(r.state, s.objective_metric, s.objective_goal, r.best_value, r.best_val_loss, r.best_val_accuracy, r.run_index) AS rank_key) k
                  WHERE r.sweep_id = s.sweep_id AND r.repeat_of IS NULL AND r.model_bytes IS NOT NULL AND r.flops IS NOT NULL AND k.rank_key[1] = 0::double precision AND k.rank_key[2] = 0::double precision
                  ORDER BY r.model_bytes, r.flops, k.rank_key
                ), undominated AS MATERIALIZED (
                 SELECT c_1.run_id,
                    c_1.run_index,
                    c_1.best_value,
                    c_1.best_stage,
                    c_1.best_epoch,
                    c_1.head_run_id,
                    c_1.reused_run_id,
                    c_1.model_bytes,
                    c_1.parameter_count,
                    c_1.flops,
                    c_1.gain,
                    row_number() OVER (ORDER BY c_1.model_bytes, c_1.flops)::integer AS number
                   FROM cheapest c_1
                  WHERE NOT (EXISTS ( SELECT 1
                           FROM cheapest o
                          WHERE o.model_bytes <= c_1.model_bytes AND o.flops <= c_1.flops AND o.gain >= c_1.gain AND o.run_id <> c_1.run_id))
                ), measured AS MATERIALIZED (
                 SELECT u.run_id,
                    u.run_index,
                    u.best_value,
                    u.best_stage,
                    u.best_epoch,
                    u.head_run_id,
                    u.reused_run_id,
                    u.model_bytes,
                    u.parameter_count,
                    u.flops,
                    u.gain,
                    u.number,
                    e.standard_error,
                        CASE s.objective_metric
                            WHEN 'val_accuracy'::text THEN bit_values(e.correct, ( SELECT sum((c_1.value ->> 'imageCount'::text)::integer)::integer AS sum
                               FROM datasets d
                                 CROSS JOIN LATERAL jsonb_array_elements(d.class_counts) c_1(value)
                              WHERE d.dataset_id = s.dataset_id AND (c_1.value ->> 'split'::text) = 'validation'::text))
                            WHEN 'val_loss'::text THEN float32_values(e.losses)
                            ELSE NULL::double precision[]
                        END AS scores
                   FROM undominated u
                     LEFT JOIN LATERAL ( SELECT n.standard_error,
                            n.correct,
                            n.losses
                           FROM rung_entries n
                             JOIN rungs g ON g.sweep_id = n.sweep_id AND g.rung = n.rung
                             LEFT JOIN runs o ON o.run_id = u.reused_run_id
                          WHERE ((n.run_id = ANY (ARRAY[u.run_id, u.reused_run_id])) OR n.run_id =
                                CASE
                                    WHEN g.stage = 'HEAD'::text THEN u.head_run_id
                                    ELSE NULL::text
                                END OR n.run_id =
                                CASE
                                    WHEN g.stage = 'HEAD'::text THEN o.head_run_id
                                    ELSE NULL::text
                                END) AND g.stage = u.best_stage AND n.epoch = u.best_epoch
                          ORDER BY (n.correct IS NULL), (n.run_id = u.run_id) DESC
                         LIMIT 1) e ON true
                ), ties AS MATERIALIZED (
                 SELECT a.number AS smaller,
                    b.number AS larger
                   FROM measured a
                     JOIN measured b ON b.number > a.number AND a.model_bytes <= b.model_bytes AND a.flops <= b.flops
                  WHERE (b.gain - a.gain) <= paired_standard_error(a.scores, b.scores)
                ), kept AS (
                 SELECT 0 AS number,
                    ARRAY[]::integer[] AS numbers
                UNION ALL
                 SELECT k.number + 1,
                        CASE
                            WHEN (EXISTS ( SELECT 1
                               FROM ties t
                              WHERE t.larger = (k.number + 1) AND (t.smaller = ANY (k.numbers)))) THEN k.numbers
                            ELSE k.numbers || (k.number + 1)
                        END AS "case"
                   FROM kept k
                  WHERE k.number < (( SELECT count(*) AS count
                           FROM undominated))
                ), chosen AS MATERIALIZED (
                 SELECT kept.numbers
                   FROM kept
                  ORDER BY kept.number DESC
                 LIMIT 1
                )
         SELECT row_number() OVER (ORDER BY m.number)::integer AS place,
            m.run_id,
            m.run_index,
            m.best_value,
            m.standard_error,
            m.model_bytes,
            m.parameter_count,
            m.flops,
            COALESCE(( SELECT array_agg(b.run_index ORDER BY b.number) AS array_agg
                   FROM ties t
                     JOIN undominated b ON b.number = t.larger
                  WHERE t.smaller = m.number AND (b.number <> ALL (c.numbers))), ARRAY[]::integer[]) AS tied_run_indexes
           FROM measured m
             JOIN chosen c ON m.number = ANY (c.numbers)) front;

CREATE VIEW run_scores AS
 SELECT o.sweep_id,
    o.run_id,
    o.run_index,
    m.score,
    m.standard_error,
    m.measurement_count,
    o.repeat_count,
    m.lowest,
    m.highest
   FROM ( SELECT p.sweep_id,
            p.repeat_of AS run_id,
            r.run_index,
            r.best_value,
            count(*)::integer AS repeat_count
           FROM runs p
             JOIN runs r ON r.run_id = p.repeat_of
          GROUP BY p.sweep_id, p.repeat_of, r.run_index, r.best_value) o
     CROSS JOIN LATERAL ( SELECT avg(v.value) AS score,
            stddev_samp(v.value) / sqrt(count(*)::double precision) AS standard_error,
            count(*)::integer AS measurement_count,
            min(v.value) AS lowest,
            max(v.value) AS highest
           FROM ( SELECT o.best_value AS value
                UNION ALL
                 SELECT p.best_value
                   FROM runs p
                  WHERE p.repeat_of = o.run_id AND p.state = 'SUCCEEDED'::text) v
          WHERE v.value <> ALL (ARRAY['NaN'::double precision, 'Infinity'::double precision, '-Infinity'::double precision])) m;

CREATE VIEW sweep_winners AS
 SELECT w.sweep_id,
    s.display_name,
    w.run_id,
    r.run_index,
    w.rule,
    w.best_run_id,
    s.objective_metric,
    w.score,
    w.measurement_count,
    w.expected_score,
    w.rival_count,
    w.cheaper_run_id,
    w.cheaper_part,
    w.cheaper_difference,
    w.cheaper_difference_standard_error,
    t.accuracy AS test_accuracy,
    w.statements,
    w.create_time
   FROM winners w
     JOIN sweeps s ON s.sweep_id = w.sweep_id
     JOIN runs r ON r.run_id = w.run_id
     LEFT JOIN test_results t ON t.run_id = w.run_id;

CREATE VIEW suggested_runs AS
 SELECT u.sweep_id,
    u.round,
    u."position",
    u.run_id,
    r.run_index,
    u.sampler,
    u.decision_id,
    (u.detail ->> 'scored'::text)::integer AS scored_run_count,
    ((u.detail -> 'predicted'::text) ->> 'value'::text)::double precision AS predicted_value,
    ((u.detail -> 'predicted'::text) ->> 'deviation'::text)::double precision AS predicted_deviation,
    (u.detail ->> 'logImprovement'::text)::double precision AS log_improvement,
    (u.detail ->> 'logRatio'::text)::double precision AS log_density_ratio,
    u.detail ->> 'why'::text AS reason,
    (u.detail ->> 'group'::text)::integer AS group_number,
    e.value AS head_value,
    r.state,
    r.best_value
   FROM suggestions u
     JOIN runs r ON r.run_id = u.run_id
     LEFT JOIN LATERAL ( SELECT n.value
           FROM rung_entries n
             JOIN rungs g ON g.sweep_id = n.sweep_id AND g.rung = n.rung
          WHERE n.run_id = u.run_id AND n.sweep_id = u.sweep_id AND g.stage = 'HEAD'::text AND g.epoch IS NULL
         LIMIT 1) e ON true;

-- Rights. The role is one for all databases of a server, and may be missing (prisma/README.md).

GRANT USAGE ON SCHEMA public TO graft_reader;
GRANT SELECT ON checkpoint_lineage TO graft_reader;
GRANT SELECT ON decision_log TO graft_reader;
GRANT SELECT ON epoch_curves TO graft_reader;
GRANT SELECT ON feature_set_uses TO graft_reader;
GRANT SELECT ON leaderboard TO graft_reader;
GRANT SELECT ON parameter_effects TO graft_reader;
GRANT SELECT ON pareto_front TO graft_reader;
GRANT SELECT ON run_attempts TO graft_reader;
GRANT SELECT ON run_parameter_values TO graft_reader;
GRANT SELECT ON run_scores TO graft_reader;
GRANT SELECT ON rung_places TO graft_reader;
GRANT SELECT ON rung_tables TO graft_reader;
GRANT SELECT ON screen_tables TO graft_reader;
GRANT SELECT ON served_runs TO graft_reader;
GRANT SELECT ON slot_utilisation TO graft_reader;
GRANT SELECT ON stage_forecasts TO graft_reader;
GRANT SELECT ON suggested_runs TO graft_reader;
GRANT SELECT ON sweep_summaries TO graft_reader;
GRANT SELECT ON sweep_winners TO graft_reader;
GRANT SELECT ON test_answers TO graft_reader;
REVOKE EXECUTE ON FUNCTION grant_reader() FROM PUBLIC;

-- Comments.

COMMENT ON TABLE attempts IS 'Executions of tasks: one row per task and lease.';
COMMENT ON COLUMN attempts.task_id IS 'The task.';
COMMENT ON COLUMN attempts.lease_epoch IS 'The lease, from 1.';
COMMENT ON COLUMN attempts.trainer_id IS 'The trainer.';
COMMENT ON COLUMN attempts.slot_index IS 'The slot.';
COMMENT ON COLUMN attempts.request_id IS 'Request of the slot that got the lease; unique per slot, so that a repeated request gets the same lease.';
COMMENT ON COLUMN attempts.state IS 'LEASED, RUNNING, SUCCEEDED, RELEASED (handed back), FAILED or EXPIRED (taken back).';
COMMENT ON COLUMN attempts.error_class IS 'INFRASTRUCTURE, MEMORY, PERMANENT, NUMERIC or COUNTED; decides about a retry. Null: no error.';
COMMENT ON COLUMN attempts.error_code IS 'Name of the error, for example DATASET_INVALID.';
COMMENT ON COLUMN attempts.message IS 'Description of the outcome, for people.';
COMMENT ON COLUMN attempts.last_sequence IS 'Number of the last metric batch that was stored; 0: none.';
COMMENT ON COLUMN attempts.thread_count IS 'Intra-op threads it computed with; results on a CPU are the same bits only for the same number.';
COMMENT ON COLUMN attempts.create_time IS 'Time of the lease.';
COMMENT ON COLUMN attempts.end_time IS 'Time at which it ended.';
COMMENT ON COLUMN attempts.micro_batch_divisor IS 'Number of micro-batches per batch, with accumulated gradients: 2, 4 or 8 after attempts that ran out of memory, else 1.';
COMMENT ON COLUMN attempts.lease_secret_hash IS 'SHA-256 of the secret that every write under this lease must show; null: leased by a trainer that is not bound';
COMMENT ON COLUMN attempts.recipe_version IS 'The trainer''s recipe_version at the lease. A result is taken by other sweeps only if all its attempts have the coordinator''s own.';
COMMENT ON FUNCTION bit_values(bytea,integer) IS 'Bits of a byte string as 0 or 1, the lowest bit of a byte first.';
COMMENT ON FUNCTION check_metric_runs() IS 'Refuses metrics of runs that do not exist, once per statement: a foreign key would look for each row.';
COMMENT ON VIEW checkpoint_lineage IS 'One row per checkpoint: what it was made from, by which attempt, and whether a test result is its. Follow parent_checkpoint_id to the pretrained weights; it may be of another run, whose head this one shares.';
COMMENT ON COLUMN checkpoint_lineage.sweep_id IS 'The sweep.';
COMMENT ON COLUMN checkpoint_lineage.run_id IS 'The run.';
COMMENT ON COLUMN checkpoint_lineage.run_index IS 'Number of the run within the sweep.';
COMMENT ON COLUMN checkpoint_lineage.checkpoint_id IS 'The checkpoint.';
COMMENT ON COLUMN checkpoint_lineage.stage IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN checkpoint_lineage.epoch IS 'Epochs done in the stage when it was saved.';
COMMENT ON COLUMN checkpoint_lineage.kind IS 'BEST (by validation so far) or LAST (training resumes from it).';
COMMENT ON COLUMN checkpoint_lineage.state IS 'STORED, DELETING (the file may be deleted already) or DELETED.';
COMMENT ON COLUMN checkpoint_lineage.value IS 'The objective''s value at that epoch.';
COMMENT ON COLUMN checkpoint_lineage.best_of_run IS 'True if it belongs to the run''s best epoch over all stages.';
COMMENT ON COLUMN checkpoint_lineage.test_role IS 'Reason for evaluating it on the test split, for its run or one that shares its head: WINNER, BASELINE or EVERY_RUN; null: not evaluated.';
COMMENT ON COLUMN checkpoint_lineage.parent_checkpoint_id IS 'The checkpoint that its attempt began from; null: from the pretrained weights.';
COMMENT ON COLUMN checkpoint_lineage.origin IS 'RESUMED (the parent is of the same stage, saved by an earlier attempt), STARTED_FROM (the parent is the best of the stage before) or PRETRAINED (no parent).';
COMMENT ON COLUMN checkpoint_lineage.weights_digest IS 'Digest of the pretrained weights of the run''s backbone; null until they are resolved.';
COMMENT ON COLUMN checkpoint_lineage.dataset_digest IS 'Digest of the data set it was trained on.';
COMMENT ON COLUMN checkpoint_lineage.task_id IS 'The task.';
COMMENT ON COLUMN checkpoint_lineage.lease_epoch IS 'Lease of the task under which it was saved.';
COMMENT ON COLUMN checkpoint_lineage.trainer_id IS 'The trainer.';
COMMENT ON COLUMN checkpoint_lineage.slot_index IS 'The slot.';
COMMENT ON COLUMN checkpoint_lineage.thread_count IS 'Intra-op threads it was computed with.';
COMMENT ON COLUMN checkpoint_lineage.uri IS 'Place in the artifact store.';
COMMENT ON COLUMN checkpoint_lineage.sha256 IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN checkpoint_lineage.size_bytes IS 'Size of the file.';
COMMENT ON COLUMN checkpoint_lineage.create_time IS 'Time of its registration.';
COMMENT ON COLUMN checkpoint_lineage.delete_time IS 'Time at which the file was deleted.';
COMMENT ON TABLE checkpoints IS 'Saved trained tensors. A checkpoint exists only when its row does.';
COMMENT ON COLUMN checkpoints.checkpoint_id IS 'Identity.';
COMMENT ON COLUMN checkpoints.run_id IS 'The run.';
COMMENT ON COLUMN checkpoints.task_id IS 'The task.';
COMMENT ON COLUMN checkpoints.lease_epoch IS 'Lease of the task under which it was saved.';
COMMENT ON COLUMN checkpoints.stage IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN checkpoints.epoch IS 'Epochs done in the stage when it was saved.';
COMMENT ON COLUMN checkpoints.kind IS 'BEST (by validation so far) or LAST (training resumes from it).';
COMMENT ON COLUMN checkpoints.uri IS 'Place in the artifact store.';
COMMENT ON COLUMN checkpoints.sha256 IS 'SHA-256 of the file, hexadecimal.';
COMMENT ON COLUMN checkpoints.size_bytes IS 'Size of the file.';
COMMENT ON COLUMN checkpoints.value IS 'The objective''s value at that epoch.';
COMMENT ON COLUMN checkpoints.state IS 'STORED, DELETING (the file may be deleted already) or DELETED.';
COMMENT ON COLUMN checkpoints.create_time IS 'Time of its registration.';
COMMENT ON COLUMN checkpoints.delete_time IS 'Time at which the file was deleted.';
COMMENT ON COLUMN checkpoints.pinned IS 'Kept until somebody unpins it, whatever retention would do.';
COMMENT ON COLUMN checkpoints.damage IS 'Damage of the file that a coordinator found; null: none. A damaged checkpoint is not STORED.';
COMMENT ON TABLE cluster IS 'One row, made when a coordinator first starts on this database: the cluster that the database belongs to.';
COMMENT ON COLUMN cluster.singleton IS 'True: there is one row.';
COMMENT ON COLUMN cluster.cluster_id IS 'Identity (UUID), which the marker of the artifact store has too. A restored database keeps it.';
COMMENT ON COLUMN cluster.create_time IS 'Time of creation.';
COMMENT ON COLUMN cluster.store_mark_time IS 'Time at which a coordinator marked the artifact store; null: not marked yet.';
COMMENT ON TABLE datasets IS 'Contents of indexed folders of labelled images, identified by the digest of their manifest; sweeps say where they read them.';
COMMENT ON COLUMN datasets.dataset_id IS 'd and the first 16 hexadecimal digits of the digest.';
COMMENT ON COLUMN datasets.digest IS 'SHA-256 over the manifest (path, sha256, label, split and size of each image), hexadecimal.';
COMMENT ON COLUMN datasets.path IS 'Folder in which the content was first indexed; the folder of a sweep is in its spec.';
COMMENT ON COLUMN datasets.class_names IS 'Names of the classes; their place from 0 is the label.';
COMMENT ON COLUMN datasets.class_counts IS 'Images per split and class: [{"split", "className", "imageCount"}].';
COMMENT ON COLUMN datasets.problems IS 'Problems that the first indexing let pass: [{"code", "path", "message", "fatal"}]; those of a sweep are in sweeps.dataset_problems.';
COMMENT ON COLUMN datasets.manifest_uri IS 'Place of the manifest in the artifact store.';
COMMENT ON COLUMN datasets.create_time IS 'Time of the first indexing.';
COMMENT ON VIEW decision_log IS 'Every decision of a sweep with its reason, in order.';
COMMENT ON COLUMN decision_log.sweep_id IS 'The sweep.';
COMMENT ON COLUMN decision_log.decision_id IS 'Number within the sweep, from 1.';
COMMENT ON COLUMN decision_log.create_time IS 'When it was taken.';
COMMENT ON COLUMN decision_log.kind IS 'CONTINUE, STOP, PAUSE, PROMOTE, SCREEN, SUGGEST, REPEAT, END, or an action of a person or the scheduler.';
COMMENT ON COLUMN decision_log.run_id IS 'The run; null: it is about the sweep.';
COMMENT ON COLUMN decision_log.run_index IS 'Number of the run within the sweep.';
COMMENT ON COLUMN decision_log.rung IS 'The rung; null: none.';
COMMENT ON COLUMN decision_log.stage IS 'Stage of the rung.';
COMMENT ON COLUMN decision_log.rung_epoch IS 'Epoch of the rung; null: the end of the stage, or no rung.';
COMMENT ON COLUMN decision_log.rule IS 'Rule with its version; empty: no rule decided.';
COMMENT ON COLUMN decision_log.place IS 'Place of the run at the rung at that time.';
COMMENT ON COLUMN decision_log.cut IS 'Last place that continued at that time.';
COMMENT ON COLUMN decision_log.p_value IS 'Probability of such a difference between equally good runs; null: no test was made.';
COMMENT ON COLUMN decision_log.alpha IS 'Probability below which the run was stopped; null: no test was made.';
COMMENT ON COLUMN decision_log.reason IS 'The reason for people.';
COMMENT ON TABLE decisions IS 'What was decided about a sweep''s runs, by a rule or by a person, with everything that led to it. A replay with these inputs gives the same decisions.';
COMMENT ON COLUMN decisions.sweep_id IS 'The sweep.';
COMMENT ON COLUMN decisions.decision_id IS 'Number within the sweep, from 1, without gaps.';
COMMENT ON COLUMN decisions.kind IS 'At a rung: CONTINUE, STOP or PAUSE. About a paused run: PROMOTE. About the search: SUGGEST (a round of runs), REPEAT (a finalist, with further seeds), END. About backbones before training: SCREEN. By people and the scheduler: STOP_RUN, EXTEND, CHANGE_BUDGET, RETRY_RUN, PREEMPT.';
COMMENT ON COLUMN decisions.run_id IS 'The run; null: it is about the sweep.';
COMMENT ON COLUMN decisions.rung IS 'The rung at which it was taken; null: at none.';
COMMENT ON COLUMN decisions.rule IS 'Rule with its version, for example promotion@1; empty: no rule decided.';
COMMENT ON COLUMN decisions.place IS 'Place of the run at the rung at that time, from 1; null: it was not ranked.';
COMMENT ON COLUMN decisions.cut IS 'Last place that continues; null: there was no cut.';
COMMENT ON COLUMN decisions.p_value IS 'Probability of such a difference between equally good runs, from images that both were tested on; null: no test was made.';
COMMENT ON COLUMN decisions.alpha IS 'Probability below which the run was stopped; null: no test was made.';
COMMENT ON COLUMN decisions.inputs IS 'What the decision depended on that is in no other row: entries seen by arrival, states, slots, seconds spent and forecast.';
COMMENT ON COLUMN decisions.reason IS 'The reason for people.';
COMMENT ON COLUMN decisions.create_time IS 'When it was taken.';
COMMENT ON TABLE deleted_sweeps IS 'Deletions of sweeps, so that a repeated call gets the same answer and people can see who deleted what.';
COMMENT ON COLUMN deleted_sweeps.sweep_id IS 'Identity of the sweep, whose row no longer exists.';
COMMENT ON COLUMN deleted_sweeps.display_name IS 'Its last name.';
COMMENT ON COLUMN deleted_sweeps.run_count IS 'Number of its runs.';
COMMENT ON COLUMN deleted_sweeps.checkpoint_count IS 'Number of its checkpoints that had files.';
COMMENT ON COLUMN deleted_sweeps.feature_set_count IS 'Number of stored feature sets that no other sweep used.';
COMMENT ON COLUMN deleted_sweeps.manifest_count IS '1 if no other sweep used its data set, else 0.';
COMMENT ON COLUMN deleted_sweeps.size_bytes IS 'Size of these checkpoints and feature sets.';
COMMENT ON COLUMN deleted_sweeps.deleted_by IS 'Name of the token that deleted it; empty: calls needed no tokens.';
COMMENT ON COLUMN deleted_sweeps.delete_time IS 'Time of the deletion.';
COMMENT ON VIEW epoch_curves IS 'One row per run, stage and epoch: the metrics that count, each epoch once however often it was trained. Runs that share a head show it each; WHERE trained_run_id = run_id counts each epoch of the sweep once.';
COMMENT ON COLUMN epoch_curves.sweep_id IS 'The sweep.';
COMMENT ON COLUMN epoch_curves.run_id IS 'The run.';
COMMENT ON COLUMN epoch_curves.run_index IS 'Number of the run within the sweep.';
COMMENT ON COLUMN epoch_curves.stage IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN epoch_curves.epoch IS 'Epoch within the stage, from 1.';
COMMENT ON COLUMN epoch_curves.loss IS 'Training loss.';
COMMENT ON COLUMN epoch_curves.accuracy IS 'Training accuracy, 0 to 1.';
COMMENT ON COLUMN epoch_curves.val_loss IS 'Validation loss.';
COMMENT ON COLUMN epoch_curves.val_accuracy IS 'Validation accuracy, 0 to 1.';
COMMENT ON COLUMN epoch_curves.learning_rate IS 'Learning rate of the epoch.';
COMMENT ON COLUMN epoch_curves.seconds IS 'Seconds the epoch took.';
COMMENT ON COLUMN epoch_curves.images_per_second IS 'Training images per second.';
COMMENT ON COLUMN epoch_curves.trained_run_id IS 'The run that trained the epoch: itself, the run whose head it shares, or the one of another sweep whose result it took.';
COMMENT ON COLUMN epoch_curves.val_macro_f1 IS 'Mean F1 of the classes on the validation split, 0 to 1; null: not recorded.';
COMMENT ON COLUMN epoch_curves.val_balanced_accuracy IS 'Mean recall of the classes on the validation split, 0 to 1; null: not recorded.';
COMMENT ON COLUMN epoch_curves.val_auc IS 'Area under the ROC curve on the validation split, for more than two classes the mean over them; null: not recorded.';
COMMENT ON TABLE epoch_metrics IS 'One metric of one epoch as one attempt measured it. Never updated but for superseded_by, never deleted. NaN and infinities are kept.';
COMMENT ON COLUMN epoch_metrics.run_id IS 'The run.';
COMMENT ON COLUMN epoch_metrics.stage IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN epoch_metrics.epoch IS 'Epoch within the stage, from 1.';
COMMENT ON COLUMN epoch_metrics.name IS 'loss, accuracy, val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy, val_auc, learning_rate, seconds or images_per_second.';
COMMENT ON COLUMN epoch_metrics.lease_epoch IS 'Lease of the task under which it was measured.';
COMMENT ON COLUMN epoch_metrics.task_id IS 'The task.';
COMMENT ON COLUMN epoch_metrics.value IS 'The value.';
COMMENT ON COLUMN epoch_metrics.superseded_by IS 'Lease epoch of the attempt that retrained this epoch, or would have: the run has ended, and of this epoch nothing is stored; null: this row counts.';
COMMENT ON COLUMN epoch_metrics.create_time IS 'Time at which it was stored.';
COMMENT ON TABLE events IS 'Events of sweeps, in order; the cursor of WatchSweep.';
COMMENT ON COLUMN events.event_id IS 'Its number; grows.';
COMMENT ON COLUMN events.sweep_id IS 'The sweep.';
COMMENT ON COLUMN events.kind IS 'SWEEP_STATE, RUN_STATE, EPOCH, TASK or TEST_RESULT.';
COMMENT ON COLUMN events.payload IS 'The event. Numbers that JSON does not have are {"$number": "NaN"}, "Infinity" or "-Infinity".';
COMMENT ON COLUMN events.create_time IS 'Time of the event.';
COMMENT ON VIEW feature_set_uses IS 'One row per feature set and task that computes or reads it.';
COMMENT ON COLUMN feature_set_uses.feature_key IS 'SHA-256 over everything the outputs depend on.';
COMMENT ON COLUMN feature_set_uses.backbone IS 'The backbone.';
COMMENT ON COLUMN feature_set_uses.cut IS 'Layer the prefix ends with; null: the whole base.';
COMMENT ON COLUMN feature_set_uses.image_size IS 'Height and width of the images in pixels.';
COMMENT ON COLUMN feature_set_uses.pooling IS 'avg, max or none.';
COMMENT ON COLUMN feature_set_uses.split IS 'train, validation or test.';
COMMENT ON COLUMN feature_set_uses.state IS 'PLANNED or COMPUTED.';
COMMENT ON COLUMN feature_set_uses.row_count IS 'Images.';
COMMENT ON COLUMN feature_set_uses.size_bytes IS 'Size of the file.';
COMMENT ON COLUMN feature_set_uses.compute_seconds IS 'Seconds it took to compute.';
COMMENT ON COLUMN feature_set_uses.dataset_digest IS 'Digest of the data set.';
COMMENT ON COLUMN feature_set_uses.weights_digest IS 'Digest of the backbone''s weights.';
COMMENT ON COLUMN feature_set_uses.sweep_id IS 'Sweep of the task.';
COMMENT ON COLUMN feature_set_uses.task_id IS 'The task.';
COMMENT ON COLUMN feature_set_uses.stage IS 'FEATURES: the task is to compute it; else it reads it.';
COMMENT ON COLUMN feature_set_uses.computed_here IS 'True if this task computed the stored file.';
COMMENT ON COLUMN feature_set_uses.dtype IS 'Storage type of the values: float32 or float16.';
COMMENT ON TABLE feature_sets IS 'Stored outputs of a frozen prefix of a backbone for one split, shared by all sweeps.';
COMMENT ON COLUMN feature_sets.feature_key IS 'SHA-256 over everything the outputs depend on.';
COMMENT ON COLUMN feature_sets.dataset_digest IS 'Digest of the data set.';
COMMENT ON COLUMN feature_sets.split IS 'train, validation or test.';
COMMENT ON COLUMN feature_sets.backbone IS 'The backbone.';
COMMENT ON COLUMN feature_sets.weights_digest IS 'Digest of its weights.';
COMMENT ON COLUMN feature_sets.cut IS 'Layer the prefix ends with; null: the whole base.';
COMMENT ON COLUMN feature_sets.image_size IS 'Height and width of the images in pixels.';
COMMENT ON COLUMN feature_sets.pooling IS 'Global pooling applied to the outputs: avg, max or none.';
COMMENT ON COLUMN feature_sets.state IS 'PLANNED or COMPUTED.';
COMMENT ON COLUMN feature_sets.uri IS 'Place in the artifact store; null until computed.';
COMMENT ON COLUMN feature_sets.shape IS 'Shape of one image''s output.';
COMMENT ON COLUMN feature_sets.row_count IS 'Images.';
COMMENT ON COLUMN feature_sets.sha256 IS 'SHA-256 of the file, hexadecimal; null until computed.';
COMMENT ON COLUMN feature_sets.size_bytes IS 'Size of the file.';
COMMENT ON COLUMN feature_sets.compute_seconds IS 'Seconds it took to compute.';
COMMENT ON COLUMN feature_sets.computed_by_task_id IS 'Task that computed it.';
COMMENT ON COLUMN feature_sets.create_time IS 'Time at which it was first planned.';
COMMENT ON COLUMN feature_sets.dtype IS 'Storage type of the values: float32 or float16. They are computed and read as float32.';
COMMENT ON TABLE file_removals IS 'Files of deleted sweeps that are still to be removed from the artifact store.';
COMMENT ON COLUMN file_removals.uri IS 'Name in the artifact store.';
COMMENT ON COLUMN file_removals.create_time IS 'Time of the deletion.';
COMMENT ON FUNCTION float32_values(bytea) IS 'Numbers of a byte string of little-endian float32; infinities are NaN.';
COMMENT ON FUNCTION grant_reader() IS 'Lets the role graft_reader read every view of Graft. For the owner of the views, after the role was made by hand.';
COMMENT ON FUNCTION keep_measured_run() IS 'Refuses to delete or rename a run that has metrics.';
COMMENT ON TABLE leader_leases IS 'The coordinator that runs the loops, until its lease expires by the database''s clock.';
COMMENT ON COLUMN leader_leases.name IS 'Purpose of the lease: loops.';
COMMENT ON COLUMN leader_leases.holder IS 'The process that holds or last held it: a random identity of its own.';
COMMENT ON COLUMN leader_leases.term IS 'One more with each change of the holder.';
COMMENT ON COLUMN leader_leases.expire_time IS 'Time from which another coordinator may acquire it.';
COMMENT ON VIEW leaderboard IS 'Runs of each sweep ranked by validation, with test results where the test policy allowed them.';
COMMENT ON COLUMN leaderboard.sweep_id IS 'The sweep.';
COMMENT ON COLUMN leaderboard.rank IS 'Place within the sweep, from 1, by best_value; of equal ones by the other validation metric at the best epoch, then by run_index. Runs that failed or were cancelled come after those that can win, runs without a finite best value last.';
COMMENT ON COLUMN leaderboard.run_id IS 'The run.';
COMMENT ON COLUMN leaderboard.run_index IS 'Number within the sweep.';
COMMENT ON COLUMN leaderboard.state IS 'State of the run.';
COMMENT ON COLUMN leaderboard.parameters IS 'The parameters that differ between the runs, for example head.units=64 optimizer.learning_rate=0.001.';
COMMENT ON COLUMN leaderboard.objective_metric IS 'Metric of best_value and last_value: val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy or val_auc.';
COMMENT ON COLUMN leaderboard.best_value IS 'The objective''s best value over all stages.';
COMMENT ON COLUMN leaderboard.best_stage IS 'Stage of the best value.';
COMMENT ON COLUMN leaderboard.best_epoch IS 'Epoch of the best value within its stage, from 1.';
COMMENT ON COLUMN leaderboard.best_val_loss IS 'Validation loss at the best epoch.';
COMMENT ON COLUMN leaderboard.best_val_accuracy IS 'Validation accuracy at the best epoch, 0 to 1.';
COMMENT ON COLUMN leaderboard.last_value IS 'The objective''s value of the last validated epoch.';
COMMENT ON COLUMN leaderboard.test_accuracy IS 'Accuracy of the best checkpoint on the test split, 0 to 1; null: not evaluated.';
COMMENT ON COLUMN leaderboard.test_accuracy_low IS 'Lower end of the 95 % Wilson interval.';
COMMENT ON COLUMN leaderboard.test_accuracy_high IS 'Upper end of the 95 % Wilson interval.';
COMMENT ON COLUMN leaderboard.test_role IS 'Reason of the evaluation: WINNER, BASELINE or EVERY_RUN.';
COMMENT ON COLUMN leaderboard.seconds IS 'Seconds from the first work on the run to its end (or to now), waits between its stages included.';
COMMENT ON COLUMN leaderboard.test_macro_f1 IS 'Mean F1 of the classes on the test split; null without a test.';
COMMENT ON COLUMN leaderboard.test_balanced_accuracy IS 'Mean recall of the classes on the test split; null without a test.';
COMMENT ON COLUMN leaderboard.test_roc_auc IS 'Area under the ROC curve on the test split, for more than two classes the mean over them; null without a test.';
COMMENT ON COLUMN leaderboard.never_found_classes IS 'Classes of which no test image was predicted correctly (recall 0); null: none, or not tested.';
COMMENT ON COLUMN leaderboard.notes IS 'Notes of people.';
COMMENT ON COLUMN leaderboard.tags IS 'Tags of people, sorted.';
COMMENT ON COLUMN leaderboard.state_reason IS 'Why it is in its state, for people; empty where the state says it.';
COMMENT ON COLUMN leaderboard.end_cause IS 'Why it ended: ALL_EPOCHS, EARLY_STOPPING, RULE, NOT_PROMOTED, BUDGET, TARGET, USER, ERROR or REUSED; null: not ended, or unknown.';
COMMENT ON COLUMN leaderboard.rung IS 'Highest rung that it has reached; null: none.';
COMMENT ON COLUMN leaderboard.paused_rung IS 'Rung at which it is paused until it is promoted; null: at none.';
COMMENT ON COLUMN leaderboard.reused_run_id IS 'Run of another sweep whose result it took; null: it was trained in this sweep.';
COMMENT ON COLUMN leaderboard.test_checkpoint_id IS 'Checkpoint that was tested; null: none.';
COMMENT ON COLUMN leaderboard.model_bytes IS 'Bytes of the weights of the exported model in float32; null: not planned yet, or planned by an earlier version.';
COMMENT ON COLUMN leaderboard.parameter_count IS 'Parameters of the model; null: as model_bytes.';
COMMENT ON COLUMN leaderboard.flops IS 'Operations of a forward pass of one image, 2 per multiply-add; null: as model_bytes.';
COMMENT ON TABLE machine_faults IS 'Tasks that failed by a fault of a machine (store, data path, disk, device) and may do well on another one. Rows go when the trainer is found healthy, when every other slot has failed the task too (then it says nothing of the machine), and after an hour.';
COMMENT ON COLUMN machine_faults.task_id IS 'The task.';
COMMENT ON COLUMN machine_faults.trainer_id IS 'The trainer it failed on.';
COMMENT ON COLUMN machine_faults.slot_index IS 'The slot.';
COMMENT ON COLUMN machine_faults.code IS 'Name of the error, for example DATA_MISSING; DEVICE_LOST is about the slot, the others about the machine.';
COMMENT ON COLUMN machine_faults.message IS 'Message for people: what happened, where, and how to fix it.';
COMMENT ON COLUMN machine_faults.create_time IS 'Time at which the attempt ended.';
COMMENT ON TABLE mlflow_runs IS 'MLflow runs that mirror a sweep or a run, each with its current sender.';
COMMENT ON COLUMN mlflow_runs.subject_id IS 'The run, or the sweep for the parent run.';
COMMENT ON COLUMN mlflow_runs.sweep_id IS 'The sweep.';
COMMENT ON COLUMN mlflow_runs.run_id IS 'The run; null for the sweep itself.';
COMMENT ON COLUMN mlflow_runs.tracking_uri IS 'The MLflow server that has the MLflow run; null until it is made there.';
COMMENT ON COLUMN mlflow_runs.experiment_id IS 'MLflow experiment it lies in.';
COMMENT ON COLUMN mlflow_runs.mlflow_run_id IS 'Identity that MLflow gave it.';
COMMENT ON COLUMN mlflow_runs.artifact_uri IS 'Location of its artifacts in MLflow, for example mlflow-artifacts:/1/<run>/artifacts.';
COMMENT ON COLUMN mlflow_runs.described IS 'True if the immutable part (parameters, data set input) was sent, or refused.';
COMMENT ON COLUMN mlflow_runs.failure_count IS 'Failures in a row; decides how long it waits.';
COMMENT ON COLUMN mlflow_runs.next_try_time IS 'Not sent before.';
COMMENT ON COLUMN mlflow_runs.claim_epoch IS 'Fencing number of the sender, +1 at each claim; checked before every request.';
COMMENT ON COLUMN mlflow_runs.claim_expire_time IS 'Time until which one sender has it exclusively; null: no sender has it.';
COMMENT ON COLUMN mlflow_runs.notes_sent IS 'True if notes of the run are its description in MLflow.';
COMMENT ON TABLE mlflow_servers IS 'Latest results of requests to an MLflow server; only for people (graft mlflow status).';
COMMENT ON COLUMN mlflow_servers.tracking_uri IS 'Its address.';
COMMENT ON COLUMN mlflow_servers.success_time IS 'Time of the latest success.';
COMMENT ON COLUMN mlflow_servers.failure_time IS 'Time of the latest failure.';
COMMENT ON COLUMN mlflow_servers.failure_count IS 'Failures in a row; 0 after a success.';
COMMENT ON COLUMN mlflow_servers.error_code IS 'Code of the latest failure: MLflow''s, or UNREACHABLE, TIMEOUT, HTTP_429 and the like.';
COMMENT ON COLUMN mlflow_servers.error_message IS 'The same in words.';
COMMENT ON COLUMN mlflow_servers.next_try_time IS 'Nothing is sent before; null after a success.';
COMMENT ON FUNCTION notify_event() IS 'Tells channel graft_events the sweeps that have new events.';
COMMENT ON FUNCTION notify_place() IS 'Tells channel graft_tasks the sweep that has a free place for a slot.';
COMMENT ON FUNCTION notify_task() IS 'Tells channel graft_tasks the sweep that has tasks to lease.';
COMMENT ON TABLE outbox IS 'Changes that are still to be mirrored to MLflow: pointers to rows, written in the same transaction as these rows, removed when MLflow has them. Empty unless an MLflow server is configured.';
COMMENT ON COLUMN outbox.outbox_id IS 'Identity; grows with time, though not strictly with the order of commits.';
COMMENT ON COLUMN outbox.sweep_id IS 'The sweep.';
COMMENT ON COLUMN outbox.run_id IS 'The run; null for what belongs to the sweep as a whole.';
COMMENT ON COLUMN outbox.kind IS 'SWEEP, RUN: its row changed. METRICS: rows of epoch_metrics. TEST_RESULT: its row of test_results. REPORT, MODEL: the sweep has ended, so its report and its best checkpoint follow.';
COMMENT ON COLUMN outbox.stage IS 'METRICS only: stage of the rows.';
COMMENT ON COLUMN outbox.lease_epoch IS 'METRICS only: lease epoch of the attempt that measured them.';
COMMENT ON COLUMN outbox.epochs IS 'METRICS only: their epochs.';
COMMENT ON COLUMN outbox.attempt_count IS 'Number of times it was sent, written before each attempt: above 0, MLflow may already have a part of it.';
COMMENT ON COLUMN outbox.error_code IS 'Reason of MLflow''s refusal as an error code (INVALID_PARAMETER_VALUE).';
COMMENT ON COLUMN outbox.error_message IS 'The same in words.';
COMMENT ON COLUMN outbox.dead_time IS 'Time at which it became a dead letter: refused permanently, not sent until a person requests it (graft mlflow retry). Null: to be sent.';
COMMENT ON COLUMN outbox.create_time IS 'Time at which it was written.';
COMMENT ON FUNCTION paired_standard_error(double precision[],double precision[]) IS 'Standard error of the difference of two means over the same images; null: unknown.';
COMMENT ON VIEW parameter_effects IS 'One row per sweep, varied parameter and value: how the runs with this value did by validation. Other parameters differ among them as well: in a grid they cancel out, in a random sample only about.';
COMMENT ON COLUMN parameter_effects.sweep_id IS 'The sweep.';
COMMENT ON COLUMN parameter_effects.name IS 'Dotted name of the parameter.';
COMMENT ON COLUMN parameter_effects.value IS 'Its value as text.';
COMMENT ON COLUMN parameter_effects.number IS 'The value of a real or whole-number parameter, to sort by; null for the others.';
COMMENT ON COLUMN parameter_effects.objective_metric IS 'Metric of the values: val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy or val_auc.';
COMMENT ON COLUMN parameter_effects.run_count IS 'Runs that have this value.';
COMMENT ON COLUMN parameter_effects.counted_count IS 'Number of runs that count: not failed or cancelled, with a best value that is a number. Runs that are still training count with their best so far.';
COMMENT ON COLUMN parameter_effects.mean_value IS 'Mean of their best values; null where none counts.';
COMMENT ON COLUMN parameter_effects.deviation IS 'Standard deviation of their best values; null for fewer than two.';
COMMENT ON COLUMN parameter_effects.best_value IS 'The best of them: highest or lowest, as the objective says.';
COMMENT ON COLUMN parameter_effects.best_run_id IS 'The run with it; of equal ones the one that the leaderboard places first.';
COMMENT ON VIEW pareto_front IS 'The runs of each sweep that no smaller one equals, the smallest first: no other run has as good a value of the objective on the validation images with as few bytes and operations. A run that is better than a smaller one of the front by at most one paired standard error is left out.';
COMMENT ON COLUMN pareto_front.sweep_id IS 'The sweep.';
COMMENT ON COLUMN pareto_front.place IS 'Place by bytes, then by operations, from 1.';
COMMENT ON COLUMN pareto_front.run_id IS 'The run.';
COMMENT ON COLUMN pareto_front.run_index IS 'Number within the sweep.';
COMMENT ON COLUMN pareto_front.objective_metric IS 'Metric of the objective.';
COMMENT ON COLUMN pareto_front.best_value IS 'Best value of the objective, on the validation images.';
COMMENT ON COLUMN pareto_front.standard_error IS 'Standard error of the value over the validation images; null: unknown, and the run has no band.';
COMMENT ON COLUMN pareto_front.model_bytes IS 'Bytes of the weights of the exported model in float32.';
COMMENT ON COLUMN pareto_front.parameter_count IS 'Parameters of the model.';
COMMENT ON COLUMN pareto_front.flops IS 'Operations of a forward pass of one image, 2 per multiply-add.';
COMMENT ON COLUMN pareto_front.tied_run_indexes IS 'Numbers of larger runs that are left out because they are better by at most one paired standard error.';
COMMENT ON TABLE probes IS 'A candidate of a sweep''s screen: a base up to a cut, at an image size and with a pooling. Its PROBE task measures how many images a ridge regression on its features predicts that it has not seen.';
COMMENT ON COLUMN probes.sweep_id IS 'The sweep.';
COMMENT ON COLUMN probes."position" IS 'Number of the candidate within the sweep, from 0.';
COMMENT ON COLUMN probes.task_id IS 'Task that measures it.';
COMMENT ON COLUMN probes.backbone IS 'Name of the backbone.';
COMMENT ON COLUMN probes.weights IS 'imagenet, random or a path, as in the parameters.';
COMMENT ON COLUMN probes.weights_digest IS 'SHA-256 of the weights.';
COMMENT ON COLUMN probes.cut IS 'Last layer of the prefix; null: the whole base.';
COMMENT ON COLUMN probes.image_size IS 'Height and width of the images in pixels.';
COMMENT ON COLUMN probes.pooling IS 'avg or max. Heads that flatten are probed with avg.';
COMMENT ON COLUMN probes.train_image_count IS 'Training images that are drawn, in each class the same part; the same ones for all candidates.';
COMMENT ON COLUMN probes.validation_image_count IS 'The same for validation images. Test images are never drawn.';
COMMENT ON COLUMN probes.feature_seconds IS 'Forecast slot-seconds of the features of all training and validation images: what keeping it costs.';
COMMENT ON COLUMN probes.is_baseline IS 'Whether the sweep''s baseline has it, so that it is kept in any case.';
COMMENT ON COLUMN probes.correct IS 'One bit per probed image, training images first in the order of the manifest, the lowest bit of a byte first: 1 if a model without its fold predicts its class; null: no result.';
COMMENT ON COLUMN probes.correct_count IS 'Number of images predicted correctly; null: no result.';
COMMENT ON COLUMN probes.log_me IS 'LogME of the features, which decides nothing; null: no result.';
COMMENT ON COLUMN probes.penalty IS 'Penalty of the ridge regression by generalised cross-validation; null: no result.';
COMMENT ON COLUMN probes.feature_count IS 'Number of features of an image; null: no result.';
COMMENT ON COLUMN probes.latency_seconds IS 'Median seconds of the forward pass of one image on the trainer''s device; null: no result.';
COMMENT ON COLUMN probes.seconds IS 'Seconds of the probe; null: no result.';
COMMENT ON COLUMN probes.kept IS 'Whether its runs are trained; null: not decided yet.';
COMMENT ON COLUMN probes.place IS 'Place by images predicted correctly, from 1; null: not decided, or no result.';
COMMENT ON COLUMN probes.best_only_count IS 'Images on which only the best candidate is right; null: it is the best, or was not compared.';
COMMENT ON COLUMN probes.this_only_count IS 'Images on which only this one is right; null: it is the best, or was not compared.';
COMMENT ON COLUMN probes.p_value IS 'McNemar''s one-sided mid-p value that it is worse than the best; null: it is the best, or was not compared.';
COMMENT ON COLUMN probes.reason IS 'Why it was kept or left out, for people.';
COMMENT ON TABLE repeat_results IS 'Results by validation image of repeated runs at the ends of their stages. Such runs come to no rung.';
COMMENT ON COLUMN repeat_results.run_id IS 'The run that trained the stage.';
COMMENT ON COLUMN repeat_results.stage IS 'Stage that ended: HEAD or FINE_TUNE.';
COMMENT ON COLUMN repeat_results.epoch IS 'Epoch of the stage whose model was measured: its best one.';
COMMENT ON COLUMN repeat_results.value IS 'Value of the objective.';
COMMENT ON COLUMN repeat_results.standard_error IS 'Standard error of the value over the validation images; null: unknown.';
COMMENT ON COLUMN repeat_results.task_id IS 'Task that trained it.';
COMMENT ON COLUMN repeat_results.lease_epoch IS 'Lease epoch of the attempt that reported it.';
COMMENT ON COLUMN repeat_results.correct IS 'A bit per validation image in the order of the manifest, the lowest first: classified correctly; null: not reported.';
COMMENT ON COLUMN repeat_results.losses IS 'Loss of each image, 32-bit floats, little-endian, where the objective is val_loss; null: not reported.';
COMMENT ON COLUMN repeat_results.create_time IS 'Time of the report.';
COMMENT ON VIEW run_attempts IS 'One row per attempt and run it served: where, how it ended, how long it took, what was lost. Tasks that serve the sweep as a whole (INDEX, FEATURES) have one row per attempt without a run. The sum of run_seconds is slot time, however many runs shared an attempt.';
COMMENT ON COLUMN run_attempts.sweep_id IS 'The sweep.';
COMMENT ON COLUMN run_attempts.run_id IS 'The run; null: the task serves the sweep as a whole.';
COMMENT ON COLUMN run_attempts.run_index IS 'Number of the run within the sweep.';
COMMENT ON COLUMN run_attempts.stage IS 'INDEX, PROBE, FEATURES, HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN run_attempts.task_id IS 'The task.';
COMMENT ON COLUMN run_attempts.lease_epoch IS 'The lease, from 1.';
COMMENT ON COLUMN run_attempts.trainer_id IS 'The trainer.';
COMMENT ON COLUMN run_attempts.slot_index IS 'The slot.';
COMMENT ON COLUMN run_attempts.state IS 'LEASED, RUNNING, SUCCEEDED, RELEASED (handed back), FAILED or EXPIRED (taken back).';
COMMENT ON COLUMN run_attempts.error_class IS 'INFRASTRUCTURE, MEMORY, PERMANENT, NUMERIC or COUNTED; null: no error.';
COMMENT ON COLUMN run_attempts.error_code IS 'Name of the error.';
COMMENT ON COLUMN run_attempts.message IS 'Description of the outcome, for people.';
COMMENT ON COLUMN run_attempts.thread_count IS 'Intra-op threads it computed with.';
COMMENT ON COLUMN run_attempts.start_time IS 'Time of the lease.';
COMMENT ON COLUMN run_attempts.end_time IS 'Time at which it ended; null: it is live.';
COMMENT ON COLUMN run_attempts.seconds IS 'Seconds from lease to end (or to now).';
COMMENT ON COLUMN run_attempts.run_count IS 'Runs that the task serves.';
COMMENT ON COLUMN run_attempts.run_seconds IS 'The run''s equal part of the seconds.';
COMMENT ON COLUMN run_attempts.lost_epochs IS 'Number of epochs of the run that this attempt trained and a later one retrained.';
COMMENT ON COLUMN run_attempts.lost_seconds IS 'The run''s equal part of the seconds of these epochs.';
COMMENT ON VIEW run_parameter_values IS 'One row per run and parameter, defaults included, whatever the type.';
COMMENT ON COLUMN run_parameter_values.sweep_id IS 'The sweep.';
COMMENT ON COLUMN run_parameter_values.run_id IS 'The run.';
COMMENT ON COLUMN run_parameter_values.run_index IS 'Number of the run within the sweep.';
COMMENT ON COLUMN run_parameter_values.name IS 'Dotted name, for example optimizer.learning_rate.';
COMMENT ON COLUMN run_parameter_values.value IS 'The value as text.';
COMMENT ON COLUMN run_parameter_values.number IS 'The value of a real or whole-number parameter; null for the others.';
COMMENT ON COLUMN run_parameter_values.varied IS 'True if it differs between the runs of the sweep.';
COMMENT ON TABLE run_parameters IS 'One row per run and parameter, typed, defaults included. Exactly one of the values is set.';
COMMENT ON COLUMN run_parameters.run_id IS 'The run.';
COMMENT ON COLUMN run_parameters.name IS 'Dotted name, for example optimizer.learning_rate.';
COMMENT ON COLUMN run_parameters.number_value IS 'Value of a real parameter.';
COMMENT ON COLUMN run_parameters.int_value IS 'Value of a whole-number parameter.';
COMMENT ON COLUMN run_parameters.bool_value IS 'Value of a yes/no parameter.';
COMMENT ON COLUMN run_parameters.string_value IS 'Value of a parameter with words.';
COMMENT ON FUNCTION run_rank_key(text,text,text,double precision,double precision,double precision,integer) IS 'Orders the runs of a sweep, best first: runs with a finite objective value before those without, usable before FAILED, CANCELLED and INFEASIBLE, then by value, then by the other validation metric at the best epoch, then by number. The first run is the best one if its first two elements are 0.';
COMMENT ON VIEW run_scores IS 'The score of each run that was repeated with further seeds.';
COMMENT ON COLUMN run_scores.sweep_id IS 'The sweep.';
COMMENT ON COLUMN run_scores.run_id IS 'The run.';
COMMENT ON COLUMN run_scores.run_index IS 'Number within the sweep.';
COMMENT ON COLUMN run_scores.score IS 'Mean of the best value of the objective over the run and its repetitions that succeeded.';
COMMENT ON COLUMN run_scores.standard_error IS 'Standard error of the score over these trainings; null: there is one.';
COMMENT ON COLUMN run_scores.measurement_count IS 'Number of these trainings.';
COMMENT ON COLUMN run_scores.repeat_count IS 'Number of repetitions, those that did not succeed included.';
COMMENT ON COLUMN run_scores.lowest IS 'Lowest value of these trainings.';
COMMENT ON COLUMN run_scores.highest IS 'Highest value of these trainings.';
COMMENT ON TABLE rung_entries IS 'A run at a rung, with what was measured there. The first measurement counts: a later attempt that trains the epoch again changes nothing.';
COMMENT ON COLUMN rung_entries.sweep_id IS 'The sweep.';
COMMENT ON COLUMN rung_entries.rung IS 'The rung.';
COMMENT ON COLUMN rung_entries.run_id IS 'The run.';
COMMENT ON COLUMN rung_entries.arrival IS 'Place in the order of arrival at the rung, from 1, without gaps.';
COMMENT ON COLUMN rung_entries.value IS 'The objective there; at the end of a stage, that of its best epoch.';
COMMENT ON COLUMN rung_entries.standard_error IS 'Standard error of the value over the validation images; null: unknown.';
COMMENT ON COLUMN rung_entries.epoch IS 'Epoch whose model was measured.';
COMMENT ON COLUMN rung_entries.task_id IS 'Task of the attempt that measured it.';
COMMENT ON COLUMN rung_entries.lease_epoch IS 'Lease epoch of the attempt that measured it.';
COMMENT ON COLUMN rung_entries.correct IS 'One bit per validation image in the order of the manifest, the lowest bit of a byte first: 1 if the prediction was right; null: not reported.';
COMMENT ON COLUMN rung_entries.losses IS 'Loss of each validation image in the same order, as little-endian float32; null: not reported.';
COMMENT ON COLUMN rung_entries.create_time IS 'When it was stored.';
COMMENT ON COLUMN rung_entries.completed_epochs IS 'Epochs of the stage that were trained by then; null: as many as planned.';
COMMENT ON COLUMN rung_entries.tie_order IS 'Order among equal values, the lowest first, drawn from the seed of the sweep; 0 in sweeps that order them by run number.';
COMMENT ON VIEW rung_places IS 'The place of each run at each rung, as decisions rank them.';
COMMENT ON COLUMN rung_places.sweep_id IS 'The sweep.';
COMMENT ON COLUMN rung_places.rung IS 'The rung.';
COMMENT ON COLUMN rung_places.run_id IS 'The run. Infeasible runs have left their rungs, except in a synchronous sweep.';
COMMENT ON COLUMN rung_places.competes IS 'True if the run has a further rung, for which it competes with the others.';
COMMENT ON COLUMN rung_places.place IS 'Place among the runs that compete, or among those that do not, from 1: the better value first, of equal ones the lower tie order, NaN last.';
COMMENT ON VIEW rung_tables IS 'The runs at each rung of a sweep, best first, with the verdict of the rule.';
COMMENT ON COLUMN rung_tables.sweep_id IS 'The sweep.';
COMMENT ON COLUMN rung_tables.rung IS 'The rung.';
COMMENT ON COLUMN rung_tables.stage IS 'Stage of the rung.';
COMMENT ON COLUMN rung_tables.rung_epoch IS 'Epoch of the rung; null: the end of the stage.';
COMMENT ON COLUMN rung_tables.place IS 'Place now among the runs that compete, or among those that do not, from 1: the better value first, of equal ones the lower tie order.';
COMMENT ON COLUMN rung_tables.run_id IS 'The run.';
COMMENT ON COLUMN rung_tables.run_index IS 'Number within the sweep.';
COMMENT ON COLUMN rung_tables.state IS 'State of the run.';
COMMENT ON COLUMN rung_tables.value IS 'The objective there.';
COMMENT ON COLUMN rung_tables.standard_error IS 'Standard error of the value; null: unknown.';
COMMENT ON COLUMN rung_tables.epoch IS 'Epoch whose model was measured.';
COMMENT ON COLUMN rung_tables.arrival IS 'Place in the order of arrival, from 1.';
COMMENT ON COLUMN rung_tables.verdict IS 'CONTINUE, STOP or PAUSE; null: nothing was decided there.';
COMMENT ON COLUMN rung_tables.verdict_place IS 'Place when the rule decided.';
COMMENT ON COLUMN rung_tables.verdict_cut IS 'Last place that continued at that time.';
COMMENT ON COLUMN rung_tables.reason IS 'Reason of the verdict.';
COMMENT ON COLUMN rung_tables.promoted IS 'True if the run was promoted from the rung.';
COMMENT ON COLUMN rung_tables.create_time IS 'When the run arrived.';
COMMENT ON COLUMN rung_tables.competes IS 'True if the run has a further rung, for which it competes with the others.';
COMMENT ON TABLE rungs IS 'Fixed points of training at which the runs of a sweep are compared, in order.';
COMMENT ON COLUMN rungs.sweep_id IS 'The sweep.';
COMMENT ON COLUMN rungs.rung IS 'Position, from 0.';
COMMENT ON COLUMN rungs.stage IS 'HEAD or FINE_TUNE.';
COMMENT ON COLUMN rungs.epoch IS 'Epoch of the stage; null: the end of the stage.';
COMMENT ON COLUMN rungs.entry_count IS 'Runs that have reached it; the number of the last arrival.';
COMMENT ON TABLE runs IS 'Hyper-parameter variants with their seeds; the unit of results.';
COMMENT ON COLUMN runs.run_id IS 'Identity.';
COMMENT ON COLUMN runs.sweep_id IS 'The sweep.';
COMMENT ON COLUMN runs.run_index IS 'Number within the sweep, from 0; 0 is the baseline.';
COMMENT ON COLUMN runs.parameters_digest IS 'SHA-256 of the canonical parameters; no variant is in a sweep twice.';
COMMENT ON COLUMN runs.parameters IS 'Canonical parameters by dotted name. Parameters of later versions are absent at their default, so that digests stay equal; run_parameters has them.';
COMMENT ON COLUMN runs.state IS 'QUEUED, RUNNING, PAUSED, STOPPING, SUCCEEDED, STOPPED (by a rule), CANCELLED (by a person), FAILED or INFEASIBLE.';
COMMENT ON COLUMN runs.state_reason IS 'Reason of the state, for people.';
COMMENT ON COLUMN runs.stage IS 'Stage it is in or ended in.';
COMMENT ON COLUMN runs.epoch_count IS 'Epochs done in this stage.';
COMMENT ON COLUMN runs.epoch_limit IS 'Epochs this stage was given.';
COMMENT ON COLUMN runs.best_value IS 'The objective''s best value over all stages; null before the first validated epoch.';
COMMENT ON COLUMN runs.best_stage IS 'Stage of the best value: HEAD or FINE_TUNE.';
COMMENT ON COLUMN runs.best_epoch IS 'Epoch of the best value within its stage, from 1.';
COMMENT ON COLUMN runs.best_val_loss IS 'Validation loss at the best epoch.';
COMMENT ON COLUMN runs.best_val_accuracy IS 'Validation accuracy at the best epoch, 0 to 1.';
COMMENT ON COLUMN runs.last_value IS 'The objective''s value of the last validated epoch.';
COMMENT ON COLUMN runs.peak_memory_bytes IS 'Highest memory that a worker process held while it trained this run.';
COMMENT ON COLUMN runs.create_time IS 'Time of creation.';
COMMENT ON COLUMN runs.start_time IS 'Time at which a slot first worked on it.';
COMMENT ON COLUMN runs.end_time IS 'Time at which it reached a final state.';
COMMENT ON COLUMN runs.head_run_id IS 'Run that trained its head, of this sweep or another one; null: itself, or there is no head.';
COMMENT ON COLUMN runs.notes IS 'Notes of people.';
COMMENT ON COLUMN runs.tags IS 'Tags of people, sorted.';
COMMENT ON COLUMN runs.rung IS 'Highest rung that it has reached; null: none.';
COMMENT ON COLUMN runs.paused_rung IS 'Rung at which it is paused until it is promoted; null: it is not paused at a rung.';
COMMENT ON COLUMN runs.end_cause IS 'Why it ended: ALL_EPOCHS, EARLY_STOPPING (its own patience), RULE (a stopping rule), NOT_PROMOTED, BUDGET, TARGET, USER, ERROR, REUSED or SCREENED (its backbone was left out); null: it has not ended, or ended before causes were recorded.';
COMMENT ON COLUMN runs.reused_run_id IS 'Run of another sweep whose result it took over; null: none.';
COMMENT ON COLUMN runs.result_digest IS 'SHA-256 over all that determines the run''s numbers: parameters, seeds, images, weights, and the objective where it steers training; null: not planned yet, or planned by an earlier version.';
COMMENT ON COLUMN runs.head_digest IS 'The same for its head phase; null also where there is none.';
COMMENT ON COLUMN runs.model_bytes IS 'Bytes of the weights of the exported model in float32: the base up to its cut, and the head; null: not planned yet, or planned by an earlier version.';
COMMENT ON COLUMN runs.parameter_count IS 'Parameters of this model as Keras counts them, statistics of batch normalizations included; null: as model_bytes.';
COMMENT ON COLUMN runs.flops IS 'Operations of a forward pass of one image through this model, 2 per multiply-add, of convolutions and dense layers; null: as model_bytes.';
COMMENT ON COLUMN runs.repeat_of IS 'Run of which it is another seed: left out of rankings, counted in the score of that run; null: it is none.';
COMMENT ON VIEW screen_tables IS 'The candidates of a sweep''s screen, with what their probes measured and whether they were kept.';
COMMENT ON COLUMN screen_tables.sweep_id IS 'The sweep.';
COMMENT ON COLUMN screen_tables.place IS 'Place by images predicted correctly, from 1; null: not decided, or no result.';
COMMENT ON COLUMN screen_tables.backbone IS 'Name of the backbone.';
COMMENT ON COLUMN screen_tables.weights IS 'imagenet, random or a path.';
COMMENT ON COLUMN screen_tables.cut IS 'Last layer of the prefix; null: the whole base.';
COMMENT ON COLUMN screen_tables.image_size IS 'Height and width of the images in pixels.';
COMMENT ON COLUMN screen_tables.pooling IS 'avg or max.';
COMMENT ON COLUMN screen_tables.image_count IS 'Probed training and validation images.';
COMMENT ON COLUMN screen_tables.correct_count IS 'Images that a model predicts correctly which has not seen them; null: no result.';
COMMENT ON COLUMN screen_tables.accuracy IS 'Part of the images predicted correctly; null: no result.';
COMMENT ON COLUMN screen_tables.best_only_count IS 'Images on which only the best candidate is right.';
COMMENT ON COLUMN screen_tables.this_only_count IS 'Images on which only this one is right.';
COMMENT ON COLUMN screen_tables.p_value IS 'Mid-p value of McNemar''s test that it is worse than the best.';
COMMENT ON COLUMN screen_tables.kept IS 'Whether its runs are trained; null: not decided yet.';
COMMENT ON COLUMN screen_tables.is_baseline IS 'Whether the sweep''s baseline has it.';
COMMENT ON COLUMN screen_tables.log_me IS 'LogME, which decides nothing.';
COMMENT ON COLUMN screen_tables.latency_seconds IS 'Median seconds of the forward pass of one image on the trainer''s device.';
COMMENT ON COLUMN screen_tables.feature_seconds IS 'Forecast slot-seconds of the features of all training and validation images.';
COMMENT ON COLUMN screen_tables.seconds IS 'Seconds of the probe.';
COMMENT ON COLUMN screen_tables.reason IS 'Why it was kept or left out.';
COMMENT ON COLUMN screen_tables.task_state IS 'State of the task that measures it.';
COMMENT ON TABLE searches IS 'The search of each planned sweep: how its runs are compared while they train. Its row is locked by whatever changes rungs, entries and decisions, so these have one order.';
COMMENT ON COLUMN searches.sweep_id IS 'The sweep.';
COMMENT ON COLUMN searches.policy IS 'The rule with its version and all settings, as they were resolved at planning, and the epochs from which the rungs follow.';
COMMENT ON COLUMN searches.decision_count IS 'Number of decisions; the next one has the next number.';
COMMENT ON COLUMN searches.end_reason IS 'Why the search ended: ALL_DECIDED (nothing more can be promoted), SPACE_EXHAUSTED (every point is a run), PATIENCE (rounds without a better run), BUDGET, WALL_TIME, TARGET or USER; null: it continues, or no search was needed.';
COMMENT ON COLUMN searches.end_time IS 'Time of the end.';
COMMENT ON VIEW served_runs IS 'One row per task and run that needs it: its own runs, and those of the task''s sweep that share a head it trains. A run whose head another sweep has trained needs no task for it.';
COMMENT ON COLUMN served_runs.task_id IS 'The task.';
COMMENT ON COLUMN served_runs.sweep_id IS 'The sweep.';
COMMENT ON COLUMN served_runs.stage IS 'HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN served_runs.run_id IS 'The run.';
COMMENT ON COLUMN served_runs.shared IS 'True if the task trains the head of another run that this one starts from.';
COMMENT ON VIEW slot_utilisation IS 'One row per slot, also of those that are no more: how long it held tasks, and how much of the time since its first one.';
COMMENT ON COLUMN slot_utilisation.trainer_id IS 'The trainer.';
COMMENT ON COLUMN slot_utilisation.slot_index IS 'Number within the trainer, from 0.';
COMMENT ON COLUMN slot_utilisation.hostname IS 'Host of the trainer.';
COMMENT ON COLUMN slot_utilisation.device_kind IS 'cpu or gpu; null: the trainer no longer offers the slot.';
COMMENT ON COLUMN slot_utilisation.device_name IS 'As the device calls itself.';
COMMENT ON COLUMN slot_utilisation.trainer_state IS 'READY, DRAINING or LOST.';
COMMENT ON COLUMN slot_utilisation.attempt_count IS 'Attempts it made.';
COMMENT ON COLUMN slot_utilisation.lost_count IS 'Number of leases that did not succeed: EXPIRED, FAILED or RELEASED.';
COMMENT ON COLUMN slot_utilisation.first_time IS 'Its first lease; null: it never had one.';
COMMENT ON COLUMN slot_utilisation.last_time IS 'End of its last attempt; now, while one lives.';
COMMENT ON COLUMN slot_utilisation.busy_seconds IS 'Seconds it held a lease.';
COMMENT ON COLUMN slot_utilisation.lost_seconds IS 'Seconds of attempts that did not succeed; work they had saved is not lost.';
COMMENT ON COLUMN slot_utilisation.busy_share IS 'Part of the time from first_time to last_time that it held a lease, 0 to 1.';
COMMENT ON TABLE slots IS 'Schedulable devices of trainers.';
COMMENT ON COLUMN slots.trainer_id IS 'The trainer.';
COMMENT ON COLUMN slots.slot_index IS 'Number within the trainer, from 0.';
COMMENT ON COLUMN slots.device_kind IS 'cpu or gpu.';
COMMENT ON COLUMN slots.device_name IS 'Name reported by the device.';
COMMENT ON COLUMN slots.memory_bytes IS 'Memory it may use; 0 where unknown.';
COMMENT ON COLUMN slots.thread_count IS 'Intra-op threads.';
COMMENT ON COLUMN slots.bench_reason IS 'Reason why it gets no tasks; empty: it gets tasks.';
COMMENT ON COLUMN slots.benched_by_faults IS 'True if failed tasks benched it, false if its trainer''s registration did.';
COMMENT ON VIEW stage_forecasts IS 'One row per sweep and stage: forecast and actual cost. Forecasts include neither early stopping nor lost attempts.';
COMMENT ON COLUMN stage_forecasts.sweep_id IS 'The sweep.';
COMMENT ON COLUMN stage_forecasts.stage IS 'INDEX, PROBE, FEATURES, HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN stage_forecasts.task_count IS 'Tasks, cancelled ones left out.';
COMMENT ON COLUMN stage_forecasts.run_count IS 'Runs that they train.';
COMMENT ON COLUMN stage_forecasts.forecast_seconds IS 'Slot-seconds that they were expected to take; null: none was forecast.';
COMMENT ON COLUMN stage_forecasts.measured_seconds IS 'Slot-seconds that they have taken, lost attempts included; live ones up to now.';
COMMENT ON COLUMN stage_forecasts.lost_seconds IS 'Slot-seconds of attempts that did not succeed.';
COMMENT ON COLUMN stage_forecasts.forecast_memory_bytes IS 'Most memory that one of them was expected to need.';
COMMENT ON COLUMN stage_forecasts.measured_memory_bytes IS 'Most memory that a worker held in one of them, what it kept of earlier tasks included; null: not measured.';
COMMENT ON COLUMN stage_forecasts.ended IS 'True if all of its tasks have ended, so that the two can be compared.';
COMMENT ON VIEW suggested_runs IS 'The runs that a strategy has asked for, with what it expected and what came of it.';
COMMENT ON COLUMN suggested_runs.sweep_id IS 'The sweep.';
COMMENT ON COLUMN suggested_runs.round IS 'Number of the round, from 0.';
COMMENT ON COLUMN suggested_runs."position" IS 'Place in the round, from 1.';
COMMENT ON COLUMN suggested_runs.run_id IS 'The run.';
COMMENT ON COLUMN suggested_runs.run_index IS 'Number within the sweep.';
COMMENT ON COLUMN suggested_runs.sampler IS 'What asked for it: gp or tpe with its version, sobol, remaining, variant or default.';
COMMENT ON COLUMN suggested_runs.decision_id IS 'Decision SUGGEST that added it; null: round 0.';
COMMENT ON COLUMN suggested_runs.scored_run_count IS 'Results that the model knew; null: no model chose it.';
COMMENT ON COLUMN suggested_runs.predicted_value IS 'The objective that a Gaussian process expected of it; null: none did.';
COMMENT ON COLUMN suggested_runs.predicted_deviation IS 'Standard deviation of the expectation.';
COMMENT ON COLUMN suggested_runs.log_improvement IS 'Logarithm of the expected improvement; null: no Gaussian process chose it.';
COMMENT ON COLUMN suggested_runs.log_density_ratio IS 'Logarithm of the density of good runs there over that of the others; null: no Parzen estimator chose it.';
COMMENT ON COLUMN suggested_runs.reason IS 'Why no model chose it, or why it opens a group of its own; null: the model chose it freely.';
COMMENT ON COLUMN suggested_runs.group_number IS 'Group of the round that trains it, from 1.';
COMMENT ON COLUMN suggested_runs.head_value IS 'The objective at the end of its head; null: it has not come there.';
COMMENT ON COLUMN suggested_runs.state IS 'State of the run.';
COMMENT ON COLUMN suggested_runs.best_value IS 'Best value of the objective so far.';
COMMENT ON TABLE suggestions IS 'How each run came into a sweep whose strategy asks for runs by the results of earlier ones: its round and its place in it. Runs that an extension adds as variants have no row.';
COMMENT ON COLUMN suggestions.sweep_id IS 'The sweep.';
COMMENT ON COLUMN suggestions.round IS 'Number of the round, from 0. Round 0 was submitted with the sweep; each later one is a decision SUGGEST.';
COMMENT ON COLUMN suggestions."position" IS 'Place in the round, from 1, in the order in which the runs were asked for.';
COMMENT ON COLUMN suggestions.run_id IS 'The run.';
COMMENT ON COLUMN suggestions.sampler IS 'What asked for it: gp or tpe with its version, sobol, remaining (what is left of a finite space), variant (listed) or default (the baseline).';
COMMENT ON COLUMN suggestions.decision_id IS 'Decision SUGGEST that added it, which has what the sampler knew; null: round 0.';
COMMENT ON COLUMN suggestions.detail IS 'What the sampler expected of it, why no model chose it, and its group; `graft run explain` prints it.';
COMMENT ON VIEW sweep_summaries IS 'One row per sweep: properties, progress and cost.';
COMMENT ON COLUMN sweep_summaries.sweep_id IS 'The sweep.';
COMMENT ON COLUMN sweep_summaries.display_name IS 'Name for people.';
COMMENT ON COLUMN sweep_summaries.state IS 'ACTIVE, PAUSED, SUCCEEDED, FAILED or CANCELLED.';
COMMENT ON COLUMN sweep_summaries.state_reason IS 'Reason of the state, for people.';
COMMENT ON COLUMN sweep_summaries.objective_metric IS 'Ranking criterion of its runs: val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy or val_auc.';
COMMENT ON COLUMN sweep_summaries.objective_goal IS 'minimize or maximize.';
COMMENT ON COLUMN sweep_summaries.varied_names IS 'Names of the parameters that differ between the runs.';
COMMENT ON COLUMN sweep_summaries.dataset_id IS 'The data set; null until it is indexed.';
COMMENT ON COLUMN sweep_summaries.dataset_digest IS 'Digest of its manifest.';
COMMENT ON COLUMN sweep_summaries.dataset_path IS 'Folder of images that the sweep reads.';
COMMENT ON COLUMN sweep_summaries.class_names IS 'Names of the classes; their place from 0 is the label.';
COMMENT ON COLUMN sweep_summaries.run_count IS 'Its runs.';
COMMENT ON COLUMN sweep_summaries.succeeded_count IS 'Runs that SUCCEEDED.';
COMMENT ON COLUMN sweep_summaries.failed_count IS 'Runs that are FAILED or INFEASIBLE; a sweep may have SUCCEEDED with such runs.';
COMMENT ON COLUMN sweep_summaries.attempt_count IS 'Attempts of its tasks, lost ones included.';
COMMENT ON COLUMN sweep_summaries.slot_seconds IS 'Seconds that slots were leased for it, lost attempts included; live ones up to now.';
COMMENT ON COLUMN sweep_summaries.create_time IS 'Time of submission.';
COMMENT ON COLUMN sweep_summaries.start_time IS 'Time at which the first task started.';
COMMENT ON COLUMN sweep_summaries.end_time IS 'Time at which it reached a final state.';
COMMENT ON COLUMN sweep_summaries.infeasible_count IS 'Number of runs, included in failed_count, that are INFEASIBLE: they are impossible to run.';
COMMENT ON COLUMN sweep_summaries.stopped_count IS 'Runs that a rule ended early.';
COMMENT ON COLUMN sweep_summaries.cancelled_count IS 'Runs that a person ended.';
COMMENT ON COLUMN sweep_summaries.best_run_id IS 'The run that the leaderboard places first, if it can be the best one; null: none can.';
COMMENT ON COLUMN sweep_summaries.notes IS 'Notes of people.';
COMMENT ON COLUMN sweep_summaries.tags IS 'Tags of people, sorted.';
COMMENT ON COLUMN sweep_summaries.reused_count IS 'Runs that took the result of another sweep; included in succeeded_count.';
COMMENT ON COLUMN sweep_summaries.repeat_count IS 'Runs that repeat finalists with further seeds; included in run_count.';
COMMENT ON COLUMN sweep_summaries.winner_run_id IS 'The run that the rule of the sweep chose, of the table winners; null: the sweep has not ended, or ended under an earlier version.';
COMMENT ON VIEW sweep_winners IS 'The winner of each sweep whose training has ended, chosen on the validation images before the test.';
COMMENT ON COLUMN sweep_winners.sweep_id IS 'The sweep. One that continues has no winner.';
COMMENT ON COLUMN sweep_winners.display_name IS 'Its current name.';
COMMENT ON COLUMN sweep_winners.run_id IS 'The run that won. It is tested.';
COMMENT ON COLUMN sweep_winners.run_index IS 'Number of that run within the sweep.';
COMMENT ON COLUMN sweep_winners.rule IS 'best: the best score. one_standard_error: the cheapest run within one standard error of the best score.';
COMMENT ON COLUMN sweep_winners.best_run_id IS 'Run with the best score; the winner itself under the rule best.';
COMMENT ON COLUMN sweep_winners.objective_metric IS 'Metric of the scores.';
COMMENT ON COLUMN sweep_winners.score IS 'Mean of the objective over the trainings of the winner.';
COMMENT ON COLUMN sweep_winners.measurement_count IS 'Number of these trainings: 1, or the seeds of a finalist that succeeded.';
COMMENT ON COLUMN sweep_winners.expected_score IS 'Score that is expected on new images: without the luck of having been chosen; null: unknown.';
COMMENT ON COLUMN sweep_winners.rival_count IS 'Number of runs whose place chance could have decided, the winner included.';
COMMENT ON COLUMN sweep_winners.cheaper_run_id IS 'Smallest model that is not distinguishable from the winner; null: none is smaller.';
COMMENT ON COLUMN sweep_winners.cheaper_part IS 'Bytes of that model, as a part of the winner''s.';
COMMENT ON COLUMN sweep_winners.cheaper_difference IS 'Mean outcome of that model on the images minus the winner''s: accuracies, or losses where val_loss is the objective.';
COMMENT ON COLUMN sweep_winners.cheaper_difference_standard_error IS 'Standard error of that difference, paired over the images.';
COMMENT ON COLUMN sweep_winners.test_accuracy IS 'Accuracy of the winner on the test split; null: not tested.';
COMMENT ON COLUMN sweep_winners.statements IS 'The choice with its numbers, in sentences for people.';
COMMENT ON COLUMN sweep_winners.create_time IS 'Time of the choice.';
COMMENT ON TABLE sweeps IS 'Tuning jobs: data set, search space, objective and budget.';
COMMENT ON COLUMN sweeps.sweep_id IS 'Identity.';
COMMENT ON COLUMN sweeps.request_id IS 'Chosen by the client; the same one gives the same sweep. Null: none was sent.';
COMMENT ON COLUMN sweeps.spec_digest IS 'SHA-256 of the canonical spec; tells a repeated request_id from a reused one.';
COMMENT ON COLUMN sweeps.display_name IS 'Name for people; the spec keeps the submitted one.';
COMMENT ON COLUMN sweeps.spec IS 'The spec as submitted.';
COMMENT ON COLUMN sweeps.state IS 'ACTIVE, PAUSED, SUCCEEDED, FAILED or CANCELLED.';
COMMENT ON COLUMN sweeps.state_reason IS 'Reason of the state, for people; may be empty.';
COMMENT ON COLUMN sweeps.dataset_id IS 'The indexed data set; null until INDEX is done.';
COMMENT ON COLUMN sweeps.objective_metric IS 'Ranking criterion of runs, measured on the validation split: val_loss, val_accuracy, val_macro_f1, val_balanced_accuracy or val_auc.';
COMMENT ON COLUMN sweeps.objective_goal IS 'minimize or maximize.';
COMMENT ON COLUMN sweeps.test_policy IS 'Selection of the runs that are evaluated on the test split: winner (and baseline) or every_run.';
COMMENT ON COLUMN sweeps.varied_names IS 'Names of the parameters that differ between the runs.';
COMMENT ON COLUMN sweeps.weights IS 'Pretrained weights that INDEX resolved: [{"backbone", "weights", "digest"}].';
COMMENT ON COLUMN sweeps.planned IS 'True if the tasks after INDEX have been written.';
COMMENT ON COLUMN sweeps.create_time IS 'Time of submission.';
COMMENT ON COLUMN sweeps.start_time IS 'Time at which the first task started.';
COMMENT ON COLUMN sweeps.end_time IS 'Time at which it reached a final state.';
COMMENT ON COLUMN sweeps.planned_slot_count IS 'Number of slots for which its groups were last planned; null until it is planned.';
COMMENT ON COLUMN sweeps.forecast_wall_seconds IS 'Seconds from its first lease to its end that were expected when it was planned, on the slots that were there.';
COMMENT ON COLUMN sweeps.forecast_alone_seconds IS 'Slot-seconds that its runs were expected to take one by one, with nothing shared.';
COMMENT ON COLUMN sweeps.traceparent IS 'W3C trace context of the call that submitted it; null: it was not traced.';
COMMENT ON COLUMN sweeps.dataset_problems IS 'Problems that indexing found in the sweep''s own folder and let pass: [{"code", "path", "message", "fatal"}]; null before indexing.';
COMMENT ON COLUMN sweeps.notes IS 'Notes of people.';
COMMENT ON COLUMN sweeps.tags IS 'Tags of people, sorted.';
COMMENT ON COLUMN sweeps.priority IS 'Sweeps of a higher priority are leased first, and preempt lower ones at a checkpoint.';
COMMENT ON COLUMN sweeps.max_parallel_slots IS 'Maximum number of slots that work on the sweep at once; null: all.';
COMMENT ON COLUMN sweeps.budget IS 'Current bounds of its work (slotSeconds, wallSeconds, target); null: none. The spec keeps the submitted ones.';
COMMENT ON COLUMN sweeps.ended_seconds IS 'Seconds between its ends and their extensions or retries; no bound on its time counts them.';
COMMENT ON COLUMN sweeps.has_baseline IS 'Whether run 0 is the baseline that the others are compared with, as the specification said before its first extension; null: it was not extended.';
COMMENT ON TABLE task_dependencies IS 'A task waits until the others have succeeded.';
COMMENT ON COLUMN task_dependencies.task_id IS 'The task that waits.';
COMMENT ON COLUMN task_dependencies.depends_on_id IS 'The task it waits for.';
COMMENT ON TABLE task_feature_sets IS 'Feature sets that a task computes (FEATURES) or reads (other stages).';
COMMENT ON COLUMN task_feature_sets.task_id IS 'The task.';
COMMENT ON COLUMN task_feature_sets.feature_key IS 'The feature set.';
COMMENT ON TABLE task_runs IS 'Runs that a task serves, each with its outcome.';
COMMENT ON COLUMN task_runs.task_id IS 'The task.';
COMMENT ON COLUMN task_runs.run_id IS 'The run.';
COMMENT ON COLUMN task_runs."position" IS 'Order within the task.';
COMMENT ON COLUMN task_runs.state IS 'PENDING, SUCCEEDED, EARLY_STOPPED, FAILED, STOPPED or PAUSED.';
COMMENT ON COLUMN task_runs.role IS 'Reason of the evaluation: WINNER, BASELINE or EVERY_RUN; null for stages other than EVALUATE.';
COMMENT ON COLUMN task_runs.source_checkpoint_id IS 'The checkpoint it starts from (FINE_TUNE) or evaluates (EVALUATE); null until known.';
COMMENT ON TABLE tasks IS 'The unit of leasing: one stage of one or many runs.';
COMMENT ON COLUMN tasks.task_id IS 'Identity.';
COMMENT ON COLUMN tasks.sweep_id IS 'The sweep.';
COMMENT ON COLUMN tasks.stage IS 'INDEX, PROBE, FEATURES, HEAD, FINE_TUNE or EVALUATE.';
COMMENT ON COLUMN tasks.state IS 'WAITING (for other tasks), READY, LEASED, RUNNING, SUCCEEDED, FAILED or CANCELLED.';
COMMENT ON COLUMN tasks."position" IS 'Order within the sweep; lower ones are leased first.';
COMMENT ON COLUMN tasks.description IS 'Description for people.';
COMMENT ON COLUMN tasks.lease_epoch IS 'Fencing number: +1 at each lease, carried by every write of its holder.';
COMMENT ON COLUMN tasks.lease_expire_time IS 'The lease ends then unless a heartbeat extends it; null when not leased.';
COMMENT ON COLUMN tasks.trainer_id IS 'Trainer that holds the lease; null when not leased.';
COMMENT ON COLUMN tasks.slot_index IS 'Slot that holds the lease; null when not leased.';
COMMENT ON COLUMN tasks.lease_request_id IS 'Request of the slot that obtained the lease; repeating the request returns the same lease.';
COMMENT ON COLUMN tasks.command IS 'Command that the holder receives with its next heartbeat: PAUSE, STOP, KILL, CHECKPOINT_NOW or ABANDON; null: continue.';
COMMENT ON COLUMN tasks.not_before_time IS 'Not leased before then (back-off after a failure).';
COMMENT ON COLUMN tasks.failure_count IS 'Failed attempts that count; three end the task.';
COMMENT ON COLUMN tasks.infrastructure_count IS 'Attempts in a row lost to machines, devices or the network since the last new checkpoint; ten end the task.';
COMMENT ON COLUMN tasks.memory_count IS 'Attempts that ran out of memory; each halves the micro-batch.';
COMMENT ON COLUMN tasks.progress_step_count IS 'Steps done by the current attempt.';
COMMENT ON COLUMN tasks.progress_step_limit IS 'Steps the current attempt has to do; 0 where unknown.';
COMMENT ON COLUMN tasks.progress_detail IS 'Current activity of the attempt, for people.';
COMMENT ON COLUMN tasks.create_time IS 'Time at which it was planned.';
COMMENT ON COLUMN tasks.start_time IS 'Time of the first lease.';
COMMENT ON COLUMN tasks.end_time IS 'Time at which it reached a final state.';
COMMENT ON COLUMN tasks.cost_class IS 'Class by which its forecast is corrected: stage, method, backbone and image size; null: no forecast.';
COMMENT ON COLUMN tasks.model_seconds IS 'Seconds that the cost model gave it before measurements of the cluster corrected them.';
COMMENT ON COLUMN tasks.forecast_seconds IS 'Seconds that it was expected to take from lease to end, with all its epochs; null: it was not forecast.';
COMMENT ON COLUMN tasks.forecast_memory_bytes IS 'Most memory that the worker process was expected to hold.';
COMMENT ON COLUMN tasks.required_memory_bytes IS 'Slots with less memory are not given the task: its forecast, corrected by the peaks of earlier tasks of its cost class; null: not known.';
COMMENT ON COLUMN tasks.peak_memory_bytes IS 'Most memory that the worker held in the attempt that succeeded; null: not measured.';
COMMENT ON COLUMN tasks.machine_round_count IS 'Number of rounds in which every eligible slot has failed it by a fault of its machine, since the sweep was last paused for that.';
COMMENT ON COLUMN tasks.partial_index IS 'INDEX: the images and weights that earlier attempts have found, while missing weights are looked for on other machines.';
COMMENT ON COLUMN tasks.pause_epoch IS 'Epoch after which its runs pause; null: it trains its stage to the end.';
COMMENT ON COLUMN tasks.rung IS 'Rung that it trains to, where its runs wait at rungs to be promoted; else null.';
COMMENT ON COLUMN tasks.command_reason IS 'Reason of the command, for people; empty: there is no command.';
COMMENT ON VIEW test_answers IS 'One row per evaluated run and test image: the prediction of the run''s best checkpoint.';
COMMENT ON COLUMN test_answers.sweep_id IS 'The sweep.';
COMMENT ON COLUMN test_answers.run_id IS 'The run.';
COMMENT ON COLUMN test_answers.run_index IS 'Number of the run within the sweep.';
COMMENT ON COLUMN test_answers.test_role IS 'Reason of the evaluation: WINNER, BASELINE or EVERY_RUN.';
COMMENT ON COLUMN test_answers.path IS 'Path of the image within the data set.';
COMMENT ON COLUMN test_answers.label IS 'True label.';
COMMENT ON COLUMN test_answers.class_name IS 'True class.';
COMMENT ON COLUMN test_answers.predicted_label IS 'Predicted label.';
COMMENT ON COLUMN test_answers.predicted_class_name IS 'Predicted class.';
COMMENT ON COLUMN test_answers.correct IS 'True if the two labels are equal.';
COMMENT ON COLUMN test_answers.probability IS 'Probability of the predicted class.';
COMMENT ON COLUMN test_answers.probabilities IS 'Probability of each class.';
COMMENT ON TABLE test_class_results IS 'Precision, recall and F1 of one class on the test split.';
COMMENT ON COLUMN test_class_results.run_id IS 'The run.';
COMMENT ON COLUMN test_class_results.class_index IS 'Label of the class.';
COMMENT ON COLUMN test_class_results.class_name IS 'Name of the class.';
COMMENT ON COLUMN test_class_results."precision" IS 'Fraction of the correct predictions among the predictions of this class.';
COMMENT ON COLUMN test_class_results.recall IS 'Fraction of the correct predictions among the images of this class.';
COMMENT ON COLUMN test_class_results.f1 IS 'Harmonic mean of the two.';
COMMENT ON COLUMN test_class_results.support IS 'Images of the class.';
COMMENT ON TABLE test_predictions IS 'Predictions of a run''s best checkpoint for each test image.';
COMMENT ON COLUMN test_predictions.run_id IS 'The run.';
COMMENT ON COLUMN test_predictions.path IS 'Path of the image within the data set.';
COMMENT ON COLUMN test_predictions.label IS 'True label.';
COMMENT ON COLUMN test_predictions.predicted_label IS 'Predicted label.';
COMMENT ON COLUMN test_predictions.probabilities IS 'Probability of each class.';
COMMENT ON TABLE test_results IS 'Performance of a run''s best checkpoint on the test split. Selection never reads it.';
COMMENT ON COLUMN test_results.run_id IS 'The run.';
COMMENT ON COLUMN test_results.checkpoint_id IS 'The checkpoint that was evaluated.';
COMMENT ON COLUMN test_results.role IS 'Reason of the evaluation: WINNER, BASELINE or EVERY_RUN.';
COMMENT ON COLUMN test_results.accuracy IS 'Fraction of correctly classified images, 0 to 1.';
COMMENT ON COLUMN test_results.accuracy_low IS 'Lower end of the 95 % Wilson interval.';
COMMENT ON COLUMN test_results.accuracy_high IS 'Upper end of the 95 % Wilson interval.';
COMMENT ON COLUMN test_results.loss IS 'Mean loss.';
COMMENT ON COLUMN test_results.roc_auc IS 'Area under the ROC curve; for more than two classes the mean over the classes, each against the others. Null where it is undefined, and for more than two classes in earlier results.';
COMMENT ON COLUMN test_results.image_count IS 'Images.';
COMMENT ON COLUMN test_results.correct_count IS 'Number of correctly classified images.';
COMMENT ON COLUMN test_results.confusion_matrix IS 'Confusion matrix in row-major order, rows by true class, columns by predicted class; the square of the class count numbers.';
COMMENT ON COLUMN test_results.create_time IS 'Time at which it was stored.';
COMMENT ON COLUMN test_results.macro_f1 IS 'Mean F1 of the classes, 0 to 1.';
COMMENT ON COLUMN test_results.balanced_accuracy IS 'Mean recall of the classes, 0 to 1.';
COMMENT ON TABLE tokens IS 'Bearer tokens of clients and trainers. Rows stay after a revocation, so that it can be seen who could do what, and when.';
COMMENT ON COLUMN tokens.token_id IS 'Identity.';
COMMENT ON COLUMN tokens.token_hash IS 'SHA-256 of the token, hexadecimal. A token is 256 random bits, so it can''t be guessed from its hash and needs no salt.';
COMMENT ON COLUMN tokens.name IS 'Name of its user, a person or a program.';
COMMENT ON COLUMN tokens.role IS 'VIEWER (reads), SUBMITTER (reads, submits and controls sweeps), TRAINER (leases tasks, nothing else) or ADMIN (a submitter that also removes checkpoints and manages tokens and the mirror).';
COMMENT ON COLUMN tokens.create_time IS 'Time of creation.';
COMMENT ON COLUMN tokens.expire_time IS 'Time of expiry; null: never.';
COMMENT ON COLUMN tokens.revoke_time IS 'Time of revocation; null: not revoked.';
COMMENT ON COLUMN tokens.last_use_time IS 'Time of its latest use, accurate to one minute; null: not used yet.';
COMMENT ON COLUMN tokens.trainer_ids IS 'Trainers that the token may act as; empty: any that its role allows.';
COMMENT ON TABLE trainers IS 'Processes on GPU nodes that offer slots.';
COMMENT ON COLUMN trainers.trainer_id IS 'Identity, given by the trainer and stable over its restarts.';
COMMENT ON COLUMN trainers.hostname IS 'Host it runs on.';
COMMENT ON COLUMN trainers.version IS 'Version of Graft.';
COMMENT ON COLUMN trainers.engine_version IS 'TensorFlow''s version.';
COMMENT ON COLUMN trainers.state IS 'READY, DRAINING (takes no new work) or LOST (no heartbeat).';
COMMENT ON COLUMN trainers.heartbeat_time IS 'Last sign of life.';
COMMENT ON COLUMN trainers.create_time IS 'Time of its first registration.';
COMMENT ON COLUMN trainers.secret_hash IS 'SHA-256 of the secret that the first registration bound this identity to; null: not bound.';
COMMENT ON COLUMN trainers.refusal_count IS 'Number of its reports that were refused because they can''t be true; the third one drains the trainer.';
COMMENT ON COLUMN trainers.drain_reason IS 'Reason why the coordinator assigns it no more work; null: it assigns work.';
COMMENT ON COLUMN trainers.recipe_version IS 'Version of the code that determines the numbers of a training; null: its version does not report one.';
COMMENT ON COLUMN trainers.stages IS 'Stages that it executes, as it reports them; it gets no task of another one.';
COMMENT ON TABLE winners IS 'The winner of each sweep whose training has ended, chosen on the validation images before the test. A sweep that continues has none.';
COMMENT ON COLUMN winners.sweep_id IS 'The sweep.';
COMMENT ON COLUMN winners.run_id IS 'The run that won. It is tested.';
COMMENT ON COLUMN winners.rule IS 'best: the best score. one_standard_error: the cheapest run within one standard error of the best score.';
COMMENT ON COLUMN winners.best_run_id IS 'Run with the best score; the winner itself under the rule best.';
COMMENT ON COLUMN winners.score IS 'Mean of the objective over the trainings of the winner.';
COMMENT ON COLUMN winners.measurement_count IS 'Number of these trainings: 1, or the seeds of a finalist that succeeded.';
COMMENT ON COLUMN winners.expected_score IS 'Score that is expected on new images: without the luck of having been chosen; null: unknown.';
COMMENT ON COLUMN winners.rival_count IS 'Number of runs whose place chance could have decided, the winner included.';
COMMENT ON COLUMN winners.cheaper_run_id IS 'Smallest model that is not distinguishable from the winner; null: none is smaller.';
COMMENT ON COLUMN winners.cheaper_part IS 'Bytes of that model, as a part of the winner''s.';
COMMENT ON COLUMN winners.cheaper_difference IS 'Mean outcome of that model on the images minus the winner''s: accuracies, or losses where val_loss is the objective.';
COMMENT ON COLUMN winners.cheaper_difference_standard_error IS 'Standard error of that difference, paired over the images.';
COMMENT ON COLUMN winners.statements IS 'The choice with its numbers, in sentences for people.';
COMMENT ON COLUMN winners.create_time IS 'Time of the choice.';
