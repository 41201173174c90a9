#!/usr/bin/env bash
# Runs the study, or goes on where it was stopped, and writes summaries as they come. Options are handed to 'prologue sweep run',
# such as --workers 2 --threads 1. CIFAR10_JPEG names the zip file of CIFAR-10's pictures; without it that part is left out.
#
# One commit for one study: the commit at which it was begun stands in the file 'commit' and is built in a checkout of its own,
# .build/06-confirmatory or $STUDY, so that work goes on here meanwhile.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
here=Experiments/06-confirmatory
study=${STUDY:-$PWD/.build/06-confirmatory}
fixed=(Sources Package.swift $here/{common,fashion,cifar}.yaml Experiments/presets)

if [ ! -e $here/commit ]; then
    git diff --quiet HEAD -- "${fixed[@]}" || { echo "commit the code and the sweeps before the study begins" >&2; exit 2; }
    git rev-parse HEAD > $here/commit
fi
commit=$(cat $here/commit)
git diff --quiet "$commit" -- $here/{common,fashion,cifar}.yaml Experiments/presets || {
    echo "the sweeps are not those of $commit, at which the study was begun" >&2
    exit 2
}
if [ ! -e "$study/Package.swift" ]; then
    git worktree prune
    git worktree add --force --detach "$study" "$commit"
fi
[ "$(git -C "$study" rev-parse HEAD)" = "$commit" ] || { echo "$study is not at $commit" >&2; exit 2; }
(cd "$study" && swift build -c release --product prologue)

# A core forced in the environment may be slower than the processor's own.
unset OPENBLAS_CORETYPE
export PROLOGUE=$study/.build/release/prologue PROLOGUE_STORE=${PROLOGUE_STORE:-$PWD/results/store}

# What the six endpoints need first; tables are written after each part.
for only in "arm != 'prologue-longer' and budget = 'long'" "budget = 'short' or arm = 'prologue-longer'"; do
    "$PROLOGUE" sweep run $here/fashion.yaml --only "$only" "$@"
    $here/results.sh
done
if [ -n "${CIFAR10_JPEG:-}" ]; then
    for budget in long short; do
        "$PROLOGUE" sweep run $here/cifar.yaml --set "data.path=$CIFAR10_JPEG" --only "budget = '$budget'" "$@"
        $here/results.sh
    done
else
    echo "CIFAR10_JPEG names no file: the part on CIFAR-10 is left out" >&2
fi
