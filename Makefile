# EdgeTick: `make demo` shows it at work, `make test` checks it. Both install what they need.
SWIFT ?= swift
PREFIX ?= /usr/local
RELEASE := .build/release/edgetick
# Functions that nothing calls are left out, and those that are alike are kept once: nothing here compares addresses. Nor does
# anything look a symbol up by its name, so that their table, 5 MB, is left out too.
SLIM := -Xswiftc -Xfrontend -Xswiftc -function-sections -Xcc -ffunction-sections -Xcc -fdata-sections -Xlinker --icf=all \
	-Xlinker --no-export-dynamic
LINKED := .build/linked
VENV := .build/python
LIMITS := Benchmarks/.build/limits
# In portions, since it keeps all of its files open, and a user may have 1024.
LINT := find Package.swift Sources Tests Migrations Fixtures Benchmarks/Package.swift Benchmarks/Sources \
	Benchmarks/Benchmarks -name '*.swift' -print0 | \
	xargs -0 -n 400 $(SWIFT) format lint --strict --parallel --configuration .swift-format

.PHONY: help demo day test clock coverage torture lives model check build package run bench micro size soak fleet fuzz install clean python

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Without optimization, which takes much less time; `make test` goes on with what is built here.
demo: ## Simulator, collector and its SQLite file at work, and what they survive: no key, no database
	@.ci/packages build
	@test -e .build/debug/edgetick || echo "The first build takes some minutes; what is being compiled is shown." >&2
	@.ci/build --product edgetick
	@.build/debug/edgetick demo

day: ## The whole captured day through a release build, also in company and on Citus and TimescaleDB; CITUS_ROUNDS=20 kills
	@.ci/packages test
	EDGETICK_TEST_WHOLE_DAY=1 CITUS_ROUNDS="$(or $(CITUS_ROUNDS),20)" \
		$(SWIFT) test -c release -Xswiftc -enable-testing \
		--filter 'CapturedDayTests|CompleteDayTests|CompanyDayTests|EngineDayTests'

# Several tests at a time: most of what they do is to wait for real sockets, servers and files.
# The store's come apart: its tests of kills watch every child of the process that runs them, also those of others.
# Nothing that they start reaches beyond loopback, and what gets stuck is named and ended. Up to three whose waits ran out, and
# that failed of nothing else, run once more, alone. `swift test` would plan the build again, for each of the two.
TESTS := EDGETICK_TEST_PYTHON="$$(test -x $(VENV)/bin/python && echo $(CURDIR)/$(VENV)/bin/python)" \
	NO_COLOR=1 SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=6 \
	.ci/watchdog --silence 8 --limit 40 --again 3 .ci/loopback \
	.build/debug/EdgeTickPackageTests.xctest --testing-library swift-testing

test: ## Every test, with what they need installed first; ONLY=HealthTests for those whose names match
	@.ci/packages test
	@$(MAKE) -s python || true
	@.ci/build --build-tests --explicit-target-dependency-import-check error
ifdef ONLY
	$(TESTS) --filter '$(ONLY)'
else
	$(TESTS) --filter '^StoreTests\.'
	$(TESTS) --skip '^StoreTests\.'
	@PYTHONPATH=Tests/Lives PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover -q -s Tests/Lives/tests
	@PYTHONPATH=Benchmarks PYTHONDONTWRITEBYTECODE=1 python3 -m unittest discover -q -s Benchmarks/tests
endif

clock: ## The tests that know the time, with the clock on other days and hours
	@.ci/packages test
	@.ci/build --build-tests
	@.ci/clock

ROUNDS ?= 1000
torture: build ## Faults by the thousand with the release binary, counted: ROUNDS=1000 kills, the other sets in proportion
	@.ci/packages test
	@.ci/build --build-tests
	EDGETICK=$(CURDIR)/$(RELEASE) TORTURE_ROUNDS=$(ROUNDS) $(SWIFT) test --skip-build --filter 'TortureTests|FuzzTests'

lives: build ## Boxes, files and databases killed, copied, restored and cut off in seeded order; ROUNDS=100 SEED= JOBS=2 RESULTS=
	@.ci/packages test
	@EDGETICK="$(or $(EDGETICK),$(CURDIR)/$(RELEASE))" PYTHONPATH=Tests/Lives PYTHONDONTWRITEBYTECODE=1 python3 -m lives \
		--rounds "$(if $(filter command line environment,$(origin ROUNDS)),$(ROUNDS),100)" --jobs "$(or $(JOBS),2)" \
		$(if $(SEED),--seed "$(SEED)") $(if $(RESULTS),--results "$(RESULTS)")

