#!/bin/bash
# The whole pipeline on a small world (examples/world/world.c): every model below, the tokenizer included, is
# trained here by pro's own programs, and the true reward of any answer is known by rule.
#
#   examples/01-small-world.sh [FOLDER]     default: build/quickstart
#
# Exits non-zero unless both reward models are right on more than 70 % of held-out comparisons, the policies'
# true rewards are ordered as they were built, with disjoint 95 % intervals, and PRO beats the model it started from.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
PATH=$here/build/bin:$here/build/examples:$PATH
dir=${1:-$here/build/quickstart}
rm -rf "$dir"
mkdir -p "$dir"
cd "$dir"
start=$SECONDS
step() { printf '\n[%3ds] %s\n' $((SECONDS - start)) "$*"; }

step "A world: dialogues, demonstrations of three qualities, two judges' comparisons"
world demos -n 6000 --quality .35 --seed 1 >demos-base.jsonl
world demos -n 1500 --quality .15 --seed 2 >demos-low.jsonl
world demos -n 1500 --quality .60 --seed 3 >demos-mid.jsonl
world demos -n 1500 --quality .95 --seed 4 >demos-high.jsonl
world pairs -n 4000 --quality .5 --sharpness 2.0 --seed 5 >pairs-rm-train.jsonl
world pairs -n 4000 --quality .5 --sharpness 1.5 --seed 6 >pairs-rm-eval.jsonl
world pairs -n 500 --quality .5 --sharpness 4 --seed 7 >pairs-heldout.jsonl
world pairs -n 1200 --quality .4 --sharpness 2.0 --seed 8 >hh.jsonl
world pairs -n 300 --quality .6 --sharpness 4 --seed 9 >test.jsonl
