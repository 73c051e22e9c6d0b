# Two commands do everything on a fresh machine: `make demo` and `make test`. Both install what is missing.

SWIFT ?= swift
SWIFT_FILES = Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources Examples/Package.swift Examples/Sources

.PHONY: demo test smoke snippets docs soak lint symbols format fixtures measure bench fuzz clean

# Builds only what the demo needs, which is none of the plugins, and runs it on this package's own sources.
demo:
	Scripts/install demo
	$(SWIFT) run --disable-default-traits dramatiq-workflow demo

test: lint
	Scripts/install test
	Scripts/python -c ''
	Scripts/snippets
	$(SWIFT) build --build-tests
	Scripts/public-symbols --check
	Scripts/rooms
	Scripts/documentation
	# One after the other: many of them keep processes and servers busy, and would keep each other from their time.
	$(SWIFT) test --skip-build --no-parallel
	$(MAKE) fuzz FUZZ_INPUTS=200000
	$(SWIFT) build --package-path Examples
	# Fail if the transport or the store there breaks a promise that it makes.
	$(SWIFT) run --package-path Examples OwnTransport
	$(SWIFT) run --package-path Examples OwnStore
	Scripts/python Fixtures/generate.py --check
	Scripts/python -m unittest discover -t Python -s Python/tests

# A contributor's first answer, in about two minutes once the tests are built: the core and workflows in memory, with
# their promises, encoders, and the commits and runs of Redis. Left out is what takes long by its nature.
SMOKE = ^(DramatiqTests|DramatiqWorkflowTests)\.|\.(EncoderConformanceTests|RedisCommitTests|RedisRunTests)/
smoke:
	Scripts/install test
	$(SWIFT) build --build-tests
	$(SWIFT) test --skip-build --no-parallel --filter '$(SMOKE)' --skip '\.(HostileTextTests|NestingTests)/'

# Compiles the snippets of the documentation.
snippets:
	Scripts/install test
	Scripts/snippets
	$(SWIFT) build --target DocumentationSnippets

# Builds the documentation of all products as a static site, in .build/documentation.
docs:
	Scripts/install test
	$(SWIFT) build
	Scripts/documentation

# Runs the tests ten times (SOAK_ROUNDS) beside other work that keeps all cores busy, and once on a single core.
soak:
	Scripts/install test
	Scripts/python -c ''
	$(SWIFT) build --build-tests
	Scripts/soak

lint:
	$(SWIFT) format lint --strict --recursive $(SWIFT_FILES)

format:
	$(SWIFT) format --in-place --recursive $(SWIFT_FILES)

# Lists the public symbols anew, which `make test` compares.
symbols:
	Scripts/install test
	$(SWIFT) build
	Scripts/public-symbols

# Captures Fixtures/ again from the PyPI packages.
fixtures:
	Scripts/python Fixtures/generate.py

# Compares with Python and other peers; Benchmarks/README.md says how to read it.
bench:
	Benchmarks/run

# What encoders and callback storages make of the workflows in the corpus; the guide "Measure savings" shows it.
CHART = Sources/DramatiqWorkflow/Documentation.docc/Resources/encoders.svg
measure:
	Scripts/install test
	$(SWIFT) run -c release dramatiq-workflow measure Fixtures/workflows/corpus --chart $(CHART)

# Gives the decoders of compressed messages damaged inputs, so many each, with the address sanitizer.
FUZZ_INPUTS ?= 5000000
fuzz:
	Scripts/install test
	$(SWIFT) build -c release --sanitize=address --scratch-path .build-asan --product DecoderFuzzTool
	.build-asan/release/DecoderFuzzTool --count $(FUZZ_INPUTS)

clean:
	rm -rf .build .build-asan .venv Benchmarks/.build Benchmarks/results Examples/.build
