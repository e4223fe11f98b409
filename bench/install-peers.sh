#!/usr/bin/env bash
# Installs the programs that tenon is measured against (Debian, Ubuntu). Needs root.
set -euo pipefail
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends restic casync borgbackup python3 gcc libc6-dev
