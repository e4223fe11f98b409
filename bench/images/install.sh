#!/usr/bin/env bash
# Installs what bench:images builds images with and compares with (Debian 12). Needs root.
set -euo pipefail
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
  debootstrap umoci skopeo docker-registry casync restic python3
