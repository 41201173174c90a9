#!/usr/bin/env bash
# Runs the built tests under other processors' arithmetic, other thread counts and in other orders; prints a table.
# What passes under one and fails under another depends on rounding, on threads or on what ran before.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<TEXT
usage: scripts/test_matrix.sh [--bundle FILE] [--only NAME] [FILTER…]

Runs the tests whose names match one of FILTER (regular expressions; none: all) once for each row:

  own        as this machine is
  haswell    OpenBLAS and kernels as on a processor with AVX2
  skylakex   OpenBLAS as on a processor with AVX-512 (where this one has it)
  plain      OpenBLAS as on a Prescott, kernels without vector instructions
  threads-1  one thread
  threads-4  four threads
  serial     one test after the other
  alone      each suite in a process of its own, in random order; alone.times has processor and wall seconds of each

  --bundle   the test bundle (default: .build/release/prologuePackageTests.xctest)
  --only     this row only; may be repeated

Logs are in .build/matrix. Exit code 1 if a test failed in any row.
TEXT
}

bundle=.build/release/prologuePackageTests.xctest
logs=.build/matrix
rows=() filters=() patterns=()
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit ;;
    --bundle) bundle=$2; shift ;;
    --only) rows+=("$2"); shift ;;
    -*) usage >&2; exit 2 ;;
    *) filters+=(--filter "$1") patterns+=(-e "$1") ;;
  esac
  shift
done
[ ${#rows[@]} -gt 0 ] || rows=(own haswell skylakex plain threads-1 threads-4 serial alone)
[ -x "$bundle" ] || { echo "test_matrix: no $bundle; build the tests first (make build-tests)" >&2; exit 2; }
mkdir -p "$logs"

# tests LOG ARGUMENT… runs the bundle with what the environment says.
tests() {
  local log=$1; shift
  "$bundle" --testing-library swift-testing "$@" >>"$log" 2>&1
}

# alone LOG runs each suite by itself. A suite is what precedes the first slash of a test's name; the list is not filtered.
alone() {
  local suite failed=0
  [ ${#patterns[@]} -gt 0 ] || patterns=(-e .)
  : >"$logs/alone.times"
  while read -r suite; do
    local TIMEFORMAT="%U %S %R $suite"
    { time tests "$1" --filter "^${suite//./\\.}/" || failed=1; } 2>>"$logs/alone.times"
  done < <("$bundle" --testing-library swift-testing --list-tests | grep -E "${patterns[@]}" | sed -n 's|/.*||p' | sort -u | shuf)
  return $failed
}

# run_row NAME LOG
run_row() {
  case $1 in
    own) tests "$2" "${filters[@]}" ;;
    haswell) OPENBLAS_CORETYPE=Haswell PROLOGUE_KERNELS=avx2 tests "$2" "${filters[@]}" ;;
    skylakex) OPENBLAS_CORETYPE=SkylakeX tests "$2" "${filters[@]}" ;;
    plain) OPENBLAS_CORETYPE=Prescott PROLOGUE_KERNELS=plain tests "$2" "${filters[@]}" ;;
    threads-1) PROLOGUE_THREADS=1 tests "$2" "${filters[@]}" ;;
    threads-4) PROLOGUE_THREADS=4 tests "$2" "${filters[@]}" ;;
    serial) tests "$2" --no-parallel "${filters[@]}" ;;
    alone) alone "$2" ;;
    *) echo "test_matrix: no row '$1'" >&2; exit 2 ;;
  esac
}

has_instructions() {
  case $1 in
    haswell) grep -qw avx2 /proc/cpuinfo ;;
    skylakex) grep -qw avx512f /proc/cpuinfo ;;
  esac
}

unset OPENBLAS_CORETYPE PROLOGUE_KERNELS PROLOGUE_THREADS
export SWT_SWIFT_ERROR_BACKTRACING_ENABLED=0
status=0
printf '%-10s %8s %8s %8s\n' row passed failed seconds
for row in "${rows[@]}"; do
  if ! has_instructions "$row"; then
    printf '%-10s %s\n' "$row" 'left out: this processor has not the instructions'
    continue
  fi
  log=$logs/$row.log
  : >"$log"
  start=$SECONDS ended=0
  run_row "$row" "$log" || ended=$?
  passed=$(grep -cE '^✔ Test ([^ ]+\(|").* passed after' "$log" || true)
  failed=$(grep -cE '^✘ Test ([^ ]+\(|").* failed after' "$log" || true)
  printf '%-10s %8s %8s %8s\n' "$row" "$passed" "$failed" $((SECONDS - start))
  # A crash ends the process without a test that failed.
  if [ $ended -ne 0 ]; then
    status=1
    grep -E '^✘ Test ([^ ]+\(|").* failed after' "$log" | sed 's/^/    /' || true
    [ "$failed" -gt 0 ] || echo "    ended with code $ended: $log"
  elif [ "$passed" -eq 0 ]; then
    status=1
    echo '    no test matched'
  fi
done
exit $status
