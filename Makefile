# Everything a fresh machine needs: Python 3.11+, make and a package index.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
AUDIT_VENV := .venv-audit
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

# runs a command beside others: what it prints is kept in build/NAME.log, and shown in one block when it ends
block = @mkdir -p build; status=0; { $(2); } >build/$(1).log 2>&1 || status=$$?; echo; cat build/$(1).log; exit $$status

.DEFAULT_GOAL := help
.PHONY: help install demo test lint-aside test-on-ray test-without-ray chaos chaos-on-ray chaos-without-ray long soak mutation audit bill lint media format lock bench docs tutorials screenshots ui clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "raymm needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	@mkdir -p build
	$(BIN)/python -m pip install --quiet --no-compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib >build/compile.log 2>&1 || true # on every core, which pip does not; packages bring files of other Pythons
	@touch $@

install: $(STAMP) ## make .venv from the lock; the other targets do so by themselves

demo: $(STAMP) ## the whole story on a small data set, in a minute or two
	$(BIN)/raymm demo --out demo

test: $(STAMP) ## lint, and every test but those of `make chaos` and `make long`: those on Ray beside JOBS=2 processes of the others
	@$(BIN)/python -m compileall -q raymm # once; where Python writes no bytecode, every process would do so
	@$(MAKE) --no-print-directory --keep-going -j3 lint-aside test-on-ray test-without-ray

lint-aside: $(STAMP)
	$(call block,lint,$(MAKE) --no-print-directory lint)

test-on-ray: $(STAMP)
	$(call block,tests-on-ray,$(PYTEST) -m "ray and not chaos and not long" $$(grep -rlE "ray_local|mark\.ray" tests --include="test_*.py"))

test-without-ray: $(STAMP)
	@$(PYTEST) -m "not ray and not chaos and not long" -n $(or $(JOBS),2) --dist loadfile

chaos: $(STAMP) ## every fault of docs/reliability.md, in at most 25 minutes: those on Ray beside the others
	@$(MAKE) --no-print-directory --keep-going -j2 chaos-on-ray chaos-without-ray

chaos-on-ray: $(STAMP)
	$(call block,chaos-on-ray,$(PYTEST) -m ray tests/chaos)

chaos-without-ray: $(STAMP)
	@$(PYTEST) -m "not ray" tests/chaos

long: $(STAMP) ## whole stories of many minutes: jobs submitted, drivers killed, tutorials, small benches of networks
	@$(PYTEST) -m long

soak: $(STAMP) ## 200 epochs and 50 resumes: nothing may grow
	$(BIN)/python -m tests.chaos.soak

mutation: $(STAMP) ## change the code in one place at a time; tests must fail (SAMPLE=60 of each area; MODULES=a.py for some)
	test -x .venv-mutation/bin/cosmic-ray || \
	  { $(PYTHON) -m venv .venv-mutation && .venv-mutation/bin/pip install --quiet cosmic-ray==8.7.0; }
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.chaos.mutation $(if $(SAMPLE),--sample $(SAMPLE)) .venv-mutation/bin/python $(MODULES)

audit: ## ask a feed of known weaknesses about every package of the lock; a package that it does not know is an error
	$(PYTHON) -m venv $(AUDIT_VENV) && $(AUDIT_VENV)/bin/pip install --quiet pip-audit
	$(AUDIT_VENV)/bin/pip-audit --require-hashes --disable-pip $(or $(AUDIT),--strict) -r requirements.lock
	rm -rf $(AUDIT_VENV)

bill: $(STAMP) ## write sbom.json, the bill of materials, from requirements.lock
	$(BIN)/python -m tests.chaos.bill

lint: $(STAMP) ## format, lint, types, layer rule
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

media: $(STAMP) ## compare drawn media files with the command ffmpeg (EXAMPLES=300), others every time
	MEDIA_EXAMPLES=$(or $(EXAMPLES),300) $(BIN)/python -m pytest tests/data/media_oracle

format: $(STAMP) ## rewrite the files the way `make lint` wants them
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: ## resolve the dependencies again, with hashes
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/pip install --quiet uv
	.venv-lock/bin/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
	  --generate-hashes --custom-compile-command "make lock" --upgrade -o requirements.lock
	rm -rf .venv-lock

docs: $(STAMP) ## build the site of docs/ into build/docs; needs no network, a warning is an error
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet -b html docs build/docs
	@echo "open build/docs/index.html"

tutorials: $(STAMP) ## run the tutorials again and write what they print and draw into their pages
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.docs.notebooks

bench: $(STAMP) ## the measured claims, as ratios
	$(BIN)/python -m bench

screenshots: $(STAMP) ## run the demo and take the pictures of docs/screenshots (needs chromium)
	$(BIN)/python -m tests.screens

ui: $(STAMP) ## open the results of `make demo` (STORE=DIR for another store)
	$(BIN)/raymm ui --store $(or $(STORE),demo/mlflow)

clean: ## remove what make created
	rm -rf $(VENV) .venv-mutation .mutation demo build .mypy_cache .ruff_cache .pytest_cache
