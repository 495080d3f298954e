-- Faults of machines are few, and gone after an hour: an index on them would never be read.
DROP INDEX "machine_faults_trainer_id_idx";
