# Two commands do everything on a fresh machine: `make demo` and `make test`. Both install what is missing.

SWIFT ?= swift

.PHONY: demo test lint format fixtures bench clean

# Builds only what the demo needs, runs it on this package's own sources.
demo:
	Scripts/install demo
	$(SWIFT) run --product dramatiq-workflow dramatiq-workflow demo

test: lint
	Scripts/install test
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build
	Scripts/python Fixtures/generate.py --check

lint:
	$(SWIFT) format lint --strict --recursive Package.swift Sources Tests

format:
	$(SWIFT) format --in-place --recursive Package.swift Sources Tests

# Captures Fixtures/ again from the PyPI packages.
fixtures:
	Scripts/python Fixtures/generate.py

bench:
	Benchmarks/run

clean:
	rm -rf .build .venv
