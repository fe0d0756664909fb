# .ci/run has all checks that a change must pass; make lint test runs the fast ones.
# Tests that need a missing program are reported as SKIPPED. With DMCONNECTOR_TEST_ALL
# set they fail.

GO    ?= go
TOOLS := $(GO) tool -modfile=tools/go.mod
GORELEASER := $(GO) tool -modfile=tools/goreleaser/go.mod goreleaser
PEERS := internal/logtopeers
WEB   := internal/console/web

# Without checkptr in modernc.org/sqlite, which is C translated to Go: its pointer checks
# double the time of the tests.
RACE  := $(shell command -v "$$($(GO) env CC)" >/dev/null 2>&1 && echo -race -gcflags=modernc.org/...=-d=checkptr=0)

# The time for each fuzz target.
FUZZTIME ?= 10s

.PHONY: build test faults chaos attack race-detector postgres pooler rules lint size fmt fuzz bench vuln setup \
	console console-check e2e screenshots man completions reference image release-check

build:
	$(GO) build -trimpath -o bin/dmconnector ./cmd/dmconnector

# All tests but the attack suite, and the fault suite, of which a few scenarios run. A program with the race
# detector sleeps for 1 s at exit by default, and the command tests start over a hundred.
test: race-detector postgres pooler $(PEERS)/node_modules/.installed
	GORACE=atexit_sleep_ms=10 $(GO) test $(RACE) -shuffle=on -skip '^Test(Attack|Fault)Suite' ./...

# The short fault suite, against the running program.
faults: race-detector postgres
	$(GO) test $(RACE) -count=1 ./internal/chaos

# The long fault suite. Writes docs/reliability.md.
chaos:
	$(GO) test ./internal/chaos -count=1 -timeout 60m -v -chaos.long -chaos.write

# The attack suite, against the running program without the race detector. With WRITE=1,
# writes its table to docs/security.md.
attack:
	$(GO) test ./internal/attack -count=1 -timeout 10m $(if $(WRITE),-v -attack.write)

race-detector:
	@test -n "$(RACE)" || { echo "make: SKIPPED the race detector: needs a C compiler"; test -z "$$DMCONNECTOR_TEST_ALL"; }

postgres:
	@ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null 2>&1 || \
		{ echo "make: SKIPPED the tests on PostgreSQL: not installed"; test -z "$$DMCONNECTOR_TEST_ALL"; }

pooler:
	@PATH="$$PATH:/usr/sbin" command -v pgbouncer >/dev/null 2>&1 || \
		{ echo "make: SKIPPED the tests with a pooler: needs pgbouncer"; test -z "$$DMCONNECTOR_TEST_ALL"; }

# Logto's npm packages, which tests compare with this program. Needs npm.
$(PEERS)/node_modules/.installed: $(PEERS)/package-lock.json
	@if ! command -v npm >/dev/null 2>&1; then \
		echo "make test: SKIPPED the tests against Logto's npm packages: needs npm"; test -z "$$DMCONNECTOR_TEST_ALL"; \
	elif (cd $(PEERS) && npm ci --no-audit --no-fund --loglevel=error); then touch $@; \
	else echo "make test: SKIPPED the tests against Logto's npm packages: npm ci failed"; test -z "$$DMCONNECTOR_TEST_ALL"; fi

# Generates the console's types from openapi.json, and builds it. Both are committed, so
# that go build needs no Node.
console: $(WEB)/node_modules/.installed
	cd $(WEB) && npm run --silent types && npm run --silent build

# Checks the console's sources, and that the committed files match them.
console-check: $(WEB)/node_modules/.installed
	cd $(WEB) && npm run --silent check && npm run --silent unit
	@dist=$$(mktemp -d) && trap 'rm -rf "$$dist"' EXIT && (cd $(WEB) && DIST="$$dist/" npm run --silent build) && \
		diff -r "$$dist" internal/console/dist || { echo "internal/console/dist is out of date: run make console"; exit 1; }

# Tests the console in Chromium.
e2e: build $(WEB)/node_modules/.installed
	cd $(WEB) && DMCONNECTOR=$(CURDIR)/bin/dmconnector npm run --silent e2e

