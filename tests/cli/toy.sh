# shellcheck shell=bash
# Toy models for tests, made in the current folder by pro-model: a byte-level tokenizer of 257 tokens
# and random weights.  toy_model DIR lm|reward [SEED [LAYERS HIDDEN]]
toy_model() {
	local dir=$1 head=$2 seed=${3:-1} layers=${4:-2} hidden=${5:-32} arch=LlamaForCausalLM extra=
	[ "$head" = reward ] && arch=LlamaForSequenceClassification extra='"num_labels":1,'
	[ -d toy.tokenizer ] ||
		echo "the cat sat" | pro-model tokenizer --vocab 257 -q -o toy.tokenizer || return 1
	cat >toy.json <<-EOF
		{"architectures":["$arch"],"model_type":"llama",$extra"hidden_size":$hidden,
		"intermediate_size":$((hidden * 2)),"num_hidden_layers":$layers,"num_attention_heads":4,
		"num_key_value_heads":2,"vocab_size":257,"max_position_embeddings":256,"rms_norm_eps":1e-5,
		"rope_theta":10000.0,"hidden_act":"silu","tie_word_embeddings":false,
		"initializer_range":0.3,"bos_token_id":null,"eos_token_id":256}
	EOF
	pro-model init -q --seed "$seed" -o "$dir" -t toy.tokenizer toy.json
}

# N records of two responses each, some of them multi-byte; ids r1 ... rN
toy_records() {
	awk -v n="$1" 'BEGIN {
		split("was ist grün;what;why is the sky blue;猫は何ですか;;\\n\\nlines\\n;ok?", word, ";")
		for (i = 1; i <= n; i++) {
			printf "{\"id\":\"r%d\",\"prompt\":[{\"role\":\"user\",\"content\":\"Question %d: %s\"}],", i, i, word[i % 7 + 1]
			printf "\"responses\":[{\"text\":\"answer %d\",\"source\":\"a\"},", i
			printf "{\"text\":\"%s\",\"source\":\"b\",\"finish_reason\":\"length\"}],\"subset\":\"s%d\"}\n", word[(i + 3) % 7 + 1], i % 2
		}
	}'
}
