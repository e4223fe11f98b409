#!/usr/bin/env bash
# Installs what bench:size runs: the peers, the compilers of the flavours, and Debian's Rust with the crates of the pair (Debian 12). Needs root.
set -euo pipefail
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
  restic casync borgbackup bsdiff zstd xz-utils python3 gcc g++ libc6-dev dpkg-dev \
  rustc cargo librust-hyper-dev librust-tokio-dev
