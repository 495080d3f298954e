-- Who may call what: tokens with a role. What a client shows is stored nowhere, only its SHA-256.
CREATE TABLE "tokens" (
    "token_id" TEXT NOT NULL,
    "token_hash" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "role" TEXT NOT NULL,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expire_time" TIMESTAMPTZ(6),
    "revoke_time" TIMESTAMPTZ(6),
    "last_use_time" TIMESTAMPTZ(6),

    CONSTRAINT "tokens_pkey" PRIMARY KEY ("token_id"),
    CONSTRAINT "tokens_token_hash_check" CHECK ("token_hash" ~ '^[0-9a-f]{64}$'),
    CONSTRAINT "tokens_name_check" CHECK ("name" <> ''),
    CONSTRAINT "tokens_role_check" CHECK ("role" IN ('VIEWER', 'SUBMITTER', 'TRAINER', 'ADMIN'))
);

CREATE UNIQUE INDEX "tokens_token_hash_key" ON "tokens"("token_hash");

COMMENT ON TABLE "tokens" IS 'Bearer tokens of clients and trainers. Rows stay after a revocation, so that it can be seen who could do what, and when.';
COMMENT ON COLUMN "tokens"."token_id" IS 'Identity.';
COMMENT ON COLUMN "tokens"."token_hash" IS 'SHA-256 of the token, hexadecimal. A token is 256 random bits, so nobody can guess one from its hash, and it needs no salt.';
COMMENT ON COLUMN "tokens"."name" IS 'Who or what uses it.';
COMMENT ON COLUMN "tokens"."role" IS 'VIEWER (reads), SUBMITTER (reads, submits and steers sweeps), TRAINER (leases tasks, nothing else) or ADMIN (as a submitter, and removes checkpoints, looks after tokens and the mirror).';
COMMENT ON COLUMN "tokens"."create_time" IS 'When it was made.';
COMMENT ON COLUMN "tokens"."expire_time" IS 'When it ends by itself; null: never.';
COMMENT ON COLUMN "tokens"."revoke_time" IS 'When it was revoked; null: it was not.';
COMMENT ON COLUMN "tokens"."last_use_time" IS 'A call that used it, at most a minute before the last one; null: none so far.';
