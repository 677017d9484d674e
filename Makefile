# Everything runs in .venv, which the first target that needs it makes. ARGS= passes options through:
# make score ARGS="--json", make test ARGS="-k tokens".

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODEL := models/default/model.json
KERNEL := $(wildcard src/stance/_kernel/*.pyx src/stance/_kernel/*.pxd src/stance/_kernel/*.hpp)
GENERATED := $(patsubst %.pyx,%.cpp,$(filter %.pyx,$(KERNEL)))
SANITIZED := build/sanitized
SANITIZED_TESTS := $(patsubst %,tests/test_%.py,kernel features tokens boundaries sentences scoring model)
# Set PYTHON to use another interpreter than the first of these that is 3.11 or newer.
PYTHON ?=
PYTHONS = $(if $(PYTHON),"$(PYTHON)",python3.11 python3 python3.12 python3.13 python3.14)
# Leaves the first Python that is new enough in $found.
FIND_PYTHON = found=; for python in $(PYTHONS); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then found="$$python"; break; fi; done; \
	if [ -z "$$found" ]; then \
		echo 'stance needs Python 3.11 or newer and found none as: $(subst ",,$(PYTHONS)). Install one, or name it: make PYTHON=/path/to/python3.11' >&2; exit 1; fi
PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Spark is large and wants Java, so that it has an environment of its own.
SPARK_VENV := .venv-spark
SPARK_READY := $(SPARK_VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup train tune evaluate score validate test test-sanitize test-spark java lint fuzz bench
MAKEFLAGS += --no-print-directory

help: ## print this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1	/p' Makefile | while IFS='	' read -r name line; do printf '  make %-13s %s\n' "$$name" "$$line"; done

setup: $(READY) ## install stance and its tools into .venv

train: $(READY) ## train models/default from data/ with the stored settings
	$(BIN)/stance train $(ARGS)

tune: $(READY) ## search for better settings, then train
	$(BIN)/stance train --search $(ARGS)

evaluate: $(READY) $(MODEL) ## measure models/default on the data held apart
	$(BIN)/stance evaluate $(ARGS)

score: $(READY) $(MODEL) ## label every statement of the articles in seeds/
	@$(BIN)/stance score seeds/ $(ARGS)

validate: $(READY) ## check the annotated statements, the labels and the lexicon
	$(BIN)/stance validate $(ARGS)

test: $(READY) $(MODEL) ## run the tests
	$(BIN)/python -m pytest $(ARGS)

# The kernel is built in a copy, so that .venv keeps the one that it has. PYTHONPATH goes before an editable install.
# Tests of how long something takes are left out. The libraries have to be there before Python starts, and libstdc++
# is among them because no exception could be thrown otherwise. What a sanitizer says must not be captured, or it is lost.
test-sanitize: $(READY) $(MODEL) ## run the kernel's tests under sanitizers of addresses and undefined behaviour (GCC)
	@rm -rf $(SANITIZED) && mkdir -p $(SANITIZED)
	@cp -R src tests data models seeds setup.py pyproject.toml README.md LICENSE $(SANITIZED)
	@rm -f $(SANITIZED)/src/stance/_kernel/*.so $(addprefix $(SANITIZED)/,$(GENERATED))
	cd $(SANITIZED) && CC=gcc CXX=g++ STANCE_SANITIZE=address,undefined "$(CURDIR)/$(BIN)/python" setup.py -q build_ext --inplace
	@for name in $(notdir $(basename $(GENERATED))); do \
		ls $(SANITIZED)/src/stance/_kernel/$$name.*.so >/dev/null || { echo "$$name was not built with sanitizers" >&2; exit 1; }; done
	cd $(SANITIZED) && LD_PRELOAD="$$(for name in asan ubsan stdc++; do g++ -print-file-name=lib$$name.so; done | tr '\n' ' ')" \
		ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 PYTHONMALLOC=malloc \
		PYTHONPATH="$(CURDIR)/$(SANITIZED)/src" "$(CURDIR)/$(BIN)/python" -m pytest -p no:cacheprovider --capture=sys -k "not (seconds or time_grows or holds_up)" $(SANITIZED_TESTS) $(ARGS)

# The executors' Python has to be the driver's: their versions must agree, and only this one has stance.
test-spark: java $(SPARK_READY) ## run the tests of Spark in .venv-spark (Java 17 or newer)
	PYSPARK_PYTHON="$(CURDIR)/$(SPARK_VENV)/bin/python" PYSPARK_DRIVER_PYTHON="$(CURDIR)/$(SPARK_VENV)/bin/python" \
		$(SPARK_VENV)/bin/python -m pytest --confcutdir=tests/spark tests/spark $(ARGS)

java:
	@java="$${JAVA_HOME:+$$JAVA_HOME/bin/}java"; \
	major=$$("$$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1); \
	if [ "$${major:-0}" -lt 17 ]; then found="$${major:+Java $$major}"; \
		echo "Spark needs Java 17 or newer and found $${found:-none} as: $$java. Install one (Debian: openjdk-17-jre-headless), or set JAVA_HOME" >&2; exit 1; fi

lint: $(READY) ## check style, types and the ban on pickle
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

fuzz: $(READY) $(MODEL) ## look for texts that the kernel reads otherwise than its reference (ARGS=60: seconds)
	$(BIN)/python tests/fuzz/fuzz_kernel.py $(ARGS)

bench: $(READY) $(MODEL) ## measure speed and accuracy (benchmarks/*.py; takes an hour or more)
	@for script in benchmarks/*.py; do \
		if [ -f "$$script" ]; then echo "$$script"; $(BIN)/python "$$script" $(ARGS) || exit 1; \
		else echo "benchmarks/ holds no scripts yet"; fi; done

# The model is committed, so this trains only where it was removed.
$(MODEL): | $(READY)
	$(BIN)/stance train

# What builds the package goes first: the build then runs with the pinned versions instead of the newest ones.
$(READY): pyproject.toml setup.py constraints.txt $(KERNEL)
	@$(FIND_PYTHON); \
	echo "Setting up $(VENV) with $$("$$found" --version) ($$found); this takes a minute or two"; \
	"$$found" -m venv $(VENV)
	@$(PIP_INSTALL) cython setuptools
	@$(PIP_INSTALL) --no-build-isolation --editable '.[dev]'
	@$(BIN)/python -m compileall -q src/stance
	@touch $@

$(SPARK_READY): BIN := $(SPARK_VENV)/bin
$(SPARK_READY): pyproject.toml setup.py constraints.txt $(KERNEL)
	@$(FIND_PYTHON); \
	echo "Setting up $(SPARK_VENV) with $$("$$found" --version) ($$found); this takes two minutes or three"; \
	"$$found" -m venv $(SPARK_VENV)
	@$(PIP_INSTALL) cython setuptools
	@$(PIP_INSTALL) --no-build-isolation --editable '.[spark]' pytest
	@touch $@
