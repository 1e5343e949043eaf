# The newcomer's front door; CMake does the work. Each goal stands alone on a fresh clone.
PRESET ?= release
BUILD := build/$(PRESET)
JOBS ?= $(shell nproc)

.PHONY: all setup build test demo bench nightly format lint clean

all: build

setup:
	@tools/setup

build: setup
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET) $(if $(CLEAVE_WERROR),-DCLEAVE_WERROR=$(CLEAVE_WERROR))
	@cmake --build --preset $(PRESET) -j $(JOBS)

test: build
	@tools/run_tests $(PRESET)

demo: build
	@tools/demo

bench: build
	@tools/bench

nightly:
	@tools/nightly

format:
	@tools/check_format --fix

lint: build
	@tools/lint

clean:
	rm -rf build
