# Traveler. The two that matter: `make demo` and `make test`.
SHELL     := bash
GO        ?= go
TOOLS     := $(GO) tool -modfile=.ci/tools/go.mod
PACKAGES  := ./...
BIN       := bin
FULL      := ^(TestConvergence|TestVerifyEveryByte)
DEBIAN    := gcc libc6-dev mosquitto libnfc-bin libnfc-examples strace systemd
export CGO_ENABLED ?= 0

.PHONY: demo build test check cross bench fuzz debian clean

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
	CGO_ENABLED=1 GORACE=atexit_sleep_ms=0 $(TOOLS) gotestsum --format pkgname-and-test-fails -- -race -timeout 20m $(PACKAGES)

## check: before each commit, under two minutes
check:
	@out=$$($(TOOLS) gofumpt -l .); if [ -n "$$out" ]; then echo "not formatted:"; echo "$$out"; exit 1; fi
	$(GO) vet $(PACKAGES)
	$(TOOLS) staticcheck $(PACKAGES)
	$(GO) test ./cmd -run 'TestLayers|TestPlant'
	CGO_ENABLED=1 $(GO) test -race -short $(PACKAGES)

## cross: builds for the boards
cross:
	for arch in amd64 arm64 arm; do \
		GOOS=linux GOARCH=$$arch GOARM=7 $(GO) build -trimpath -ldflags '-s -w' -o $(BIN)/linux-$$arch/ ./cmd/travelerd ./cmd/traveler || exit 1; \
	done

## bench: every figure, as ratios to limits measured in the same run
bench:
	$(GO) test -run '^$$' -bench . -benchmem $(PACKAGES)

## fuzz: every fuzz target for TIME (default 10s) each
TIME ?= 10s
fuzz:
	@for pkg in $$($(GO) list $(PACKAGES)); do \
		for f in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
			echo "$$pkg $$f"; $(GO) test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(TIME) $$pkg || exit 1; \
		done; \
	done

## debian: third-party programs that tests talk to; without root or sudo the
## tests that need them say that they are left out
debian:
	@missing=; for p in gcc mosquitto nfc-list nfc-poll strace systemd-analyze; do \
		PATH="$$PATH:/usr/sbin" command -v $$p >/dev/null || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		if [ "$$(id -u)" = 0 ]; then sudo=; elif sudo -n true 2>/dev/null; then sudo=sudo; \
		else echo "left out: what needs$$missing (no root here; install: $(DEBIAN))"; exit 0; fi; \
		$$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -qq -y --no-install-recommends $(DEBIAN) >/dev/null; \
	fi

clean:
	rm -rf $(BIN)
