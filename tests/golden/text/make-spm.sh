#!/bin/sh
# Makes bpe.model, unigram.model and their .ids beside this script with the tools of Debian's package
# sentencepiece (0.1.97).  Settings as LLaMA's: no normalisation, bytes for what has no piece.
set -e
cd "$(dirname "$0")"
for type in bpe unigram; do
	spm_train --input=../../../LICENSE --model_prefix=$type --model_type=$type --vocab_size=420 \
		--byte_fallback=true --normalization_rule_name=identity --character_coverage=1 \
		--remove_extra_whitespaces=false --split_digits=true --allow_whitespace_only_pieces=true \
		--user_defined_symbols='<tool>' --num_threads=1 2>/dev/null
	rm $type.vocab
	spm_encode --model=$type.model --output_format=id <spm.txt >$type.ids
done
