#!/usr/bin/env bash
# Runs the three sweeps, going on where they were stopped, and writes tables and figures.
# Options are handed to 'prologue sweep run', such as --workers 2 --threads 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=Experiments/02-baseline-vs-prologue
prologue=.build/release/prologue
[ -x "$prologue" ] || make setup build
# A core forced in the environment may be slower than the processor's own.
unset OPENBLAS_CORETYPE
# The short budget first: it answers most, soonest.
"$prologue" sweep run $here/sweep.yaml --only "budget = 'short'" "$@"
for sweep in sweep tokens shapes; do "$prologue" sweep run $here/$sweep.yaml "$@"; done
exec $here/results.sh
