# Everything that is done with this tree. Each command stands alone; CI runs the same ones.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
DESTDIR  ?=
PREFIX   ?= /usr
UNITDIR  ?= $(PREFIX)/lib/systemd/system
FUZZTIME ?= 30s
FUZZ     ?= ^Fuzz
GO       ?= go
BIN      ?= bin/provisioner
OUT      ?= bin
ARCHES   ?= amd64 arm64
# Everything that is packed has the date of the last commit.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# Functions begin at every byte, not at every 32: 0.22 MB for no CPU that can be measured. arm64 has its own rule.
LDFLAGS   = -s -w -funcalign=1 -X main.version=$(VERSION)
# Inlining makes YAML faster, and all else larger: 0.8 MB for no CPU that can be measured.
GCFLAGS   = -gcflags all=-l -gcflags gopkg.in/yaml.v3= -gcflags cloudconfig/schema/yamltree=
# Metadata services speak HTTP/1.1; the decoder of zstd is fast enough without its assembler.
BUILD     = CGO_ENABLED=0 $(GO) build -trimpath -tags nethttpomithttp2,noasm $(GCFLAGS) -ldflags '$(LDFLAGS)'
TOOL      = $(GO) tool -modfile=integration/tools/go.mod
UNITS     = $(wildcard provisioner/units/*.service provisioner/units/*.target)

.PHONY: help build install install-system install-compat share packages test race check golden fuzz bench demo integration integration-long integration-vm bench-boot clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 18

build: ## Build bin/provisioner, static and reproducible
	$(BUILD) -o bin/provisioner ./provisioner

install: install-system share ## Install everything below DESTDIR: install-system, man pages, completions and licences
	install -d $(DESTDIR)$(PREFIX)/share
	cp -R --no-preserve=mode,ownership bin/share/. $(DESTDIR)$(PREFIX)/share

install-system: build ## Install what a machine runs below DESTDIR: the binary, its units, its generator and its journal catalog
	install -D -m 0755 $(BIN) $(DESTDIR)$(PREFIX)/bin/provisioner
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(PREFIX)/lib/systemd/system-generators
	install -m 0644 $(UNITS) $(DESTDIR)$(UNITDIR)
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/systemd/system-preset provisioner/units/50-provisioner.preset
	install -D -m 0644 -t $(DESTDIR)$(PREFIX)/lib/systemd/catalog provisioner/units/provisioner.catalog
	ln -sf $(PREFIX)/bin/provisioner $(DESTDIR)$(PREFIX)/lib/systemd/system-generators/provisioner-generator

install-compat: ## Put links below DESTDIR, by whose names the program is coreos-cloudinit and cloud-init; see docs/migrate.md
	install -d $(DESTDIR)$(PREFIX)/bin
	ln -s provisioner $(DESTDIR)$(PREFIX)/bin/coreos-cloudinit
	ln -s provisioner $(DESTDIR)$(PREFIX)/bin/cloud-init

share: build ## Make man pages, completions and licences in bin/share; fetches Go modules that the program does not need
	$(GO) build -C integration/packages -o $(CURDIR)/bin/packages .
	rm -rf bin/share
	bin/packages share bin/share $(VERSION) bin/provisioner

packages: share ## Make a .deb and an .rpm for each of ARCHES in OUT; the same bytes each time
	@for arch in $(ARCHES); do rm -rf bin/$$arch && \
	  GOOS=linux GOARCH=$$arch $(BUILD) -o bin/$$arch/provisioner ./provisioner && \
	  $(MAKE) -s -o build -o share install BIN=bin/$$arch/provisioner DESTDIR=bin/$$arch/tree && \
	  bin/packages build bin/$$arch/tree $(OUT) $(VERSION) $$arch || exit 1; done

test: ## Run the tests, without cgo, network or root
	CGO_ENABLED=0 $(GO) test ./...

race: ## Run the tests under the race detector
	CGO_ENABLED=1 $(GO) test -race ./...

check: build ## Formatting, vet, staticcheck, the floors, the size, and builds for every platform
	@test -z "$$(gofmt -l . | tee /dev/stderr)"
	$(GO) vet ./... && $(GO) vet -tags integration ./integration/... && $(GO) vet -C integration/packages .
	$(TOOL) staticcheck -checks all,-ST1003 ./...
	$(GO) test -count=1 -run TestFloors ./integration
	$(GO) run ./integration/bench -size bin/provisioner
	GOOS=linux GOARCH=arm64 $(BUILD) -o /dev/null ./provisioner
	GOOS=darwin GOARCH=arm64 $(BUILD) -o /dev/null ./provisioner
	GOOS=windows GOARCH=amd64 $(BUILD) -o /dev/null ./provisioner

golden: ## Rewrite the goldens and show what changed
	CGO_ENABLED=0 $(GO) test ./schema/image -update
	CGO_ENABLED=0 $(GO) test ./schema ./schema/diag ./provisioner/cli -update
	git diff --stat

fuzz: ## Fuzz every decoder for FUZZTIME each, or those that FUZZ matches
	@$(GO) list ./... | while read -r pkg; do \
	  for f in $$($(GO) test -list '^Fuzz' $$pkg | grep -E '$(FUZZ)' | grep '^Fuzz'); do \
	    $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$pkg || exit 1; done; done

bench: build ## Print CPU, memory and size, next to their budgets
	$(GO) run ./integration/bench bin/provisioner

demo: build ## Plan and apply the examples into scratch roots and show the result
	@$(GO) run ./integration/demo bin/provisioner examples

integration: build ## Real systemd, real metadata, kills; needs root, installs what it lacks
	PROVISIONER=$(CURDIR)/bin/provisioner CGO_ENABLED=0 $(GO) test -tags integration -count=1 -timeout 25m ./integration/...

integration-long: build ## The same, with every repetition
	PROVISIONER=$(CURDIR)/bin/provisioner LONG=1 CGO_ENABLED=0 $(GO) test -tags integration -count=1 -timeout 3h ./integration/...

integration-vm: build ## Whole virtual machines from power-on to a login, in half an hour; LONG=1 for 50 power cuts
	PROVISIONER=$(CURDIR)/bin/provisioner VM=1 CGO_ENABLED=0 $(GO) test -tags integration -count=1 -v -timeout 6h ./integration/machines

bench-boot: build ## Boot with no provisioner, cloud-init and this one, and write docs/benchmarks.md, in an hour
	PROVISIONER=$(CURDIR)/bin/provisioner VM=1 BENCH=1 CGO_ENABLED=0 $(GO) test -tags integration -count=1 -v -timeout 6h -run TestBenchBoot ./integration/machines -update

clean: ## Remove what was built
	rm -rf bin demo
