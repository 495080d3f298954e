-- Whose artifact store it is: the store has a marker with the cluster's identity, which is this database's.
CREATE TABLE "cluster" (
    "singleton" BOOLEAN NOT NULL DEFAULT true,
    "cluster_id" TEXT NOT NULL,
    "create_time" TIMESTAMPTZ(6) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "store_mark_time" TIMESTAMPTZ(6),

    CONSTRAINT "cluster_pkey" PRIMARY KEY ("singleton"),
    CONSTRAINT "cluster_singleton_check" CHECK ("singleton")
);

COMMENT ON TABLE "cluster" IS 'One row, made when a coordinator first starts on this database: the cluster that the database belongs to.';
COMMENT ON COLUMN "cluster"."singleton" IS 'True: there is one row.';
COMMENT ON COLUMN "cluster"."cluster_id" IS 'Identity (UUID), which the marker of the artifact store has too. A restored database keeps it.';
COMMENT ON COLUMN "cluster"."create_time" IS 'When it was made.';
COMMENT ON COLUMN "cluster"."store_mark_time" IS 'When a coordinator marked the artifact store; null: none has yet.';
