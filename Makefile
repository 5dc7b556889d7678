# pro: preference alignment of language models as Unix pipes.
#
#   make             the programs, in build/bin (V=1 shows the commands)
#   make quickstart  installs what is missing, builds, runs the whole pipeline on a small world
#   make check       installs what is missing, builds, runs all tests
#   make check-oom   every program, every allocation failing in turn (an hour)
#   make lint | bench | install [PREFIX= DESTDIR=] | fuzz T=json SECS=60 | clean
#   make SAN=address,undefined check-unit   the same under sanitizers, in build-SAN

.DEFAULT_GOAL := all
VERSION := 0.1.0
PREFIX ?= /usr/local
SHELL := /bin/bash
Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)'  $@)

SAN ?=
BUILD := build$(if $(SAN),-san)
CC := gcc
CXX := g++
PACKAGES := jansson sentencepiece libpcre2-8 oniguruma libutf8proc zlib libzstd libcrypto
WARN := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wvla -Wno-format-truncation
OPT ?= -O2 -g
CPPFLAGS += -I. -D_GNU_SOURCE $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
CFLAGS = -std=c17 $(OPT) $(WARN) -Wstrict-prototypes -Wmissing-prototypes -pthread
CXXFLAGS = -std=c++17 $(OPT) -Wall -Wextra -Werror
LDFLAGS += -pthread -Wl,--as-needed
LDLIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm
ifneq ($(SAN),)
CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -DPRO_NO_CLONES
CXXFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all
LDFLAGS += -fsanitize=$(SAN)
endif

COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
$(BUILD)/lib/base/cli.o: CPPFLAGS += -DPRO_VERSION='"$(VERSION)"' \
	-DPRO_BUILD='"commit $(or $(COMMIT),unknown), $(CC) $(shell $(CC) -dumpfullversion 2>/dev/null), \
$(foreach p,jansson sentencepiece,$(p) $(shell pkg-config --modversion $(p) 2>/dev/null),) cpu backend"'

