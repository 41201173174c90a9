#!/usr/bin/env bash
# Writes what there is by now to results/02-baseline-vs-prologue: tables, reports and their figures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=Experiments/02-baseline-vs-prologue
out=results/02-baseline-vs-prologue
prologue=${PROLOGUE:-.build/release/prologue}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p $out

# table NAME SWEEP METRIC…: arms as rows, as Markdown and, with every digit and the differences, as CSV. What has not been
# measured in any arm makes no table yet.
table() {
    local name=$1 sweep=$here/$2.yaml
    shift 2
    local metrics=()
    for metric in "$@"; do metrics+=(--metric "$metric"); done
    # Probes read as many tokens as the prologue has, which is what differs between the arms of this sweep.
    case $sweep in */tokens.yaml) metrics+=(--mix-protocols) ;; esac
    if ! "$prologue" compare "$sweep" "${metrics[@]}" --quiet --markdown > "$work/table" 2> "$work/error"; then
        echo "no $name yet: $(head -c 120 "$work/error")"
        return
    fi
    mv "$work/table" "$out/$name.md"
    "$prologue" compare "$sweep" "${metrics[@]}" --quiet --csv > "$out/$name.csv"
    "$prologue" compare "$sweep" "${metrics[@]}" --quiet --csv --differences > "$out/$name-differences.csv"
}

for sweep in sweep tokens shapes; do
    table $sweep-distances $sweep \
        rfid gfid.nocfg prior_gap.nocfg gfid.cool prior_gap.cool gfid.uncond prior_gap.uncond gfid.uncond-cool prior_gap.uncond-cool
    table $sweep-guidance $sweep gfid.guidance-1 gfid.guidance-3 gfid.tuned prior_gap.tuned precision.tuned recall.tuned tuned.scale
    table $sweep-bits $sweep \
        bits.conditional.prologue bits.conditional.visual bits.unconditional.prologue bits.unconditional.visual
    table $sweep-snapshots $sweep prior_gap.{nocfg,uncond}.step-{250,500,1000,1500,2000}
    table $sweep-quality $sweep precision.nocfg recall.nocfg class_agreement.nocfg
    table $sweep-probe $sweep probe.prologue.top1 probe.first.top1 probe.random.top1
    # Nine arms' pictures would be more than a repository should keep.
    pictures=$([ $sweep = sweep ] && echo none || echo first)
    "$prologue" report $here/$sweep.yaml --quiet --pictures "$pictures" --output "$work/$sweep"
    cp "$work/$sweep/report.html" "$out/$sweep-report.html"
    for figure in "$work/$sweep"/pictures/*-over-*.svg; do
        [ -e "$figure" ] || continue
        name=$out/$sweep-$(basename "$figure" .svg | tr '@' '-')
        # As a PNG where there is a program for it (librsvg2-bin).
        if command -v rsvg-convert > /dev/null; then rsvg-convert -z 1.4 "$figure" -o "$name.png"; else cp "$figure" "$name.svg"; fi
    done
done
