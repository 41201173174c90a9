#!/usr/bin/env bash
# Writes what there is by now to results/02-baseline-vs-prologue: tables, figures, the report.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=Experiments/02-baseline-vs-prologue
out=results/02-baseline-vs-prologue
prologue=.build/release/prologue
mkdir -p $out
for sweep in sweep tokens shapes; do
    for form in csv markdown; do
        "$prologue" compare $here/$sweep.yaml --$form > $out/$sweep.${form/markdown/md}
    done
    "$prologue" report $here/$sweep.yaml --output $out/$sweep
done
