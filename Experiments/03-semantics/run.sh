#!/bin/bash
# Both sweeps of this experiment, and its small results in results/03-semantics. Finished stages are reused; after an
# interruption the same command goes on. Arguments go to both commands, such as --workers 1 --threads 2.
set -euo pipefail
cd "$(dirname "$0")/../.."
[ -x .build/release/prologue ] || make setup build

for sweep in sweep shapes; do
  env -u OPENBLAS_CORETYPE .build/release/prologue study semantics "Experiments/03-semantics/$sweep.yaml" \
    --output "results/03-semantics/$sweep" "$@"
done
