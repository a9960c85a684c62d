# make demo   install into .venv and run the two-box session of etc/demo.t
# make test   install into .venv with the tools of the tests and run them all
# make check  the static part of the gate
# make bench  the benchmarks, as ratios

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Many tests wait for processes: two for each processor, and none is handed out before its turn.
JOBS := $(shell echo $$(( 2 * $$(nproc) )))

.PHONY: demo test check bench clean

$(VENV)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV) || { echo "Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	touch $@

demo: $(VENV)/.ready
	$(BIN)/lab play etc/demo.t

test: $(VENV)/.ready-test
	$(BIN)/python -m pytest -n $(JOBS) --maxschedchunk 1

check: $(VENV)/.ready-test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	if command -v mandoc >/dev/null; then mandoc -T lint -W warning man/man*/*; fi
	if command -v shellcheck >/dev/null; then shellcheck .ci/run $$(find etc -name '*.sh' -o -path '*/rc.d/*' -type f); fi

bench: $(VENV)/.ready-test
	$(BIN)/python -m bench

clean:
	rm -rf $(VENV) build *.egg-info
