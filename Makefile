# make paper   everything in the paper, into results/          make test    lint, unit tests, the smoke run
# make clean   remove what the workflow made                   make help    more
# make report  a finished run in one file, results/report.zip  make smoke   the workflow in minutes
.DEFAULT_GOAL := help
SHELL := /bin/bash
# Snakemake starts the Python of a job by its path, unquoted
ifneq ($(words $(CURDIR)),1)
$(error the path of this folder has a space, $(CURDIR), and Snakemake starts no Python below it: move the folder)
endif
CORES ?= all
VENV := .venv
BIN := $(VENV)/bin
RUN := PATH="$(abspath $(BIN)):$$PATH"

.PHONY: help setup paper smoke report test docs page benchmark ablation components epidemic factorization fields population one_network points ensembles lint lock ship publish clean

help:
	@grep -E '^# make|^#  ' Makefile | sed 's/^# //'
	@echo 'make docs    the documentation site, docs/_build/html/index.html'
	@echo 'make page    the page that fits data in a browser: amortmix page opens it'
	@echo 'make benchmark   training against BayesFlow, fits against Stan, memory, growth'
	@echo 'make ablation    each choice of the recipes changed by itself'
	@echo 'make components  how many classes or states: probabilities of K and whether they are right'
	@echo 'make factorization  indicators first or parameters first: eqs. 21 to 23 against eq. 14'
	@echo 'make points      answers without draws beside those of draws'
	@echo 'make ensembles   two small networks averaged, or one that was trained twice as long'
	@echo 'make one_network  the pretrained network of all priors against those of one prior each, and NUTS'
	@echo 'make epidemic    an outbreak from simulator to forecast, beside NUTS'
	@echo 'make fields      recessions and elk: published data, beside NUTS'
	@echo 'make population  groups from separate fits, beside one model of all people'
	@echo 'Options:     CORES=2, and CONFIG="priors=reference participants=simulated"'

setup: $(VENV)/.ready

# uv, where there is one, can fetch Python 3.12; else a Python 3.12 with venv must be here
$(VENV)/.ready: requirements.lock pyproject.toml
	@if command -v uv >/dev/null; then \
	  uv venv --quiet --allow-existing --python 3.12 $(VENV) && \
	  uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .; \
	else \
	  python=$$(for p in python3.12 python3 python; do \
	    $$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null && echo $$p && break; done); \
	  if [ -z "$$python" ]; then \
	    echo 'error: no Python 3.12 with venv found: install python3.12 and python3.12-venv, or uv (https://docs.astral.sh/uv)' >&2; exit 1; \
	  fi; \
	  $$python -m venv $(VENV) && $(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .; \
	fi
	@touch $@

# what a job says is in its log, which Snakemake names when one fails
SNAKEMAKE = $(RUN) snakemake --cores $(CORES) --quiet rules
ASKED = $(if $(PRESET),--configfile config/presets/$(PRESET).yaml) $(if $(CONFIG),--config $(CONFIG))

paper: setup
	$(SNAKEMAKE) $(ASKED)

smoke: PRESET := smoke
smoke: setup
	$(SNAKEMAKE) $(ASKED)

# notebooks, tables, figures and how each was made, of a finished run: `make report PRESET=smoke`, with the same CONFIG
report: setup
	$(SNAKEMAKE) $(ASKED) --report results/report.zip

# each stage says how long it took; the last lines are pytest's summary
test: setup
	@$(RUN) tests/run.sh

# training against BayesFlow's own, fits against Stan, memory and growth: results/benchmark/
benchmark: setup
	$(RUN) python benchmarks/run.py

# each choice of the recipes changed by itself: results/ablation/ablation.csv; a copy in results/published/ablation is
# what the page `ablation` shows
ablation: setup
	$(RUN) python benchmarks/ablation.py

# how probable is each number of classes or states: results/components/components.csv, shown in the same way
components: setup
	$(RUN) python benchmarks/components.py

# an outbreak from simulator to forecast: results/epidemic/, shown in the same way
epidemic: setup
	$(RUN) python benchmarks/epidemic.py

# published data of other fields, each fitted by a short declaration: results/fields/, shown in the same way
fields: setup
	$(RUN) python benchmarks/fields.py

# groups of people from separate fits, held against one model of all of them: results/population/, shown in the same way
population: setup
	$(RUN) python benchmarks/population.py

# networks of both factorizations of the joint posterior, held against the exact one: results/factorization/*.csv
factorization: setup
	$(RUN) python benchmarks/factorization.py

# estimates in one forward pass beside those of draws: results/points/*.csv
points: setup
	$(RUN) python benchmarks/points.py

# averages of networks beside one that was trained twice as long: results/ensembles/ensembles.csv
ensembles: setup
	$(RUN) python benchmarks/ensembles.py

# pretrained networks for all designs and priors against those for one, on the data of the paper: results/one_network/*.csv
one_network: setup
	$(RUN) python benchmarks/one_network.py

# the documentation site, docs/_build/html/index.html: no network, warnings are errors
docs: setup
	$(RUN) sphinx-build -W --keep-going -q -b html docs docs/_build/html

# what fits data in a browser, into the package, which `amortmix page` opens: needs Node.js and npm
page:
	cd page && npm ci --ignore-scripts --no-audit --no-fund --silent && node build.mjs

lint: setup
	$(RUN) ruff check --quiet src workflow tests benchmarks models docs
	$(RUN) ruff format --quiet --check src workflow tests benchmarks models docs
	$(RUN) snakefmt --check Snakefile workflow/rules

# new pins for pyproject.toml; names no download address
lock:
	uv pip compile --quiet --universal --python-version 3.12 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-annotate --extra dev --custom-compile-command 'make lock' pyproject.toml -o requirements.lock

# networks of a run become those that come with the library
SHIP := longer
ship: setup
	cd results/$(SHIP) && for folder in */*/networks; do \
	  run=$$(dirname $$folder); target=../../src/amortmix/pretrained/$$run; \
	  mkdir -p $$target && cp -v $$folder/* $$run/validation/* $$target/; done
	$(RUN) python -m amortmix_paper.shipping

# the small copy of a run that is committed: executed notebooks and numbers, no draws, no networks
PUBLISH := default_shipped
publish: setup
	$(RUN) python -m amortmix_paper.publishing results/$(PUBLISH) results/published/$(PUBLISH)

clean:
	find results -mindepth 1 -maxdepth 1 ! -name published -exec rm -rf {} + 2>/dev/null || true
	rm -rf logs .snakemake .cache docs/_build docs/generated
