# One image for every role: W2MEET_ROLE (or --role) names the role of a container.

ARG RUST_VERSION=1.95

FROM rust:${RUST_VERSION}-slim-bookworm AS build
WORKDIR /src

# yes: with a profile, like scripts/build. This takes two builds; the executable needs about an eighth less CPU time.
# no: one build, for trying a change of the code.
ARG GUIDED=yes
RUN if [ "$GUIDED" = yes ]; then \
        apt-get update && apt-get install -y --no-install-recommends curl && rustup component add llvm-tools; \
    fi

# The dependencies, in a layer of their own: it is built again only when one of these files changes. (A profile covers all code,
# so a build with a profile compiles everything again.)
# Cargo needs the benches that the manifest names, whatever it builds.
COPY Cargo.toml Cargo.lock ./
COPY benches benches
RUN if [ "$GUIDED" != yes ]; then \
        mkdir src && echo 'fn main() {}' > src/main.rs && touch src/lib.rs \
        && cargo build --profile dist --locked --bin w2meet \
        && cargo clean --profile dist --locked --package w2meet; \
    fi

# The code of W2Meet. config/ and migrations/ are compiled in.
COPY config config
COPY migrations migrations
COPY scripts/build scripts/
COPY src src
RUN if [ "$GUIDED" = yes ]; then scripts/build; else cargo build --profile dist --locked --bin w2meet; fi

FROM debian:bookworm-slim

LABEL org.opencontainers.image.title="w2meet" \
      org.opencontainers.image.description="A self-hosted meeting backend: who can meet when, which slot is best, and why" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"

COPY --from=build /src/target/dist/w2meet /usr/local/bin/w2meet

# A number, not a name, so that orchestrators can verify that it is not root.
# /outbox: invitations, while no mail server is configured.
RUN install --directory --owner=10001 --group=10001 --mode=0750 /data /outbox
USER 10001:10001
VOLUME /data

# A container's loopback cannot be reached from outside. W2MEET_AUTH__MODE controls access.
ENV W2MEET_DATA_DIR=/data \
    W2MEET_GATEWAY__LISTEN=0.0.0.0:8080
EXPOSE 8080
STOPSIGNAL SIGTERM

HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 CMD ["w2meet", "health"]
ENTRYPOINT ["w2meet"]
