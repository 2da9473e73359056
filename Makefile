# One line of help per target: `make` or `make help` prints them. Needs Python 3.11 or newer, and nothing else.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
PAGE := serving/web/dist/index.html
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" npm --prefix serving/web

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

install: $(STAMP) $(PAGE) ## make .venv from the lock file and build the web page

demo: install ## run the whole platform against the simulator; open http://127.0.0.1:5000
	$(BIN)/cap up --simulate

live: install ## the same against the real Binance, Bybit and OKX
	$(BIN)/cap up

test: install ## run every test and doctest; ARGS='-m slow' runs the long ones
	$(NPM) run --silent test
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

coverage: install ## run every test and say which lines none of them reached
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term $(ARGS)

check: install ## lint, types, import contracts, security
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/bandit -q -ll -s B608 -r infra ingestion realtime serving assets  # B608: ruff S608 judges SQL, line by line
	$(BIN)/sqlfluff lint dbt_project
	$(NPM) run --silent check

bench: install ## measure every claim next to its peers; writes bench/results.json
	$(BIN)/python -m bench

kafka: install ## start one real Apache Kafka node on 127.0.0.1:9092 (needs a JDK and Maven)
	$(BIN)/python -m infra.eventlog.broker

clean: ## remove what was built; data under .cap stays
	rm -rf .venv serving/web/node_modules serving/web/dist .mypy_cache .ruff_cache .pytest_cache .coverage

lock: $(STAMP) ## renew the lock file from pyproject.toml
	$(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header \
	  --group dev --group bench pyproject.toml -o requirements.lock --upgrade

$(STAMP): requirements.lock bootstrap.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r bootstrap.lock
	$(BIN)/uv pip sync -q --require-hashes requirements.lock
	$(BIN)/uv pip install -q --no-deps -e .
	$(BIN)/python -W ignore -c "from assets.warehouse.manifest import manifest; manifest()"
	touch $(STAMP)

$(PAGE): $(STAMP) $(shell find serving/web -path '*/node_modules' -prune -o -path '*/dist' -prune -o -type f -print 2>/dev/null)
	$(NPM) ci --silent --no-fund --no-audit
	$(NPM) run --silent build
	touch $(PAGE)

.PHONY: help install demo live test coverage check bench kafka clean lock
.DEFAULT_GOAL := help
