# The two commands are `make demo` and `make test`; both make the environment they need.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PYTEST  = $(BIN)/python -m pytest -n 2 --dist loadgroup
STORE  ?= build/demo-store
CHAPTERS ?= stopping filters regularization evasion smoothing distillation
# what must hold on JAX as well as on TensorFlow
ON_BOTH := tests/contracts tests/callbacks tests/layers tests/training tests/test_backend.py \
	tests/attacks/test_balls.py tests/attacks/test_draws.py tests/attacks/test_losses.py \
	tests/attacks/test_planted.py tests/attacks/test_projections.py \
	tests/evaluation/test_frozen_draws.py tests/models/test_randomness.py \
	tests/engines/test_models_that_draw.py
# what else runs there, in some more minutes
MORE_ON_BOTH := tests/attacks tests/engines
# tests compile much and compute little, so that optimising what is compiled takes longer than it saves
HASTY  := XLA_FLAGS="--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
READY  := $(VENV)/.ready

.PHONY: demo test test-all test-jax lint bench notebooks report full clean help
.DEFAULT_GOAL := help

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

$(READY): setup.cfg pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(READY) ## run all chapters on embedded data and say where the page is
	$(BIN)/robustnets run $(CHAPTERS) --scale demo --store $(STORE) --out build/demo -j 2

test: lint ## lint, types and tests, the contracts on both backends
	$(HASTY) $(PYTEST) -m "not slow"
	$(HASTY) KERAS_BACKEND=jax $(PYTEST) -m "not slow" $(ON_BOTH)

test-all: $(READY) ## what `make test` leaves out: tests marked slow
	$(HASTY) $(PYTEST) -m slow

test-jax: $(READY) ## the tests of single attacks and of engines on JAX, too
	$(HASTY) KERAS_BACKEND=jax $(PYTEST) -m "not slow" $(MORE_ON_BOTH)

lint: $(READY) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY) ## speed, side by side with Keras and the peers
	$(BIN)/python -m benchmarks

notebooks: $(READY) ## execute the notebooks again, at demo scale
	$(BIN)/python notebooks/execute.py

report: $(READY) ## write the committed pages again from their Records
	$(BIN)/robustnets report --out reports --readme README.md

full: $(READY) ## all chapters at full scale (days on two cores), resumable
	$(BIN)/robustnets run $(CHAPTERS) --scale full --out reports -j 2

clean: ## remove what the commands above made, except the environment
	rm -rf build .pytest_cache .mypy_cache .ruff_cache
