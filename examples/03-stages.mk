# The pipeline as files: one stage a rule, so that make runs again only what has changed, goes on where an
# interrupted run stopped, and several recipes share their stages.  The defaults train on what quickstart left behind:
#
#   make quickstart
#   make -f examples/03-stages.mk               expansion in ascending order, then PRO, then a table
#   make -f examples/03-stages.mk SOURCES="high mid low" OUT=build/descending    the same texts in the other order
#
# With your own models: HH=comparisons.jsonl TEST=test.jsonl MODEL=llama REWARD=rm REWARD_EVAL=rm-eval FOLDER=models
# SOURCES="curie alpaca chatgpt" (section 4.8.1 of the paper: each is a model folder FOLDER/NAME).
WORLD ?= build/quickstart
FOLDER ?= $(WORLD)
HH ?= $(WORLD)/hh.jsonl
TEST ?= $(WORLD)/test.jsonl
MODEL ?= $(WORLD)/base
REWARD ?= $(WORLD)/RM_train
REWARD_EVAL ?= $(WORLD)/RM_eval
SOURCES ?= low mid high
OUT ?= build/stages
TRAIN ?= --per-device-train-batch-size 32 --gradient-accumulation-steps 1 --learning-rate 5e-4
NEW ?= --max-tokens 64

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
export PATH := $(CURDIR)/build/bin:$(PATH)

$(OUT)/table.txt: $(OUT)/answers.jsonl
	pro-eval --hypothesis aligned --hypothesis hh:chosen --reference hh:chosen --reward $(REWARD_EVAL) --by subset $< >$@
	cat $@

# Records of any format that pro-import knows.
$(OUT)/expanded-0.jsonl: $(HH)
	mkdir -p $(@D)
	pro-import $< >$@
$(OUT)/test.jsonl: $(TEST)
	mkdir -p $(@D)
	pro-import $< >$@

# One response more from each source, one after the other; a stopped stage goes on record by record.
N := $(words $(SOURCES))
define expansion
$(OUT)/expanded-$(1).jsonl: $(OUT)/expanded-$(shell expr $(1) - 1).jsonl
	pro-augment --model $(FOLDER)/$(word $(1),$(SOURCES)) --source $(word $(1),$(SOURCES)) --sample-key source \
		$(NEW) --resume $$@.part $$<
	mv $$@.part $$@
endef
$(foreach i,$(shell seq $(N)),$(eval $(call expansion,$(i))))

$(OUT)/ranked.jsonl: $(OUT)/expanded-$(N).jsonl
	pro-rerank --reward $(REWARD) $< >$@

$(OUT)/aligned/pro.json: $(OUT)/ranked.jsonl
	pro-train --model $(MODEL) --method pro --out $(@D) --overwrite $(TRAIN) $< >$(OUT)/train.log

$(OUT)/answers.jsonl: $(OUT)/test.jsonl $(OUT)/aligned/pro.json
	pro-augment --model $(OUT)/aligned --source aligned --greedy $(NEW) $< >$@
