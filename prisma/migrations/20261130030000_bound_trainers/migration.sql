-- A trainer is bound to a secret, a lease to another one; only SHA-256 hashes are stored, hexadecimal. NULL: a trainer from
-- before secrets existed, and its leases.
ALTER TABLE trainers
  ADD COLUMN secret_hash text CHECK (secret_hash ~ '^[0-9a-f]{64}$'),
  ADD COLUMN refusal_count integer NOT NULL DEFAULT 0 CHECK (refusal_count >= 0),
  ADD COLUMN drain_reason text;

COMMENT ON COLUMN trainers.secret_hash IS 'SHA-256 of the secret that the first registration bound this identity to; null: not bound';
COMMENT ON COLUMN trainers.refusal_count IS 'reports that were refused because they can not be true; the third one drains the trainer';
COMMENT ON COLUMN trainers.drain_reason IS 'why the coordinator gives it no more work; null: it does';

ALTER TABLE attempts ADD COLUMN lease_secret_hash text CHECK (lease_secret_hash ~ '^[0-9a-f]{64}$');

COMMENT ON COLUMN attempts.lease_secret_hash IS 'SHA-256 of the secret that every write under this lease must show; null: leased by a trainer that is not bound';

ALTER TABLE tokens
  ADD COLUMN trainer_ids text[] NOT NULL DEFAULT '{}',
  ADD CONSTRAINT tokens_trainer_ids_check CHECK (trainer_ids = '{}' OR role = 'TRAINER');

COMMENT ON COLUMN tokens.trainer_ids IS 'trainers that the token may speak for; empty: any that its role allows';
