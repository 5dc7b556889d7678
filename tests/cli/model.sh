#!/bin/bash
# pro-model: init, info, tokenizer, tokenize and import from end to end.
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh

text() { # some text with repetition
	cat README.md ARCHITECTURE.md CONTRIBUTING.md man/*
}

# ---- tokenizer, init, info

text >"$T/text"
pro-model tokenizer --vocab 400 --out "$T/tok" <"$T/text" 2>"$T/err"
holds "tokenizer: trains" -s "$T/tok/tokenizer.json"
check_err "tokenizer: says how many" 'tok: 400 tokens'
pro-model tokenizer --vocab=400 -o "$T/tok2" --quiet <"$T/text" 2>"$T/err"
same "tokenizer: same text, same bytes" "$T/tok/tokenizer.json" "$T/tok2/tokenizer.json"
holds "tokenizer: quiet" ! -s "$T/err"
pro-model tokenizer --vocab 1000 --out "$T/few" <<<'aaa bbb' 2>"$T/err"
check_err "tokenizer: too little text is said" 'not 1000: the text has no more pairs'
pro-model tokenizer --vocab 300 --out "$T/sp" --special '<a>' --special '<b>' <"$T/text" 2>"$T/err"
[ "$(printf '<a><b>' | pro-model tokenize --special "$T/sp")" = "0 1" ]
holds "tokenizer: special tokens have the first ids" $? -eq 0
printf 'a\nab\n\n' | pro-model tokenize "$T/sp" 2>"$T/err" >"$T/out"
check_err "tokenize: says how much" "^pro-model: 3 strings, $(wc -w <"$T/out") tokens$"
printf 'a\n' | pro-model tokenize -q "$T/sp" 2>"$T/err" >"$T/out"
holds "tokenize: quiet" ! -s "$T/err"
check_exit 64 "tokenizer: no room for the bytes" pro-model tokenizer --vocab 100 --out "$T/x"
check_exit 64 "tokenizer: --vocab is needed" pro-model tokenizer --out "$T/x"
check_exit 65 "tokenizer: nothing to learn from" pro-model tokenizer --vocab 300 --out "$T/x"
check_err "tokenizer: nothing is told from little" 'standard input is empty: there is nothing to learn tokens from'
pro-model tokenizer --vocab 300 --out "$T/x" <<<'ab' 2>"$T/err"
holds "tokenizer: no pair to merge is the same" $? -eq 65
check_err "tokenizer: and said" 'no pair of tokens comes --min-count times'
check "tokenizer: the bytes alone, if that is what is wanted" pro-model tokenizer --vocab 257 --out "$T/bytes"
check_exit 73 "tokenizer: never overwrites" pro-model tokenizer --vocab 400 --out "$T/tok"
holds "tokenizer: a failure leaves nothing" ! -e "$T/x"

cat >"$T/config.json" <<-'END'
	{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 32, "intermediate_size": 48,
	 "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu",
	 "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true}
END
check "init" pro-model init "$T/config.json" --tokenizer "$T/tok" --seed 3 --out "$T/m"
check "init: again" pro-model init "$T/config.json" --tokenizer "$T/tok" --seed 3 --out "$T/m2"
same "init: same seed, same bytes" "$T/m/model.safetensors" "$T/m2/model.safetensors"
check "init: another seed" pro-model init "$T/config.json" --tokenizer "$T/tok" --seed 4 --out "$T/m3"
differ "init: another seed, other weights" "$T/m/model.safetensors" "$T/m3/model.safetensors"
same "init: the tokenizer is copied" "$T/tok/tokenizer.json" "$T/m/tokenizer.json"
check_exit 73 "init: never overwrites" pro-model init "$T/config.json" --tokenizer "$T/tok" --out "$T/m"
check_err "init: names what is there" "m: exists already"
check_exit 78 "init: no vocab_size" pro-model init "$T/config.json" --out "$T/none"
sed 's/{/{"vocab_size": 399, /' "$T/config.json" >"$T/small.json"
check_exit 78 "init: vocab_size below the tokenizer's" pro-model init "$T/small.json" --tokenizer "$T/tok" --out "$T/none"
sed 's/{/{"vocab_size": 512, /' "$T/config.json" >"$T/padded.json"
check "init: bf16, a padded vocabulary" pro-model init "$T/padded.json" -t "$T/tok" -o "$T/bf16" --dtype bf16
check_exit 65 "init: a configuration that is not JSON" pro-model init "$T/text" --out "$T/none"
check_exit 66 "init: no configuration" pro-model init "$T/nothing" --out "$T/none"
check_exit 64 "init: --out is needed" pro-model init "$T/config.json"
holds "init: failures leave nothing" -z "$(find "$T" -name 'none*')"

check "info" pro-model info "$T/m"
check_out "info: architecture" '^architecture +LlamaForCausalLM$'
# 400*32 + 2*(2*32 + 2*32*32 + 2*16*32 + 3*48*32) + 32
check_out "info: parameters" '^parameters +28320$'
check_out "info: bytes" '^bytes +113280$'
check_out "info: vocabulary" '^vocab +400$'
check_out "info: tokenizer" '^tokenizer +byte-level bpe$'
check_out "info: no bos" '^bos +none$'
check_out "info: eos" '^eos +0$'
check_out "info: template" '^template +hh$'
check_out "info: hash" '^hash +[0-9a-f]{64}$'
cp "$T/out" "$T/info"
run pro-model info "$T/m2"
same "info: the same model has the same hash" "$T/info" "$T/out"
check "info: --json" pro-model info --json "$T/bf16"
check_out "info: one object" '^\{"architecture":"LlamaForCausalLM",.*"dtype":"bfloat16",.*"vocab":512,.*"bos":-1,.*\}$'
holds "info: one line" "$(wc -l <"$T/out")" -eq 1
check_exit 66 "info: no folder" pro-model info "$T/none"
mkdir "$T/adapter"
echo '{"base_model_name_or_path": "org/base"}' >"$T/adapter/adapter_config.json"
check_exit 66 "info: an adapter" pro-model info "$T/adapter"
check_err "info: an adapter is named with its base" 'PEFT adapter of org/base: merge'
check_exit 66 "info: a name on the hub" pro-model info org/name
check_err "info: a name on the hub is told how to come here" 'hf download org/name'
check_exit 66 "tokenize: a name on the hub" pro-model tokenize org/name
check_err "tokenize: a name on the hub is told how to come here" 'hf download org/name'
cp -r "$T/m" "$T/lfs"
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n' >"$T/lfs/model.safetensors"
check_exit 65 "info: a Git LFS pointer" pro-model info "$T/lfs"
check_err "info: a Git LFS pointer is named" 'git lfs pull'
rm "$T/lfs/model.safetensors"
echo x >"$T/lfs/pytorch_model.bin"
check_exit 66 "info: pickled weights" pro-model info "$T/lfs"
check_err "info: pickled weights are named" 'pytorch_model.bin shows pickled weights'
cp -r "$T/m" "$T/cut"
truncate -s -5 "$T/cut/model.safetensors"
check_exit 65 "info: a truncated model" pro-model info "$T/cut"

# ---- tokenize

printf 'one line\n\nand  another\nlast' | pro-model tokenize "$T/m" >"$T/out"
holds "tokenize: a line a line, the last without newline" "$(wc -l <"$T/out")" -eq 4
holds "tokenize: an empty line has no ids" -z "$(sed -n 2p "$T/out")"
printf 'two\nlines\0second\0' | pro-model tokenize -0 "$T/tok" >"$T/nul"
holds "tokenize: NUL ends a string" "$(wc -l <"$T/nul")" -eq 2
printf 'x<|endoftext|>' >"$T/special"
[ "$(pro-model tokenize "$T/m" <"$T/special" | wc -w)" -gt 2 ]
holds "tokenize: special tokens are text" $? -eq 0
[ "$(pro-model tokenize --special "$T/m" <"$T/special" | cut -d ' ' -f 2)" = 0 ]
holds "tokenize: --special recognises them" $? -eq 0
pro-model tokenize --expect 3 "$T/m" <<<one >/dev/null 2>"$T/err"
holds "tokenize: --expect" $? -eq 65
check_exit 66 "tokenize: no tokenizer" pro-model tokenize "$T/none"
pro-model tokenize "$T/m" <"$T/text" >/dev/full 2>"$T/err"
holds "tokenize: full disk" $? -eq 74

golden() { # NAME EXPECTED [FILE AS]...: the 47 strings
	local name=$1 want=$2
	shift 2
	mkdir "$T/$name"
	while [ $# -gt 0 ]; do
		ln -s "$(realpath "$shared/tokenizers/$1")" "$T/$name/$2"
		shift 2
	done
	{ perl -0777 -pe 's/\n__ggml_vocab_test__\n/\0/g' "$shared/tokenizers/golden-strings.inp" && printf '\0'; } |
		pro-model tokenize -0 --expect 47 "$T/$name" >"$T/ids"
	{ cat "$shared/tokenizers/$want" && echo; } | sed 's/^ //' >"$T/want"
	same "tokenize: 47 strings, $name" "$T/ids" "$T/want"
}

if [ -d "$shared/tokenizers" ]; then
	golden llama golden-llama-spm.out llama2-tokenizer.model tokenizer.model
	golden gpt2 golden-gpt2.out gpt2-vocab.json vocab.json gpt2-merges.txt merges.txt
	golden gptneox golden-gptneox.out gptneox-20B_tokenizer.json tokenizer.json
	golden pythia golden-gptneox.out pythia-tokenizer-newformat.json tokenizer.json
else
	skip "tokenize: 47 strings" "no shared material"
fi

# ---- import

for name in llama-gqa llama3-rope mistral qwen2 neox llama-gqa-q8 spm; do
	check "import: $name" pro-model import "tests/golden/gguf/$name.gguf" "$T/$name"
	check_err "import: $name is described" "$name: (llama|qwen2|gptneox), [0-9]+ parameters in [0-9]+ tensors, tokenizer "
	check "import: $name can be used" pro-model info "$T/$name"
done
check_exit 73 "import: never overwrites" pro-model import tests/golden/gguf/spm.gguf "$T/spm"
check "import: --dtype" pro-model import --dtype bf16 -q tests/golden/gguf/neox.gguf "$T/neox16"
holds "import: quiet" ! -s "$T/err"
run pro-model info "$T/neox16"
check_out "import: --dtype is stored" '^dtype +bfloat16$'
head -c 30000 tests/golden/gguf/neox.gguf >"$T/cut.gguf"
check_exit 65 "import: a truncated file" pro-model import "$T/cut.gguf" "$T/none"
check_err "import: the tensor is named" '^pro-model: .*cut.gguf: tensor .* run over the end of the file$'
head -c 100 tests/golden/gguf/neox.gguf >"$T/cut.gguf"
check_exit 65 "import: truncated in the metadata" pro-model import "$T/cut.gguf" "$T/none"
sed 's/smollm/sm\x01llm/' tests/golden/gguf/llama-gqa.gguf >"$T/pre.gguf"
check_exit 78 "import: an unknown pre-tokeniser" pro-model import "$T/pre.gguf" "$T/none"
check_err "import: the pre-tokeniser is named, escaped" "tokenizer.ggml.pre: 'sm.x01llm' is not supported"
sed 's/tokenizer.ggml.pre/tokenizer.ggml.pro/' tests/golden/gguf/llama-gqa.gguf >"$T/pre.gguf"
check "import: no pre-tokeniser" pro-model import "$T/pre.gguf" "$T/nopre"
check_err "import: no pre-tokeniser is said" 'no tokenizer.ggml.pre: text is split as llama.cpp does'
check_exit 65 "import: not a GGUF file" pro-model import README.md "$T/none"
check_exit 66 "import: no file" pro-model import "$T/nothing.gguf" "$T/none"
check_exit 64 "import: no folder given" pro-model import tests/golden/gguf/spm.gguf
holds "import: failures leave nothing" -z "$(find "$T" -name 'none*')"

# ---- the command itself

check "--help" pro-model --help
check_out "--help: lists the commands" 'init CONFIG'
check "--version" pro-model --version
for command in init info tokenizer tokenize import; do
	check "$command --help" pro-model $command --help
	check_out "$command --help: usage" "^usage: pro-model $command \[OPTION...\]"
	check_exit 64 "$command: unknown option" pro-model $command --no-such-option
	check_err "$command: says where help is" "try 'pro-model $command --help'"
done
check_exit 64 "no command" pro-model
check_exit 64 "unknown command" pro-model frobnicate
check_err "unknown command is named" "'frobnicate'"

finish
