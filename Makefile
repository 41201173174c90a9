SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.PHONY: help setup setup-python build demo test golden bench lint clean

# A compiler process may take 2 GiB, so memory may allow fewer of them than there are cores; JOBS=n overrides.
JOBS ?= $(shell awk -v cores="$$(nproc)" '/^MemAvailable/ { n = int($$2 / 2097152) } \
	END { print n < 1 ? 1 : n < cores ? n : cores }' /proc/meminfo)
BUILD := -c release --jobs $(JOBS)
PROLOGUE := .build/release/prologue
PYTHON := .venv/bin/python
# A core forced in the environment may be slower than the processor's own.
FREE_BLAS := env -u OPENBLAS_CORETYPE
FASHION_MNIST := /usr/share/datasets/fashion-mnist
# Reference packs beside the project, where there are any.
PACKS := $(wildcard $(or $(PROLOGUE_SHARED),../shared)/reference)

# The tests compare with numpy, scipy, scikit-learn, torch and h5py through this interpreter.
export PROLOGUE_PYTHON := $(CURDIR)/$(PYTHON)

help: ## print this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building needs: system libraries through apt-get
	@scripts/setup.sh

setup-python: ## the same, and .venv with what the tests compare with
	@scripts/setup.sh --python

build: ## build .build/release/prologue
	swift build $(BUILD) --product prologue

demo: setup build ## run the quickstart and print its table: baseline-2d against prologue; goes on where it was stopped
	@data=(); \
	if [ ! -d $(FASHION_MNIST) ]; then \
		echo "Fashion-MNIST is not installed: running on drawn shapes"; data=(--set data.set=shapes); \
	fi; \
	exec $(FREE_BLAS) $(PROLOGUE) sweep run Experiments/01-quickstart/sweep.yaml "$${data[@]}"

test: setup-python lint ## lint, build, run all tests, and check the PyTorch twin against its packs
	swift build $(BUILD) --build-tests
	@swift test $(BUILD) --skip-build 2>&1 | tee .build/test.log || \
		{ printf '\nWhat failed:\n'; grep -E '^(✘|↳)' .build/test.log; exit 1; }
	$(PYTHON) Tests/reference/check_packs.py Tests/Fixtures $(PACKS) | grep -v '^ok '

golden: setup-python ## write the fixtures in Tests/Fixtures anew with the PyTorch twin
	$(PYTHON) Tests/reference/make_fixtures.py Tests/Fixtures

bench: setup-python build ## time the engine against PyTorch, in turn on this machine
	$(FREE_BLAS) $(PYTHON) bench/compare_pytorch.py

lint: ## prove that imports point downward, check the files' order and what is cited; test the lint itself
	@for check in scripts/lint_*.py; do python3 -B $$check; done
	@python3 -B -m unittest discover --quiet --start-directory scripts

clean: ## remove what was built and .venv; results stay
	rm -rf .build .venv
