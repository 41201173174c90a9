#!/usr/bin/env bash
# Writes what there is by now to results/02-baseline-vs-prologue: tables, figures, the report.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=Experiments/02-baseline-vs-prologue
out=results/02-baseline-vs-prologue
prologue=.build/release/prologue
mkdir -p $out

# table NAME SWEEP METRIC…: arms as rows, as Markdown and, with every digit and the differences, as CSV.
table() {
    local name=$1 sweep=$here/$2.yaml
    shift 2
    local metrics=()
    for metric in "$@"; do metrics+=(--metric "$metric"); done
    "$prologue" compare "$sweep" "${metrics[@]}" --markdown > "$out/$name.md"
    "$prologue" compare "$sweep" "${metrics[@]}" --csv > "$out/$name.csv"
    "$prologue" compare "$sweep" "${metrics[@]}" --csv --differences > "$out/$name-differences.csv"
}

for sweep in sweep tokens shapes; do
    table $sweep-distances $sweep rfid gfid.nocfg prior_gap.nocfg gfid.cool prior_gap.cool gfid.uncond prior_gap.uncond gfid.uncond-cool
    table $sweep-guidance $sweep gfid.guidance-1 gfid.tuned prior_gap.tuned precision.tuned recall.tuned tuned.scale
    table $sweep-bits $sweep bits.conditional.prologue bits.conditional.visual bits.unconditional.prologue bits.unconditional.visual
    table $sweep-quality $sweep precision.nocfg recall.nocfg class_agreement.nocfg probe.prologue.top1 probe.first.top1 probe.random.top1
    "$prologue" report $here/$sweep.yaml --output $out/$sweep
done