$(BUILD)/lib/eval/bleu.o: CPPFLAGS += -DPRO_VERSION='"$(VERSION)"'
# Touched when the commit is another one, so that --version does not lie.
$(BUILD)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(COMMIT)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT)' >$@
$(BUILD)/lib/base/cli.o $(BUILD)/lib/eval/bleu.o: $(BUILD)/version
FORCE:
LIB_SRC := $(wildcard lib/*/*.c) $(wildcard kernels/cpu/*.c)
LIB_CXX := $(wildcard lib/*/*.cc)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(LIB_CXX:%.cc=$(BUILD)/%.o)
LIB := $(BUILD)/libpro.a
CMDS := $(patsubst cmd/%.c,$(BUILD)/bin/%,$(wildcard cmd/pro-*.c))
UNIT := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c tests/kernels/*.c tests/golden/*.c))

all: $(CMDS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(call say,C++)
	$(Q)$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/kernels/cpu/%.o: OPT := -O3 -g -fno-math-errno -fno-trapping-math -ffp-contract=fast

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(call say,AR)
	$(Q)ar rcs $@ $^
$(BUILD)/bin/%: $(BUILD)/cmd/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/examples/pro-world: $(BUILD)/examples/world/world.o $(LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)
WORLD := $(BUILD)/examples/pro-world
MEASURE := $(BUILD)/tests/bench/measure

help:
	@sed -n 's/^#   make/make/p' Makefile
unit: $(UNIT)
world: $(WORLD)

# What make needs of Debian 12; installed when missing.
DEPS_BUILD := gcc g++ pkg-config libjansson-dev libsentencepiece-dev libpcre2-dev \
	libonig-dev libutf8proc-dev zlib1g-dev libzstd-dev libssl-dev
DEPS_RUN := jq
DEPS_CHECK := clang clang-format clang-tidy libclang-rt-dev shellcheck mandoc groff-base jq zstd
APT = command -v apt-get >/dev/null || { echo "no apt-get here; needed are, by Debian's names: $(1)"; exit 0; }; \
	missing=; for p in $(1); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then echo "installing:$$missing"; \
	SUDO=; [ "$$(id -u)" = 0 ] || SUDO=sudo; \
	$$SUDO apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$SUDO apt-get install -y -qq \
	--no-install-recommends $$missing >/dev/null; fi
deps:
	@$(call APT,$(DEPS_BUILD) $(DEPS_RUN))
deps-check:
	@$(call APT,$(DEPS_BUILD) $(DEPS_RUN) $(DEPS_CHECK))

# A second make: pkg-config had nothing to say before the packages were there.
quickstart: deps
	@$(MAKE) --no-print-directory -j$$(nproc) all world
	@PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" examples/01-small-world.sh

LINT := $(wildcard tests/lint/*.sh)
CLI := $(filter-out tests/cli/lib.sh tests/cli/toy.sh,$(wildcard tests/cli/[a-z]*.sh))
TESTS := $(LINT) $(UNIT) $(CLI) tests/fuzz/replay.sh
check: deps-check
	@$(MAKE) --no-print-directory -j$$(nproc) all world unit
	@$(MAKE) --no-print-directory -j$$(nproc) SAN=address,undefined all unit
	@$(MAKE) --no-print-directory -j$$(nproc) fuzzers
	@$(MAKE) --no-print-directory run-tests
run-tests:
	@PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" tests/run $(TESTS) $(UNIT:$(BUILD)/%=build-san/%)
check-unit: $(UNIT) $(CMDS)
	@PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" tests/run $(UNIT)
check-cli: $(CMDS) $(WORLD)
	@PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" tests/run $(CLI)
check-oom: $(CMDS)
	@PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" OOM_ALL=1 tests/run tests/cli/oom.sh
lint: deps-check compile_commands.json
	@tests/run $(LINT)
check-gpu bench-gpu:
	@echo "$@: this version has no CUDA backend"; exit 1

# libFuzzer targets: clang's own objects of the library.
FUZZ_CC := clang -std=c17 -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all \
	-DPRO_NO_CLONES
FUZZ_OBJ := $(LIB_SRC:%.c=build-fuzz/%.o) $(LIB_CXX:%.cc=build-fuzz/%.o)
FUZZERS := $(patsubst tests/fuzz/%.c,build-fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
build-fuzz/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(FUZZ_CC) $(CPPFLAGS) -MMD -MP -c -o $@ $<
build-fuzz/%.o: %.cc
	@mkdir -p $(@D)
	$(Q)clang++ -std=c++17 -O1 -g -fsanitize=fuzzer-no-link,address $(CPPFLAGS) -MMD -MP -c -o $@ $<
build-fuzz/libpro.a: $(FUZZ_OBJ)
	@rm -f $@
	$(call say,AR)
	$(Q)ar rcs $@ $^
build-fuzz/fuzz_%: build-fuzz/tests/fuzz/fuzz_%.o build-fuzz/libpro.a
	$(Q)clang++ -fsanitize=fuzzer,address,undefined -o $@ $^ $(LDLIBS)
fuzzers: $(FUZZERS)
SECS ?= 60
fuzz-usage:
	@echo 'say which: make fuzz T=NAME SECS=60, NAME one of' \
	$(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c)); exit 64
fuzz: $(if $(T),build-fuzz/fuzz_$(T),fuzz-usage)
	@mkdir -p build-fuzz/corpus/$(T)
	build-fuzz/fuzz_$(T) -max_total_time=$(SECS) -timeout=10 -rss_limit_mb=4096 \
		build-fuzz/corpus/$(T) tests/fuzz/seeds/$(T)

bench: all world $(MEASURE)
	@PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" examples/bench.sh

compile_commands.json: Makefile
	@{ echo '['; sep=; for f in $(LIB_SRC) $(wildcard cmd/*.c tests/unit/*.c tests/kernels/*.c); do \
	printf '%s{"directory":"%s","file":"%s","command":"clang $(CPPFLAGS) -std=c17 -c %s"}' \
	"$$sep" "$(CURDIR)" "$$f" "$$f"; sep=$$',\n'; done; echo; echo ']'; } > $@

MAN1 := $(wildcard man/*.1)
MAN5 := $(wildcard man/*.5)
MAN7 := $(wildcard man/*.7)
install: all
	install -d "$(DESTDIR)$(PREFIX)/bin"
	install -m 755 $(CMDS) "$(DESTDIR)$(PREFIX)/bin"
	install -d "$(DESTDIR)$(PREFIX)/share/man/man1" "$(DESTDIR)$(PREFIX)/share/man/man5" \
		"$(DESTDIR)$(PREFIX)/share/man/man7"
	install -m 644 $(MAN1) "$(DESTDIR)$(PREFIX)/share/man/man1"
	install -m 644 $(MAN5) "$(DESTDIR)$(PREFIX)/share/man/man5"
	install -m 644 $(MAN7) "$(DESTDIR)$(PREFIX)/share/man/man7"

clean:
	rm -rf build build-san build-fuzz compile_commands.json

.PHONY: all help FORCE unit world deps deps-check quickstart check run-tests check-unit check-cli check-oom lint check-gpu bench-gpu fuzzers \
	fuzz fuzz-usage bench install clean
.SECONDARY:
-include $(LIB_OBJ:.o=.d) $(wildcard $(BUILD)/cmd/*.d $(BUILD)/tests/*/*.d $(BUILD)/examples/*/*.d) \
	$(FUZZ_OBJ:.o=.d)
