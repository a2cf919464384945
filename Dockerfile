# The worker as an image: `worker run` by default, any other command by naming it.
#
#   docker build -t worker .
#   docker run --rm --read-only -e WORKER_CONFIG=builtin worker run-once --dry-run
#   docker run --rm --read-only -v worker:/data -v ./jobs.toml:/data/jobs.toml:ro worker
#
# docs/running.md says how to run it, and deploy/ has examples.

FROM docker.io/library/rust:1.95-slim-bookworm AS build
WORKDIR /src

# The dependencies, from the files that name them and say how they are built, and programs that
# do nothing: this layer stays as long as those files do.
COPY Cargo.toml Cargo.lock ./
COPY .cargo .cargo
RUN set -e; \
    for target in src benches/report benches/running benches/scan benches/send benches/simulate benches/xero examples/make_connections; do \
        mkdir -p "$target"; \
        echo 'fn main() {}' >"$target/main.rs"; \
    done; \
    touch src/lib.rs; \
    cargo build --release --locked --bin worker; \
    rm -r src

# What is compiled, and what is compiled in.
COPY build.rs jobs.toml ./
COPY migrations migrations
COPY docs/webhooks.schema.json docs/
COPY examples/connections.csv examples/
COPY src src
# Newer than the programs that did nothing, whatever the clone says.
RUN set -e; \
    find src build.rs -type f -exec touch {} +; \
    cargo build --release --locked --bin worker; \
    mkdir /data

# The C library, CA certificates, time zones for others; no shell and no package manager.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/worker /usr/local/bin/worker
COPY --from=build --chown=65532:65532 /data /data

# jobs.toml, a SQLite database, and temporary files: all that is ever written is here, so that
# the root file system can be read-only.
VOLUME ["/data"]
WORKDIR /data
ENV TMPDIR=/data
USER 65532:65532
EXPOSE 9464
STOPSIGNAL SIGTERM
# Of `worker run`. Where cron starts `run-once`, switch it off with --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s CMD ["/usr/local/bin/worker", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/worker"]
CMD ["run"]
