SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
.NOTPARALLEL:
.PHONY: help setup setup-python setup-dev setup-browser test-browser setup-cluster test-cluster test-shared-store test-device build build-tests demo test test-fast test-matrix check-h100 check-accelerator pack-accelerator golden storm bench lint format check-format clean

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
# prologue itself chooses where OpenBLAS is older than the processor; the tests' own process does not.
ifeq ($(origin OPENBLAS_CORETYPE) $(shell grep -owm1 avx512f /proc/cpuinfo),undefined avx512f)
test test-fast: export OPENBLAS_CORETYPE = SkylakeX
endif
# The test library would take a backtrace of every error that is thrown, also of those that are caught: half of the time.
export SWT_SWIFT_ERROR_BACKTRACING_ENABLED := 0
# Those that train, sample, start the program or compile programs for devices: nine tenths of the time.
SLOW_TESTS := CommandLineTests ExperimentTests PJRTTests TracedTests PriorProgramTests TokenizerProgramTests
SWIFT_FILES := Sources Tests Package.swift

help: ## print this list
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install what building needs: system libraries through apt-get
	@scripts/setup.sh

setup-python: ## the same, and .venv with what the tests compare with
	@scripts/setup.sh --python

setup-dev: setup-python ## the same, and a hook that checks what is about to be committed
	git config core.hooksPath scripts/hooks

build: ## build .build/release/prologue
	swift build $(BUILD) --product prologue

demo: setup build ## run the quickstart and print its table: baseline-2d against prologue; goes on where it was stopped
	@data=(); \
	if [ ! -d $(FASHION_MNIST) ]; then \
		echo "Fashion-MNIST is not installed: running on drawn shapes"; data=(--set data.set=shapes); \
	fi; \
	echo "To watch, in another terminal: $(PROLOGUE) serve Experiments/01-quickstart/sweep.yaml"; \
	$(FREE_BLAS) $(PROLOGUE) sweep run Experiments/01-quickstart/sweep.yaml "$${data[@]}"; \
	echo "The same as a page, with curves and pictures: $(PROLOGUE) serve Experiments/01-quickstart/sweep.yaml"

build-tests: ## build the tests
	swift build $(BUILD) --build-tests

test: setup-python lint build-tests ## lint, build, run all tests, and check the PyTorch twin against its packs
	@swift test $(BUILD) --skip-build 2>&1 | tee .build/test.log || \
		{ printf '\nWhat failed:\n'; grep -E '^(✘|↳)' .build/test.log; exit 1; }
	$(PYTHON) Tests/reference/check_packs.py Tests/Fixtures $(PACKS) | grep -v '^ok '

test-fast: build-tests ## run the tests of everything below the experiments: less than two minutes after the build
	swift test $(BUILD) --skip-build $(SLOW_TESTS:%=--skip %)

setup-browser: setup-python ## the same, and Debian's Chromium with its driver, for test-browser
	@scripts/setup.sh --browser

test-browser: build ## go through the live page in Chromium while another process trains; skipped without Chromium
	$(PYTHON) Tests/browser/live_page.py $(PROLOGUE)

setup-cluster: setup-python ## the same, and Debian's Slurm, for test-cluster
	@scripts/setup.sh --cluster

test-cluster: build ## run sweeps under a real Slurm, with faults; skipped where not root; CLUSTER_PROGRAM=path for another build
	timeout 600 $(PYTHON) -B Tests/cluster/test_slurm.py $(or $(CLUSTER_PROGRAM),$(PROLOGUE)) $(FAULTS)

test-shared-store: build ## let two hosts without common locks work on one store, stop and kill one; skipped where not root or without bindfs
	timeout 480 $(PYTHON) -B Tests/shared_store/two_hosts.py $(PROLOGUE)

test-device: setup-python build ## the quickstart at a tenth of its steps here and on a PJRT plugin's device: scores, likeliest tokens; every case of the tests on devices
	PROLOGUE_PJRT_PLUGIN=$(or $(PROLOGUE_PJRT_PLUGIN),$(firstword $(wildcard .venv/lib/python3*/site-packages/lammps_jax_pjrt_cpu/*.so))) \
		$(PYTHON) -B Tests/devices/quickstart.py $(PROLOGUE) $(DEVICE_SETTINGS)
	$(MAKE) build-tests
	PROLOGUE_TEST_EVERY_CASE=1 .build/release/prologuePackageTests.xctest --testing-library swift-testing --filter 'DataParallel|DeviceTests'

test-matrix: setup-python build-tests ## run all tests with other instructions, thread counts and orders; ROWS="own plain", TESTS=…
	scripts/test_matrix.sh $(ROWS:%=--only %) $(TESTS)

# Bytes outside products and attention that the Base prior's step may move at batch 64; docs/performance.md has the reasons.
MOST_ELSEWHERE := 38
# What else is compiled; docs/performance.md has what each takes, and more of them.
PROGRAMS ?= prior-b-two-devices prior-l prior-xl sampling-b tokenizer-b

check-h100: setup-python build ## compile the paper's programs for an H100, which need not be there; fail where one moves too much
	@plugin=$$(scripts/get_cuda_plugin.sh .build/cuda $(PYTHON)) || { [ $$? = 3 ] && echo "make check-h100: skipped" && exit 0; exit 1; }; \
	for words in "prior-b --most-elsewhere $(MOST_ELSEWHERE)" "$(PROGRAMS)"; do \
		TF_CPP_MIN_LOG_LEVEL=2 $(PROLOGUE) compile --for h100 --plugin $$plugin $$words; \
	done

check-accelerator: setup-python build ## try the check for machines with a GPU: small networks on the CPU plugin
	PROLOGUE=$(CURDIR)/$(PROLOGUE) PYTHON=$(CURDIR)/$(PYTHON) XLA_FLAGS="--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true" \
		PROLOGUE_PJRT_PLUGIN=$(or $(PROLOGUE_PJRT_PLUGIN),$(firstword $(wildcard $(CURDIR)/.venv/lib/python3*/site-packages/lammps_jax_pjrt_cpu/*.so))) \
		scripts/accelerator_check.sh --toy .build/accelerator-check

pack-accelerator: build ## pack what a machine with a GPU needs to run that check into .build/accelerator-check.tar.xz
	scripts/accelerator_check.sh pack .build/accelerator-check.tar.xz $(PROLOGUE)

golden: setup-python ## write the fixtures in Tests/Fixtures anew with the PyTorch twin
	$(PYTHON) Tests/reference/make_fixtures.py Tests/Fixtures

storm: setup-python build ## kill, damage and fuzz for MINUTES (default 2); compare with an undisturbed store
	scripts/storm.sh $(or $(MINUTES),2)

bench: setup-python build ## time the engine against PyTorch, in turn on this machine
	$(FREE_BLAS) $(PYTHON) bench/compare_pytorch.py

lint: check-format ## prove that imports point downward, check the files' order and what is cited; test the lint itself
	@for check in scripts/lint_*.py; do python3 -B $$check; done
	@python3 -B -m unittest discover --quiet --start-directory scripts

format: ## format all Swift files
	swift format format --in-place --parallel --recursive $(SWIFT_FILES)

check-format: ## prove that all Swift files are formatted
	@swift format lint --strict --parallel --recursive $(SWIFT_FILES)

clean: ## remove what was built and .venv; results stay
	rm -rf .build .venv
