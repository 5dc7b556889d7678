# pro: preference alignment of language models as Unix pipes.
#
#   make             the programs, in build/bin
#   make quickstart  installs what is missing, builds, runs the whole pipeline on a small world
#   make check       installs what is missing, builds, runs all tests
#   make lint bench fuzz install clean
#   make SAN=address,undefined check-unit   the same under sanitizers, in build-SAN

VERSION := 0.1.0
PREFIX ?= /usr/local
SHELL := /bin/bash

SAN ?=
BUILD := build$(if $(SAN),-san)
CC := gcc
CXX := g++
PACKAGES := jansson sentencepiece libpcre2-8 libutf8proc zlib libcrypto openblas
WARN := -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wvla -Wno-format-truncation
OPT ?= -O2 -g
CPPFLAGS += -I. -D_GNU_SOURCE $(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
CFLAGS = -std=c17 $(OPT) $(WARN) -Wstrict-prototypes -Wmissing-prototypes -fopenmp
CXXFLAGS = -std=c++17 $(OPT) -Wall -Wextra -Werror
LDFLAGS += -fopenmp
LDLIBS = $(shell pkg-config --libs $(PACKAGES) 2>/dev/null) -lm
ifneq ($(SAN),)
CFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer -DPRO_NO_CLONES
CXXFLAGS += -fsanitize=$(SAN) -fno-sanitize-recover=all
LDFLAGS += -fsanitize=$(SAN)
endif

LIB_SRC := $(wildcard lib/*/*.c) $(wildcard kernels/cpu/*.c)
LIB_CXX := $(wildcard lib/*/*.cc)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(LIB_CXX:%.cc=$(BUILD)/%.o)
LIB := $(BUILD)/libpro.a
CMDS := $(patsubst cmd/%.c,$(BUILD)/bin/%,$(wildcard cmd/pro-*.c))
UNIT := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/*.c tests/kernels/*.c tests/golden/*.c))

all: $(CMDS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(CXX) $(CPPFLAGS) $(CXXFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/kernels/cpu/%.o: OPT := -O3 -g -fno-math-errno -fno-trapping-math -ffp-contract=fast

$(LIB): $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^
$(BUILD)/bin/%: $(BUILD)/cmd/%.o $(LIB)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/%: $(BUILD)/tests/%.o $(LIB)
	@mkdir -p $(@D)
	$(CXX) $(LDFLAGS) -o $@ $^ $(LDLIBS)

unit: $(UNIT)
check-unit: $(UNIT) $(CMDS)
	@PATH="$(CURDIR)/$(BUILD)/bin:$$PATH" tests/run $(UNIT)

clean:
	rm -rf build build-san compile_commands.json

.PHONY: all unit check-unit clean
.SECONDARY:
-include $(LIB_OBJ:.o=.d) $(wildcard $(BUILD)/cmd/*.d $(BUILD)/tests/*/*.d)
