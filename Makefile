# Every target works as the first command on a fresh checkout with Python 3.11+, Go 1.26+, git and make.
PYTHON ?= python3
CODE = $(wildcard weir components provider demo benchmarks tests tools/build.py __main__.py watcher.py)
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: help demo test faults bench lint tools clean
help: ; @echo "make demo | test | faults | bench | lint | tools | clean"

demo: .venv/ready tools
	@.venv/bin/python -m demo

test: lint tools
	.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20 -m "not faults and not slow"

faults: .venv/ready tools
	.venv/bin/pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=20 -m "faults or slow"

bench: .venv/ready tools
	.venv/bin/python -m benchmarks

lint: .venv/ready
	.venv/bin/ruff check . && .venv/bin/ruff format --check .
	.venv/bin/mypy $(CODE)
	.venv/bin/lint-imports

tools:
	@$(PYTHON) tools/build.py

clean:
	rm -rf .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/ready: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Weir needs Python 3.11 or newer: make PYTHON=/path/to/python3")'
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
