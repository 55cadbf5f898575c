# Traveler. The two that matter: `make demo` and `make test`.
SHELL     := bash
GO        ?= go
TOOLS     := $(GO) tool -modfile=.ci/tools/go.mod
PACKAGES  := ./...
BIN       := bin
FULL      := ^(TestConvergence|TestVerifyEveryByte)
CHECKS    := ./.ci/mutants ./.ci/figures
DEBIAN    := gcc libc6-dev mosquitto libnfc-bin libnfc-examples libnfc-pn53x-examples libfreefare-bin mfoc strace systemd
export CGO_ENABLED ?= 0

.PHONY: demo build test check cross bench fuzz mutants plant debian clean

## demo: seven stations as real daemons on this machine, under a minute
demo: build
	$(BIN)/traveler demo $(ARGS)

## build: both programs into bin/
build:
	$(GO) build -trimpath -o $(BIN)/ ./cmd/travelerd ./cmd/traveler

## test: everything, with the race detector; installs what its tests need
## (what the race detector makes ten times slower runs in full without it first)
test: debian build
	$(TOOLS) gotestsum --format pkgname-and-test-fails -- -timeout 10m -run '$(FULL)' ./ledger/replica
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 $(TOOLS) gotestsum --format pkgname-and-test-fails -- -race -timeout 20m $(PACKAGES) $(CHECKS)

## check: before each commit, under two minutes
check:
	@out=$$($(TOOLS) gofumpt -l .); if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi
	$(GO) vet $(PACKAGES) $(CHECKS)
	$(TOOLS) staticcheck $(PACKAGES) $(CHECKS)
	$(GO) test ./cmd -run 'TestLayers|TestPlant'
	CGO_ENABLED=1 $(GO) test -race -short $(PACKAGES)

## cross: builds for the boards
cross:
	for arch in amd64 arm64 arm; do \
		GOOS=linux GOARCH=$$arch GOARM=7 $(GO) build -trimpath -ldflags '-s -w' -o $(BIN)/linux-$$arch/ ./cmd/travelerd ./cmd/traveler || exit 1; \
	done

## bench: one table of figures, each beside its limit, measured in the same run;
## LONG=1 takes the sizes of the README's table, hours on a small machine
bench:
	TRAVELER_BENCH=$(if $(LONG),long) $(GO) test -run '^$$' -bench '^BenchmarkFigure' -benchtime 1x -count $(or $(COUNT),5) -timeout 6h $(PACKAGES) | tee bench.txt
	$(GO) test -run '^$$' -bench '^Benchmark(Arrival|Event|LastByte|IdlePoll|IdleGateway)$$' -benchtime 200x -count $(or $(COUNT),5) ./drivers/... ./cmd/travelerd | tee -a bench.txt
	$(TOOLS) benchstat bench.txt
	$(GO) run ./.ci/figures <bench.txt

## fuzz: every fuzz target for TIME (10s, 1000000x); prints executions; ONLY=regexp chooses
TIME ?= 10s
fuzz:
	.ci/fuzz $(TIME)

## mutants: deliberate faults, one by one; each must be caught by its named test
mutants: debian build
	$(GO) run ./.ci/mutants

## plant: simulated plants, SEEDS of them, each of GATEWAYS for HOURS of virtual time
SEEDS    ?= 100
GATEWAYS ?= 7
HOURS    ?= 1
plant:
	$(GO) test ./agent/plant -run 'TestPlant$$' -timeout 0 -seeds=$(SEEDS) -gateways=$(GATEWAYS) -hours=$(HOURS)

## debian: third-party programs that tests talk to; without root or sudo the
## tests that need them say that they are left out
debian:
	@missing=; for p in gcc mosquitto nfc-list nfc-poll pn53x-diagnose mifare-classic-read-ndef mfoc strace systemd-analyze; do \
		PATH="$$PATH:/usr/sbin" command -v $$p >/dev/null || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo=sudo; \
		else echo "left out: what needs$$missing (no root here; install: $(DEBIAN))"; exit 0; fi; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -qq -y --no-install-recommends $(DEBIAN) >/dev/null; \
	fi

clean:
	rm -rf $(BIN)
