# The newcomer's front door; CMake does the work. Each goal stands alone on a fresh clone and installs what it needs.
PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)
WERROR := $(if $(CLEAVE_WERROR),-DCLEAVE_WERROR=$(CLEAVE_WERROR))

.PHONY: all build test demo demo-full bench nightly wheel format lint clean

all: build

# The program and its experiments; no tests, no LibTorch.
build:
	@tools/setup --build
	@tools/configure $(PRESET) -DCLEAVE_EXPERIMENTS=ON $(WERROR)
	@cmake --build --preset $(PRESET) -j $(JOBS) --target cleave_cli

test:
	@tools/setup --test
	@tools/configure $(PRESET) -DCLEAVE_EXPERIMENTS=ON -DCLEAVE_LEARN=ON -DCLEAVE_TESTS=ON -DCLEAVE_PYTHON=ON $(WERROR)
	@cmake --build --preset $(PRESET) -j $(JOBS)
	@tools/run_tests $(PRESET)

# The program alone.
demo demo-full:
	@tools/setup --program
	@tools/configure $(PRESET)
	@cmake --build --preset $(PRESET) -j $(JOBS) --target cleave_cli
	@tools/demo $(if $(filter demo-full,$@),--full)

bench:
	@tools/setup --test
	@PRESET=$(PRESET) JOBS=$(JOBS) tools/bench

# A wheel of the Python package, in build/wheel/dist.
wheel:
	@tools/setup --test
	@tools/wheel

nightly:
	@tools/nightly

format:
	@tools/check_format --fix

lint:
	@tools/setup --test
	@tools/configure $(PRESET) -DCLEAVE_EXPERIMENTS=ON -DCLEAVE_LEARN=ON -DCLEAVE_BENCH=ON -DCLEAVE_PYTHON=ON $(WERROR)
	@tools/lint

clean:
	rm -rf build
