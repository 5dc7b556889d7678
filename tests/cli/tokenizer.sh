#!/bin/bash
# Tokenizer folders as people have them: what is read, what is refused, what training copies.
# shellcheck source=tests/cli/lib.sh
. tests/cli/lib.sh

for _ in 1 2 3 4 5 6 7 8 9; do echo 'rivers run to the sea and towns grow beside them 12 times'; done >"$T/text"
pro-model tokenizer -q --vocab 290 --out "$T/tok" --special '</s>' --special '<s>' <"$T/text"
cat >"$T/config.json" <<-'END'
	{"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":16,"intermediate_size":32,
	"num_hidden_layers":1,"num_attention_heads":2,"num_key_value_heads":1,"max_position_embeddings":64,
	"rms_norm_eps":1e-5,"rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":false}
END
pro-model init -q --out "$T/m" --tokenizer "$T/tok" "$T/config.json"
ids() { # FOLDER TEXT
	printf '%s\n' "$2" | pro-model tokenize "$1" 2>"$T/err"
}
want=$(ids "$T/m" 'to the sea')
holds "ids at all" -n "$want"

# ---- numbers as Python writes them

cat >"$T/m/tokenizer_config.json" <<-'END'
	{"tokenizer_class":"PreTrainedTokenizerFast","eos_token":"</s>","add_bos_token":false,
	"model_max_length":1000000000000000019884624838656}
END
holds "model_max_length 1e30 stops nothing" "$(ids "$T/m" 'to the sea')" = "$want"

# ---- tiktoken's file beside a tokenizer.json, and alone

printf 'AA== 0\nAQ== 1\n' >"$T/m/tokenizer.model"
holds "a tiktoken tokenizer.model beside tokenizer.json" "$(ids "$T/m" 'to the sea')" = "$want"
mkdir "$T/tik" && cp "$T/m/tokenizer.model" "$T/tik"
check_exit 78 "a tiktoken tokenizer.model alone" pro-model tokenize "$T/tik"
check_err "and it is said" 'a tiktoken vocabulary, not a SentencePiece model'
rm "$T/m/tokenizer.model"

# ---- a tokenizer.json of SentencePiece's kind; what is not supported is named

mkdir "$T/spm"
{
	printf '{"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"\xe2\x96\x81"},'
	printf '{"type":"Replace","pattern":{"String":" "},"content":"\xe2\x96\x81"}]},"model":{"type":"BPE","unk_token":"<unk>",'
	printf '"fuse_unk":true,"byte_fallback":true,"vocab":{"<unk>":0,"\xe2\x96\x81":1,"s":2,"e":3,"a":4,"se":5,"sea":6,'
	printf '"\xe2\x96\x81sea":7,"<0xC3>":8,"<0xA9>":9},"merges":["s e","se a","\xe2\x96\x81 sea"]}}'
} >"$T/spm/tokenizer.json"
holds "Prepend, Replace, byte fallback" "$(ids "$T/spm" 'sea  sea é?')" = '7 1 7 1 8 9 0'
sed 's/"normalizer":/"pre_tokenizer":{"type":"UnicodeScripts"},&/' "$T/spm/tokenizer.json" >"$T/tik/tokenizer.json"
check_exit 78 "what is not supported is 78" pro-model tokenize "$T/tik"
check_err "and is named" '"UnicodeScripts" is not supported'

# ---- companions of a model, and of one that was trained

echo '{"chat_template":"{{ messages }}"}' >"$T/m/chat_template.json"
echo '{}' >"$T/m/added_tokens.json"
sed 's/^{/{ "limit": [0, Infinity],/' "$T/m/config.json" >"$T/c" && mv "$T/c" "$T/m/config.json"
echo '{"id":"a","prompt":[{"role":"user","content":"to"}],"responses":[{"text":"the sea"}]}' >"$T/in.jsonl"
check "training" pro-train -q --method sft --template plain --max-steps 1 --model "$T/m" --out "$T/trained" "$T/in.jsonl"
for f in tokenizer.json tokenizer_config.json chat_template.json added_tokens.json; do
	same "training keeps $f" "$T/m/$f" "$T/trained/$f"
done
check "Infinity in config.json stays" grep -q '"limit": \[0,Infinity\]' "$T/trained/config.json"

finish
