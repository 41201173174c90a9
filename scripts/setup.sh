#!/usr/bin/env bash
# Gets what building needs: system libraries, a Swift compiler to be found, and with --python what the tests compare with.
# May be run again at any time; it is quick when everything is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

libraries=(libopenblas-dev libhdf5-dev libpng-dev libturbojpeg0-dev libfreetype-dev fonts-dejavu-core libzip-dev zlib1g-dev libssl-dev libsqlite3-dev)
tools=(git make pkg-config sqlite3)
dataset='dataset-fashion-mnist'
oldest_swift=6.1
oldest_python=3.9
torch_for_processors='torch==2.13.0+cpu'

usage() {
  cat <<TEXT
usage: scripts/setup.sh [--python] [--browser] [--cluster]

Installs with apt-get what is missing of: ${libraries[*]} ${tools[*]}
and, if the distribution has it, $dataset. Checks that Swift $oldest_swift or later is there.

  --browser  also installs Debian's chromium with its driver, and what drives it into .venv
  --cluster  also installs Debian's Slurm with munge where this is root, and says so where it is not
  --python   also makes .venv with Tests/reference/requirements.txt, which the tests and the benchmark compare with, and
             installs bindfs, with which two hosts share a store in a test
TEXT
}

fail() { printf 'setup: %s\n' "$@" >&2; exit 1; }
note() { printf 'setup: %s\n' "$@" >&2; }

# at_least VERSION OLDEST
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# Names of packages that dpkg does not know as installed.
not_installed() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}

# Names of tools of which there is no command; what a person put there by hand counts.
not_found() {
  local tool
  for tool in "$@"; do command -v "$tool" >/dev/null || printf '%s\n' "$tool"; done
}

# As root, through sudo, or not at all.
run_apt() {
  local -a command=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@")
  if [ "$(id -u)" -eq 0 ]; then "${command[@]}" >&2
  elif [ "$may_sudo" = yes ]; then sudo "${command[@]}" >&2
  else return 1
  fi
}

install_packages() {
  local -a missing
  mapfile -t missing < <(not_installed "${libraries[@]}"; not_found "${tools[@]}"; [ "$with_python" = no ] || python_packages)
  local has_lists=no
  compgen -G '/var/lib/apt/lists/*Packages*' >/dev/null && has_lists=yes

  may_sudo=no
  if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then may_sudo=yes; fi

  if [ ${#missing[@]} -gt 0 ]; then
    if [ "$(id -u)" -ne 0 ] && [ "$may_sudo" = no ]; then
      fail "these packages are missing, and only root may install them:" "  apt-get install ${missing[*]}"
    fi
    note "installing ${missing[*]}"
    run_apt update || note "apt-get update failed; going on with what it knows"
    has_lists=yes
    run_apt install -y --no-install-recommends "${missing[@]}" \
      || fail "apt-get could not install all of these:" "  apt-get install ${missing[*]}"
  fi

  [ -n "$(not_installed "$dataset")" ] || return 0
  if [ "$(id -u)" -eq 0 ] || [ "$may_sudo" = yes ]; then
    [ $has_lists = yes ] || run_apt update || true
    if apt-cache show "$dataset" >/dev/null 2>&1; then
      note "installing $dataset"
      run_apt install -y --no-install-recommends "$dataset" && return 0
    fi
  fi
  note "the package $dataset is not installed: Fashion-MNIST is read from data.path only; data.set: shapes needs no files"
}

# Debian's python3 can make environments only with a package of its own.
python_packages() {
  if ! command -v python3 >/dev/null; then printf '%s\n' python3 python3-venv
  elif ! python3 -c 'import ensurepip, venv' 2>/dev/null; then printf '%s\n' python3-venv
  fi
  # Mounts for two hosts on one store.
  command -v bindfs >/dev/null || printf '%s\n' bindfs
}

check_swift() {
  command -v swift >/dev/null \
    || fail "swift is not on the PATH: install Swift $oldest_swift or later, as https://www.swift.org/install says"
  local version
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9][0-9.]*\).*/\1/p' | head -n 1)
  [ -n "$version" ] || fail "swift --version does not name a version; Swift $oldest_swift or later is needed"
  at_least "$version" "$oldest_swift" || fail "this is Swift $version; $oldest_swift or later is needed"
}

check_python() {
  command -v python3 >/dev/null || fail "python3 is not on the PATH: install Python $oldest_python or later"
  local version
  version=$(python3 -c 'import platform; print(platform.python_version())')
  at_least "$version" "$oldest_python" || fail "python3 is $version; $oldest_python or later is needed"
  python3 -c 'import ensurepip, venv' 2>/dev/null \
    || fail "this python3 cannot make virtual environments: install its venv module (on Debian: python3-venv)"
}

make_environment() {
  local requirements=Tests/reference/requirements.txt stamp=.venv/requirements.installed wanted
  wanted="$(python3 --version) $torch_for_processors $(cksum <"$requirements")"
  if [ -x .venv/bin/python ] && [ "$(cat $stamp 2>/dev/null)" = "$wanted" ]; then return 0; fi
  note "making .venv for the tests"
  python3 -m venv --clear .venv
  local -a pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet install)
  # Without graphics card support torch is a tenth as large; where pip knows no such build, the usual one will do.
  "${pip[@]}" "$torch_for_processors" 2>/dev/null || note "pip knows no $torch_for_processors; taking its usual torch"
  "${pip[@]}" -r "$requirements" || fail "pip could not install what $requirements names; see above"
  printf '%s\n' "$wanted" >$stamp
}

with_python=no
with_browser=no
for argument in "$@"; do
  case $argument in
    --python) with_python=yes ;;
    --cluster)
      with_python=yes
      if [ "$(id -u)" -eq 0 ]; then libraries+=(slurm-wlm munge)
      else note "not root: Slurm is not installed, and make test-cluster is skipped"
      fi
      ;;
    --browser) with_python=yes; with_browser=yes; libraries+=(chromium chromium-driver) ;;
    -h | --help) usage; exit 0 ;;
    *) usage >&2; fail "unknown argument '$argument'" ;;
  esac
done

if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
  install_packages
else
  note "this is no Debian-like machine: please see to the equivalents of ${libraries[*]} ${tools[*]}"
fi
check_swift
if [ $with_python = yes ]; then
  check_python
  make_environment
fi
if [ $with_browser = yes ]; then .venv/bin/python -m pip install --quiet --requirement Tests/browser/requirements.txt >&2; fi
