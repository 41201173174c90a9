#!/usr/bin/env bash
# Kills, damages and fuzzes for some minutes, and compares what comes out with an undisturbed store, byte for byte.
#
#   scripts/storm.sh [MINUTES]          PROLOGUE=path/to/prologue  PROLOGUE_PYTHON=python  SEED=number
#
# Everything random follows from SEED, but for the moments at which processes are killed.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
export PROLOGUE="${PROLOGUE:-$here/.build/release/prologue}"
python="${PROLOGUE_PYTHON:-$here/.venv/bin/python}"
exec "$python" -B "$here/scripts/storm.py" "${1:-2}"
