# The program in an image of its own, built from this repository alone:
#   docker build -t sngan .
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD:/work" sngan train table1 --method SN --setting C --out runs/mine
# On an NVIDIA GPU: --gpus all, and cuDNN and cuBLAS where docs/gpu.md says, for instance from an image of NVIDIA's in place of the second one here.
FROM rust:1.95-bookworm AS build
WORKDIR /src
# With .git, from which the program knows its commit; without it, provenance says null.
COPY . .
RUN cargo build --release --locked --package sngan-cli

# The same release, for its C library. Certificates are built in.
FROM debian:bookworm-slim
COPY --from=build /src/target/release/sngan /usr/local/bin/sngan
COPY --from=build /src/LICENSE-MIT /src/LICENSE-APACHE /src/THIRD-PARTY-LICENSES.txt /usr/share/doc/sngan/
RUN useradd --create-home --uid 1000 sngan && install --directory --owner=sngan /work
USER sngan
WORKDIR /work
ENTRYPOINT ["sngan"]
CMD ["--help"]
