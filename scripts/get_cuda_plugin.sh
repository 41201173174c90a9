#!/usr/bin/env bash
# Gets what programs are compiled for NVIDIA with, no driver or card needed: the CUDA plugin and the compilers that it calls.
# Prints the plugin's path; exits 3 where it cannot be had.
#   scripts/get_cuda_plugin.sh FOLDER PYTHON
set -euo pipefail
folder=$1 python=$2
packages=(jax-cuda13-pjrt==0.11.2 nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-nvrtc==13.0.88)

if [ "$(cat "$folder/installed" 2>/dev/null)" != "${packages[*]}" ]; then
  rm -rf "$folder"
  # A folder of its own: among the packages of a Python it would be taken for a device of this machine.
  if ! "$python" -m pip --disable-pip-version-check --quiet install --no-deps --no-compile --target "$folder" "${packages[@]}" >&2; then
    rm -rf "$folder"
    echo "the CUDA plugin (${packages[*]}) cannot be had here" >&2
    exit 3
  fi
  printf '%s' "${packages[*]}" >"$folder/installed"
fi
printf '%s\n' "$folder"/jax_plugins/xla_cuda13/*.so
