#!/usr/bin/env bash
# All stages of `make test`; stops at the first failure. The smoke run comes before pytest, whose tests read it.
set -euo pipefail
# Most of the time on a fresh clone would be compilation: clones of one user share compiled functions, which JAX finds
# by their content, the compiler and its options.
export JAX_COMPILATION_CACHE_DIR=${JAX_COMPILATION_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/amortmix/tests}
stage() {
  local name=$1 began=$SECONDS
  shift
  echo "== $name"
  "$@"
  echo "== $name: $(( (SECONDS - began) / 60 )) min $(( (SECONDS - began) % 60 )) s"
}
stage "lint" make --no-print-directory lint
# what needs the page in a browser is skipped where it cannot be built
if command -v npm >/dev/null; then
  stage "page" make --no-print-directory page || echo "the page could not be built: its tests will be skipped"
fi
stage "documentation" make --no-print-directory docs
stage "smoke run on the real participants and three models of a user" snakemake --cores all --quiet rules \
  --configfile config/presets/smoke.yaml --config datasets=tests/workflow/own_models.tsv
# the run has executed every notebook, and a cell that fails ends it; here those of a reader, opened where they lie
stage "notebooks" pytest -q -n 2 --dist loadfile --nbval-lax --nbval-current-env \
  results/smoke/paper/notebooks/evidence_accumulation.ipynb results/smoke/paper/notebooks/gaussian_scales.ipynb
# a file of tests stays in one process, which trains its networks once; the order of files is that of tests/conftest.py
stage "unit and workflow tests" pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests
