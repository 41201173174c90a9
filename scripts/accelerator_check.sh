#!/usr/bin/env bash
# What only a machine with an accelerator can say, in one run of at most 8 minutes, from an archive that needs nothing else.
#   scripts/accelerator_check.sh pack FILE.tar.xz [PROLOGUE]   here: the program, its libraries, fixtures, the PyTorch twin; 60 MB at most
#   ./accelerator_check.sh [--toy] [RESULTS]                   there, in the unpacked folder: results/ has a log a part and summary.txt
# PyTorch and JAX are those of PYTHON (default: python3); without them their parts are left out. PROLOGUE_PJRT_PLUGIN names the plugin
# where it is not found. --toy runs small networks on whatever plugin there is, to try the check itself. A part that fails or is not
# done in its time is recorded, and the rest goes on.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

pack() {
  local archive=$1 program=$2 folder
  cd "$here/.." || exit 1
  folder=$(mktemp -d)
  # The name now: when the script ends it is no longer known.
  trap "rm -rf '$folder'" EXIT
  local root=$folder/accelerator-check
  mkdir -p "$root/lib" "$root/Tests" "$root/bench"
  cp "$program" "$root/prologue" && strip "$root/prologue" || exit 1
  # All but the C library's own, which must be those of the machine.
  ldd "$program" | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | grep -vE '/(libc|libm|libpthread|libdl|librt|libresolv|ld-linux[^/]*)\.so' |
    xargs -I{} cp -L {} "$root/lib/"
  strip --strip-unneeded "$root"/lib/*.so* 2>/dev/null
  cp -r Tests/Fixtures Tests/reference "$root/Tests/"
  cp bench/peer.py bench/jax_step.py bench/products.py bench/accelerator_summary.py "$root/bench/"
  cp scripts/accelerator_check.sh "$root/"
  git rev-parse HEAD >"$root/commit" 2>/dev/null || echo unknown >"$root/commit"
  XZ_OPT=-T0 tar -cJf "$archive" -C "$folder" accelerator-check || exit 1
  local bytes
  bytes=$(stat -c %s "$archive")
  echo "$archive: $((bytes / 1000000)) MB"
  ((bytes <= 60000000)) || { echo "$archive is larger than 60 MB" >&2; exit 1; }
}

if [ "${1:-}" = pack ]; then
  [ -n "${2:-}" ] || { sed -n 2,8p "$0"; exit 2; }
  pack "$(realpath -m "$2")" "$(realpath "${3:-$here/../.build/release/prologue}")"
  exit
fi

toy=() device=cuda repetitions=10 peer_mode=compiled-bf16
if [ "${1:-}" = --toy ]; then toy=(--toy) device=cpu repetitions=2 peer_mode=eager-bf16; shift; fi
results=$(realpath -m "${1:-results}")
python=${PYTHON:-python3}
# Beside the program in an archive; in a checkout one level up.
root=$here
[ -d "$root/bench" ] || root=$here/..
program=${PROLOGUE:-$here/prologue}
mkdir -p "$results" || exit 1
rm -f "$results"/*.jsonl "$results"/*.log "$results/parts.txt"
[ -d "$root/lib" ] && export LD_LIBRARY_PATH="$root/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export TF_CPP_MIN_LOG_LEVEL=${TF_CPP_MIN_LOG_LEVEL:-2} PYTHONDONTWRITEBYTECODE=1
deadline=$((SECONDS + ${SECONDS_IN_ALL:-480}))

# part NAME SECONDS COMMAND…: its output in NAME.log, how it ended in parts.txt.
part() {
  local name=$1 most=$2 left=$((deadline - SECONDS)) began=$SECONDS state
  shift 2
  ((most < left)) || most=$left
  if ((most < 5)); then
    echo "$name: not begun, no time is left" | tee -a "$results/parts.txt"
    return
  fi
  timeout -k 5 "$most" "$@" >"$results/$name.log" 2>&1
  case $? in
    0) state=done ;;
    124 | 137) state="not done in $most s" ;;
    *) state="failed: $(tail -n 1 "$results/$name.log" | cut -c 1-300)" ;;
  esac
  echo "$name: $state ($((SECONDS - began)) s)" | tee -a "$results/parts.txt"
}

# ours NAME SECONDS PROGRAM [FLAGS OF XLA]
ours() {
  part "$1" "$2" env XLA_FLAGS="${XLA_FLAGS:-} ${4:-}" "$program" bench --programs "$3" --device xla --repetitions "$repetitions" \
    --append "$results/$1.jsonl" "${toy[@]}"
}

# peer NAME SECONDS SCRIPT WORDS…: PyTorch or JAX, whose lines of JSON are in the log.
peer() {
  local name=$1 most=$2 script=$3 module=torch
  shift 3
  [ "$script" = jax_step.py ] && module=jax
  if "$python" -c "import importlib.util as u, sys; sys.exit(u.find_spec('$module') is None)" 2>/dev/null; then
    part "$name" "$most" "$python" "$root/bench/$script" "$@" "${toy[@]}"
  else
    echo "$name: left out, $python has no $module" | tee -a "$results/parts.txt"
  fi
}

torch() { peer "$1" "$2" peer.py --workload "$3" --mode "$peer_mode" --device "$device" --repetitions "$repetitions"; }

# The first minute: whether the device is there, whether cuDNN takes 273 tokens (a note in the log says where not), what a step takes
# beside the products that it is measured against, weight gradients among them.
part machine 10 bash -c "nvidia-smi 2>/dev/null; uname -a; cat '$root/commit' 2>/dev/null; true"
part doctor 20 "$program" doctor
ours prior 100 prior-b
peer products 30 products.py
# The same step by others, and once more ours, so that a change of the card's speed shows.
torch torch-prior 70 paper-ar-step
peer jax-prior 60 jax_step.py --repetitions "$repetitions"
ours prior-again 60 prior-b
# Numbers: packs of whole models, those of float32 with its tolerances.
part verify 60 "$program" verify --device xla --quiet "$root"/Tests/Fixtures/*.safetensors
ours sampling 60 sampling-b
torch torch-sampling 60 paper-sampling
ours tokenizer 60 tokenizer-b-plain
torch torch-tokenizer 60 paper-tokenizer-step
# What choices cost: no trials of kernels, everything deterministic (sums are without that), losses of images.
ours prior-untuned 40 prior-b --xla_gpu_autotune_level=0
ours prior-deterministic 40 prior-b --xla_gpu_deterministic_ops=true
ours tokenizer-images 90 tokenizer-b

"$python" "$root/bench/accelerator_summary.py" "$results" | tee "$results/summary.txt"
# The check is of use as long as something could be measured.
grep -q ': done' "$results/parts.txt"