model: ## The ledger's protocol, by a model checker: how the old one fails, and that the present one doesn't
	@.ci/packages model
	@Tests/Model/check

check: ## Format, layering, links, and what every test keeps to
	@$(LINT)
	@.ci/layering
	@.ci/test-rules
	@.ci/links
	@python3 -c 'import ast, sys; [ast.parse(open(path).read(), path) for path in sys.argv[1:]]' \
		Benchmarks/*/*.py Tests/Lives/*/*.py

coverage: ## Lines that the tests reach, by module
	@.ci/packages test
	@$(MAKE) -s python || true
	@.ci/coverage

build: ## The release binary, which runs without Swift
	@.ci/packages build
	@.ci/link-objects $(LINKED)
	$(SWIFT) build -c release --product edgetick --static-swift-stdlib --disable-local-rpath $(SLIM) $$(cat $(LINKED)/flags)

package: build ## The Debian package, in .build/package
	@.ci/packages package
	@Deploy/debian/build $(RELEASE) .build/package

BENCH := PYTHONPATH=Benchmarks PYTHONDONTWRITEBYTECODE=1 python3 -m

bench: build ## Figures against limits measured in the same run, fails when one is missed; ROW=decode for one
	@.ci/packages bench
	@$(MAKE) -s python || true
	$(SWIFT) build -c release --package-path Benchmarks --product subject
	@mkdir -p $(LIMITS)
	g++ -O3 -DNDEBUG -march=native -o $(LIMITS)/decode Benchmarks/Limits/decode.cpp -lsimdjson
	gcc -O3 -o $(LIMITS)/append Benchmarks/Limits/append.c -lsqlite3
	gcc -O2 -o $(LIMITS)/sync Benchmarks/Limits/sync.c
	gcc -O3 -o $(LIMITS)/relay Benchmarks/Limits/relay.c -lcrypto
	@# Taken out of its package: installed, it would run as a service.
	@test -x $(LIMITS)/nats-server || (cd $(LIMITS) && apt-get download -q nats-server && \
		dpkg --fsys-tarfile nats-server_*.deb | tar -x --strip-components=3 ./usr/sbin/nats-server) || true
	@$(BENCH) bench --row "$(ROW)" $(if $(JSON),--json "$(JSON)")

micro: ## Single steps of the hot path, each on its own, with percentiles
	@.ci/packages build
	$(SWIFT) package -c release --package-path Benchmarks benchmark --no-progress

size: build ## The cost of a row against the rows buffered, as a plot; SIZES=1e5,1e6,1e7 DRAIN=1
	@.ci/packages bench
	$(SWIFT) build -c release --package-path Benchmarks --product subject
	@$(BENCH) bench.size $(if $(SIZES),--sizes "$(SIZES)") $(if $(DRAIN),--drain)

soak: build ## The market's rate and ten times that: does anything grow or get lost; MINUTES=10 FAULTS=1
	@.ci/packages bench
	@$(BENCH) bench.soak --minutes "$(or $(MINUTES),10)" $(if $(FAULTS),--faults) $(if $(JSON),--json "$(JSON)")

fleet: build ## Collectors by the dozen on one server: what their reports cost, how soon a killed one is seen; BOXES=20 MINUTES=10
	@.ci/packages bench
	@$(BENCH) bench.fleet --boxes "$(or $(BOXES),20)" --minutes "$(or $(MINUTES),10)" $(if $(JSON),--json "$(JSON)")

# Leaks are not looked for: the threads end with the process.
fuzz: ## The decoder against two others on mutated frames, under the address sanitizer; FUZZ_MINUTES=10 or FRAMES=…
	@Tests/Fuzz/build .build-fuzz
	ASAN_OPTIONS=detect_leaks=0:malloc_context_size=2 .build-fuzz/decoder-fuzz --minutes "$(or $(FUZZ_MINUTES),$(if $(FRAMES),1000000,10))" \
		$(if $(FRAMES),--frames "$(FRAMES)") Fixtures/captures/demo.ndjson

python: ## The feed's official Python client and readers of exports, for the tests and benches that run them
	@.ci/python-client "$(VENV)"
	@.ci/axe "$(VENV)"

run: build ## Collect with the settings of .env
	@$(RELEASE) run

install: build ## Install the stripped binary into PREFIX/bin (default /usr/local)
	install -D -s -m 755 $(RELEASE) $(DESTDIR)$(PREFIX)/bin/edgetick

clean: ## Remove everything that was built
	rm -rf .build .build-fuzz