# The same tests, which also write docs/screenshots.
screenshots: build $(WEB)/node_modules/.installed
	cd $(WEB) && DMCONNECTOR=$(CURDIR)/bin/dmconnector SCREENSHOTS=1 npm run --silent e2e

$(WEB)/node_modules/.installed: $(WEB)/package-lock.json
	cd $(WEB) && npm ci --no-audit --no-fund --loglevel=error
	touch $@

# Tests the alerts with promtool, from Debian's package prometheus.
rules:
	@cd deploy/prometheus && if command -v promtool >/dev/null 2>&1; then \
		promtool check rules alerts.yaml && promtool test rules alerts_test.yaml; \
	else echo "make rules: SKIPPED the alerts: needs promtool"; test -z "$$DMCONNECTOR_TEST_ALL"; fi

lint:
	@test -z "$$(gofmt -l .)" || { gofmt -l .; echo "run make fmt"; exit 1; }
	$(GO) mod tidy -diff
	$(TOOLS) golangci-lint run ./...
	cd tools/release && $(GO) tool -modfile=../go.mod golangci-lint run ./...

# Counts the lines of Go by package, with blank lines and comments. With CHECK=1, fails
# if they exceed the bounds in tools/size.awk.
size:
	@git ls-files '*.go' ':!*_test.go' | xargs wc -l | awk -v check="$(CHECK)" -f tools/size.awk

fmt:
	$(TOOLS) golangci-lint fmt ./...

# Runs all fuzz targets, one after the other.
fuzz:
	@set -e; for pkg in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
			echo "$$pkg $$target"; $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg; \
		done; \
	done

bench:
	$(GO) run ./internal/bench

man:
	$(GO) test ./cmd/dmconnector -count=1 -run '^TestManPages$$' -man.write $(CURDIR)/bin/share/man/man1

# Writes docs/configuration.md.
reference:
	$(GO) test ./cmd/dmconnector -count=1 -run '^TestReference$$' -reference.write

completions: build
	mkdir -p bin/share/completions
	@for shell in bash zsh fish powershell; do \
		bin/dmconnector completion $$shell >bin/share/completions/dmconnector.$$shell || exit 1; \
	done

# Builds the container image bin/image/dmconnector-ARCH.tar without a container engine.
# It is reproducible: one commit always gives the same bytes.
ARCHES ?= amd64 arm64
image: CREATED = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
image: VERSION = $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
image:
	mkdir -p bin/image
	@set -e; for arch in $(ARCHES); do \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch $(GO) build -trimpath -buildvcs=auto -tags timetzdata -ldflags '-s -w' -o bin/image/dmconnector-$$arch ./cmd/dmconnector; \
		(cd tools/release && $(GO) run ./image -program ../../bin/image/dmconnector-$$arch -arch $$arch -created $(CREATED) \
			-version $(VERSION) -tag dmconnector:latest -out ../../bin/image/dmconnector-$$arch.tar ../../LICENSE ../../NOTICE); \
	done

# Builds all packages into dist and bin, and tests those that run on this machine.
release-check: image
	cd tools/release && $(GO) mod tidy -diff && $(GO) vet ./...
	cd tools/release && $(GO) test ./image -count=1 -v -image $(CURDIR)/bin/image/dmconnector-$$($(GO) env GOARCH).tar
	cd tools/release && $(GO) test ./deploy -count=1 -program $(CURDIR)/bin/image/dmconnector-$$($(GO) env GOARCH)
	$(GORELEASER) check
	$(GORELEASER) release --snapshot --clean
	cd tools/release && $(GO) test ./packages -count=1 -v -dist $(CURDIR)/dist

# Downloads the vulnerability database.
vuln:
	$(TOOLS) govulncheck ./...

# Downloads what tests and linters need. The browser and its fonts are Debian packages.
setup: $(PEERS)/node_modules/.installed $(WEB)/node_modules/.installed
	@command -v chromium >/dev/null 2>&1 || if command -v apt-get >/dev/null 2>&1 && test "$$(id -u)" = 0; then \
		apt-get update -q && apt-get install -qy --no-install-recommends chromium fonts-noto-cjk; \
	else echo "make setup: install Chromium for make e2e, and set CHROMIUM if it is not /usr/bin/chromium"; fi
	$(GO) mod download
	cd tools && $(GO) mod download
