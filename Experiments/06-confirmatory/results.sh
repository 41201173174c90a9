#!/usr/bin/env bash
# Writes what there is by now to results/06-confirmatory: tables, every value, an archive of the runs; then computes all of it again.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=Experiments/06-confirmatory
out=${OUT:-results/06-confirmatory}
prologue=${PROLOGUE:-.build/release/prologue}
python=${PROLOGUE_PYTHON:-.venv/bin/python}
mkdir -p "$out"

for sweep in fashion cifar; do
    options=()
    [ $sweep = cifar ] && options=(--set "data.path=${CIFAR10_JPEG:-cifar10-jpeg.zip}")
    if ! "$prologue" compare $here/$sweep.yaml "${options[@]}" --quiet --markdown > "$out/.table" 2> "$out/.error"; then
        echo "no results of $sweep yet: $(head -c 160 "$out/.error")"
        rm -f "$out/.table" "$out/.error"
        continue
    fi
    rm -f "$out/.error"
    mv "$out/.table" "$out/$sweep.md"
    for part in per-seed endpoints differences blocks; do
        "$prologue" compare $here/$sweep.yaml "${options[@]}" --quiet --csv --$part > "$out/$sweep-$part.csv"
    done
    "$prologue" runs archive $here/$sweep.yaml "${options[@]}"
done
if [ -e "$out/fashion-per-seed.csv" ]; then "$python" $here/recompute.py --results "$out" --write; fi
