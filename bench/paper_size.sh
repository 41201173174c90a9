#!/usr/bin/env bash
# The paper's largest models (L tokenizer, AR-XL) on this machine: built, trained for a step, exported, imported and
# sampled. Prints the largest resident memory of each command. Needs about 15 GB of disk in FOLDER while it runs.
#
#   bench/paper_size.sh [FOLDER]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-$(mktemp -d)}
mkdir -p "$folder"
program=${PROLOGUE:-.build/release/prologue}

measured() {
    echo "== $*"
    python3 - "$@" <<'PY'
import resource, subprocess, sys, time
began = time.time()
code = subprocess.call(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
print(f"{time.time() - began:.0f} s, largest resident memory {peak:.1f} GiB")
sys.exit(code)
PY
}

measured $program sweep run bench/paper_size.yaml --store "$folder/made" --quiet
run=$($program runs list --store "$folder/made" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["rows"][0]["id"])')
measured $program export checkpoint "$run" "$folder/released" --store "$folder/made"
measured $program import "$folder/released" --store "$folder/taken"
run=$($program runs list --store "$folder/taken" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["rows"][0]["id"])')
measured $program sample "$run" --count 2 --store "$folder/taken"
