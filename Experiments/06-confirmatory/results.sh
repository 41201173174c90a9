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
    # Beginning with the archive: it says whether anything is finished.
    if ! "$prologue" runs archive $here/$sweep.yaml "${options[@]}" 2> "$out/.error"; then
        grep -q "is finished" "$out/.error" || { cat "$out/.error" >&2; exit 1; }
        rm -f "$out/.error"
        echo "no results of $sweep yet"
        continue
    fi
    rm -f "$out/.error"
    for budget in long short; do
        for told in class none; do
            only="budget = '$budget' and told = '$told'"
            [ "$budget $told" = "short none" ] ||
                "$prologue" compare $here/$sweep.yaml "${options[@]}" --quiet --only "$only" --markdown > "$out/$sweep-$budget-$told.md"
        done
    done
    for part in per-seed endpoints differences blocks; do
        "$prologue" compare $here/$sweep.yaml "${options[@]}" --quiet --csv --$part > "$out/$sweep-$part.csv"
    done
done
if [ -e "$out/fashion-per-seed.csv" ]; then "$python" $here/recompute.py --results "$out" --write; fi
