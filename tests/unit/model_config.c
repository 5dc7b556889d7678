#include "lib/model/config.h"

#include "lib/stream/json.h"
#include "tests/unit/model_util.h"

#define LLAMA                                                                    \
	"\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":172," \
	"\"num_hidden_layers\":5,\"num_attention_heads\":8,\"vocab_size\":512"
#define SIZES                                                                   \
	"\"hidden_size\":64,\"intermediate_size\":172,\"num_hidden_layers\":5," \
	"\"num_attention_heads\":8,\"num_key_value_heads\":4,\"vocab_size\":512"

#define REWARD LLAMA ",\"architectures\":[\"LlamaForSequenceClassification\"],\"num_labels\":1"

static struct model_config
parse(const char *text)
{
	struct model_config c;
	struct err e = {0};
	must(config_parse(&c, text, strlen(text), "c", &e), &e);
	return c;
}

static void
defaults_and_llama(void)
{
	struct model_config c = parse("{" LLAMA ",\"num_key_value_heads\":4,\"eos_token_id\":2}");
	CHECK(c.family == FAMILY_LLAMA && c.head == HEAD_LM && c.norm == K_RMSNORM && c.gated);
	CHECK(c.n_layers == 5 && c.hidden == 64 && c.n_heads == 8 && c.n_kv_heads == 4);
	CHECK(c.head_dim == 8 && c.rotary_dim == 8 && c.ffn == 172 && c.vocab == 512);
	CHECK(!c.qkv_bias && !c.o_bias && !c.mlp_bias && !c.tied_head && !c.fused_qkv);
	CHECK(c.act == K_SILU && c.rope_theta == 10000 && !c.rope_llama3 && c.norm_eps == 1e-6f);
	CHECK(c.bos == -1 && c.eos == 2 && c.pad == -1 && c.eos_list.n == 1);
	CHECK(c.dtype == K_F32 && c.sliding_window == 0);
	config_free(&c);
	c = parse("{" LLAMA "}");
	CHECK(c.n_kv_heads == 8 && c.eos == -1 && c.eos_list.n == 0);
	config_free(&c);
}

static void
neox(void)
{
	struct model_config c = parse("{\"model_type\":\"gpt_neox\"," SIZES
				      ",\"use_parallel_residual\":true,\"rotary_pct\":0.5,"
				      "\"rotary_emb_base\":1234,\"torch_dtype\":\"float16\"}");
	CHECK(c.norm == K_LAYERNORM && !c.gated && c.parallel_residual && c.fused_qkv);
	CHECK(c.qkv_bias && c.o_bias && c.mlp_bias && c.act == K_GELU && c.n_kv_heads == 8);
	CHECK(c.rotary_dim == 4 && c.rope_theta == 1234 && c.norm_eps == 1e-5f);
	CHECK(c.dtype == K_F16);
	/* transformers 5 */
	c = parse("{\"model_type\":\"gpt_neox\"," SIZES ",\"rope_parameters\":{\"rope_type\":"
		  "\"default\",\"rope_theta\":99.5,\"partial_rotary_factor\":0.25},"
		  "\"dtype\":\"bfloat16\"}");
	CHECK(c.rotary_dim == 2 && c.rope_theta == 99.5 && c.dtype == K_BF16);
	c = parse("{\"model_type\":\"gpt_neox_reward_model\",\"architectures\":["
		  "\"GPTNeoXRewardModel\"],\"pooling\":\"last\"," SIZES "}");
	CHECK(c.head == HEAD_REWARD && c.oasst_head);
}

/* What leaves a score as it is passes. */
static void
scores_as_they_are(void)
{
	static const char *const t[] = {
		"{" REWARD ",\"normalize_reward\":false,\"mean\":0.5,\"std\":2.0}",
		"{" REWARD ",\"normalize_reward\":true,\"mean\":0,\"std\":1.0}",
		"{" REWARD ",\"normalize_reward\":null,\"mean\":null,\"do_normalize\":false}",
		"{" LLAMA ",\"architectures\":[\"LlamaModel\"],\"mean\":3}",
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct model_config c = parse(t[i]);
		CHECK(c.head == (i < 3 ? HEAD_REWARD : HEAD_LM));
		config_free(&c);
	}
}

/* The same model in the spellings of transformers 4 and 5. */
static void
both_spellings(void)
{
	struct err e = {0};
	struct model_config a, b;
	must(config_load(&a, "tests/golden/llama3-rope", &e), &e);
	struct buf v5 = read_back("tests/golden/llama3-rope", "config.v5.json");
	must(config_parse(&b, v5.data, v5.len, "v5", &e), &e);
	CHECK(a.rope_llama3 && b.rope_llama3 && a.rope_theta == 150 && b.rope_theta == 150);
	CHECK(a.rope_factor == 8 && b.rope_factor == 8 && b.rope_original_positions == 32);
	CHECK(a.rope_low_freq_factor == b.rope_low_freq_factor);
	CHECK(a.rope_high_freq_factor == b.rope_high_freq_factor);
	CHECK(a.dtype == K_BF16 && b.dtype == K_BF16 && a.tied_head && b.tied_head);
	config_free(&a);
	config_free(&b);
	buf_free(&v5);
}

static void
heads(void)
{
	static const struct {
		const char *text;
		enum model_head head;
		int code; /* 0: accepted */
	} t[] = {
		{"\"architectures\":[\"LlamaForSequenceClassification\"],\"num_labels\":1",
			HEAD_REWARD, 0},
		{"\"architectures\":[\"LlamaForSequenceClassification\"],"
		 "\"id2label\":{\"0\":\"LABEL_0\"}",
			HEAD_REWARD, 0},
		{"\"architectures\":[\"LlamaForSequenceClassification\"]", 0, ERR_CONFIG},
		{"\"architectures\":[\"LlamaForSequenceClassification\"],\"num_labels\":3", 0,
			ERR_CONFIG},
		{"\"architectures\":[\"LlamaForTokenClassification\"]", 0, ERR_CONFIG},
		{"\"architectures\":[\"LlamaModel\"]", HEAD_LM, 0},
		{"\"architectures\":[\"GPTNeoXRewardModel\"]", 0, ERR_CONFIG},
		{"\"architectures\":[7]", 0, ERR_DATA},
		{"\"architectures\":null", HEAD_LM, 0},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct model_config c;
		struct err e = {0};
		struct buf text = BUF_INIT;
		buf_printf(&text, "{" LLAMA ",%s}", t[i].text);
		int rc = config_parse(&c, text.data, text.len, "c", &e);
		if ((rc < 0 ? e.code : 0) != t[i].code)
			printf("# %s: %d %s\n", t[i].text, e.code, e.msg);
		CHECK((rc < 0 ? e.code : 0) == t[i].code);
		CHECK(rc < 0 || c.head == t[i].head);
		if (rc == 0)
			config_free(&c);
		buf_free(&text);
	}
}

/* Every refusal names its key and has the right code. */
static void
refusals(void)
{
	static const struct {
		const char *text, *word;
		int code;
	} t[] = {
		{"", "", ERR_DATA},
		{"{", "", ERR_DATA},
		{"[]", "object", ERR_DATA},
		{"7", "object", ERR_DATA},
		{"{}", "model_type", ERR_CONFIG},
		{"{\"model_type\":\"gpt2\"}", "gpt2", ERR_CONFIG},
		{"{\"model_type\":\"gpt2\"}", "known are llama, mistral, qwen2, gpt_neox",
			ERR_CONFIG},
		{"{\"model_type\":7}", "model_type", ERR_DATA},
		{"{\"model_type\":\"llama\"}", "num_hidden_layers", ERR_CONFIG},
		{"{" LLAMA ",\"vocab_size\":3}", "vocab_size", ERR_DATA}, /* twice */
		{"{" LLAMA ",\"hidden_act\":\"mish\"}", "hidden_act", ERR_CONFIG},
		{"{" LLAMA ",\"hidden_act\":3}", "hidden_act", ERR_DATA},
		{"{" LLAMA ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}", "linear",
			ERR_CONFIG},
		{"{" LLAMA ",\"rope_parameters\":{\"rope_type\":\"yarn\"}}", "yarn", ERR_CONFIG},
		{"{" LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\"}}", "factor", ERR_CONFIG},
		{"{" LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,"
		 "\"low_freq_factor\":4,\"high_freq_factor\":4,"
		 "\"original_max_position_embeddings\":32}}",
			"low_freq_factor", ERR_CONFIG},
		{"{" LLAMA ",\"rope_scaling\":[]}", "rope_scaling", ERR_DATA},
		{"{" LLAMA ",\"rope_theta\":0}", "rope_theta", ERR_DATA},
		{"{" LLAMA ",\"rope_theta\":-1}", "rope_theta", ERR_DATA},
		{"{" LLAMA ",\"partial_rotary_factor\":0.5}", "partial_rotary", ERR_CONFIG},
		{"{" LLAMA ",\"quantization_config\":{\"bits\":4}}", "quantization", ERR_CONFIG},
		{"{" LLAMA ",\"residual_multiplier\":0.5}", "residual_mult", ERR_CONFIG},
		{"{" LLAMA ",\"final_logit_softcapping\":30.0}", "softcap", ERR_CONFIG},
		{"{" LLAMA ",\"is_causal\":false}", "is_causal", ERR_CONFIG},
		{"{" LLAMA ",\"num_key_value_heads\":3}", "num_key_value_heads", ERR_CONFIG},
		{"{" LLAMA ",\"num_key_value_heads\":0}", "num_key_value_heads", ERR_DATA},
		{"{" LLAMA ",\"head_dim\":7}", "rotary", ERR_CONFIG},
		{"{" LLAMA ",\"head_dim\":99999999}", "head_dim", ERR_DATA},
		{"{" LLAMA ",\"rms_norm_eps\":0}", "rms_norm_eps", ERR_DATA},
		{"{" LLAMA ",\"rms_norm_eps\":1e-85}", "rms_norm_eps", ERR_DATA},
		{"{" LLAMA ",\"rms_norm_eps\":\"1e-5\"}", "rms_norm_eps", ERR_DATA},
		{"{" LLAMA ",\"tie_word_embeddings\":1}", "tie_word", ERR_DATA},
		{"{" LLAMA ",\"eos_token_id\":\"</s>\"}", "eos_token_id", ERR_DATA},
		{"{" LLAMA ",\"eos_token_id\":[2,\"x\"]}", "eos_token_id", ERR_DATA},
		{"{" LLAMA ",\"eos_token_id\":99999999999}", "eos_token_id", ERR_DATA},
		{"{" LLAMA ",\"max_position_embeddings\":1e3}", "max_position", ERR_DATA},
		{"{" LLAMA ",\"layer_types\":[\"linear_attention\"]}", "layer_types", ERR_CONFIG},
		{"{\"model_type\":\"llama\",\"hidden_size\":-64,\"intermediate_size\":1,"
		 "\"num_hidden_layers\":5,\"num_attention_heads\":8,\"vocab_size\":512}",
			"hidden_size", ERR_DATA},
		{"{\"model_type\":\"llama\",\"hidden_size\":63,\"intermediate_size\":1,"
		 "\"num_hidden_layers\":5,\"num_attention_heads\":8,\"vocab_size\":512}",
			"hidden_size", ERR_CONFIG},
		{"{\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":1,"
		 "\"num_hidden_layers\":2000000000,\"num_attention_heads\":8,\"vocab_size\":512}",
			"num_hidden_layers", ERR_DATA},
		{"{\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":1,"
		 "\"num_hidden_layers\":99999999999999999999,\"num_attention_heads\":8,"
		 "\"vocab_size\":512}",
			"num_hidden_layers", ERR_DATA},
		{"{\"model_type\":\"llama\",\"hidden_size\":64,\"intermediate_size\":1,"
		 "\"num_hidden_layers\":1,\"num_attention_heads\":4096,\"head_dim\":4096,"
		 "\"vocab_size\":512}",
			"head_dim", ERR_CONFIG},
		{"{\"model_type\":\"gpt_neox\"," SIZES ",\"rotary_pct\":2}", "rotary_pct",
			ERR_DATA},
		{"{\"model_type\":\"gpt_neox_reward_model\",\"pooling\":\"mean\"," SIZES "}",
			"pooling", ERR_CONFIG},
		/* heads and scores that are not ours */
		{"{" LLAMA ",\"architectures\":[\"LlamaForRewardModel\"]}", "LlamaForRewardModel",
			ERR_CONFIG},
		{"{" LLAMA ",\"architectures\":[\"LlamaForScore\"]}", "LlamaForScore", ERR_CONFIG},
		{"{" LLAMA ",\"architectures\":[\"Qwen2VLModel\"]}", "Qwen2VLModel", ERR_CONFIG},
		{"{" REWARD ",\"normalize_reward\":true,\"mean\":0.5,\"std\":1.0}", "mean",
			ERR_CONFIG},
		{"{" REWARD ",\"normalize_reward\":true,\"std\":2}", "std", ERR_CONFIG},
		{"{" REWARD ",\"mean\":-3.5}", "mean", ERR_CONFIG},
		{"{" REWARD ",\"normalize_reward\":1}", "normalize_reward", ERR_DATA},
		{"{" REWARD ",\"do_normalize\":true}", "do_normalize", ERR_CONFIG},
		{"{" REWARD ",\"reward_scale\":0.1}", "reward_scale", ERR_CONFIG},
		{"{\"model_type\":\"mistral\",\"hidden_size\":64,\"intermediate_size\":1,"
		 "\"num_hidden_layers\":5,\"num_attention_heads\":8,\"vocab_size\":512}",
			"num_key_value_heads", ERR_CONFIG},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct model_config c;
		struct err e = {0};
		int rc = config_parse(&c, t[i].text, strlen(t[i].text), "where.json", &e);
		if (rc == 0 || e.code != t[i].code || !strstr(e.msg, t[i].word))
			printf("# %s: %d %s\n", t[i].text, e.code, e.msg);
		CHECK(rc < 0 && e.code == t[i].code && strstr(e.msg, t[i].word));
		CHECK(strncmp(e.msg, "where.json: ", 12) == 0);
		if (rc == 0)
			config_free(&c);
	}
}

/* Values that look alarming and change nothing. */
static void
harmless(void)
{
	struct model_config c =
		parse("{" LLAMA ",\"pretraining_tp\":4,\"rope_interleaved\":false,"
		      "\"quantization_config\":null,\"residual_multiplier\":1.0,"
		      "\"rope_scaling\":null,\"sliding_window\":7,\"pad_token_id\":-1,"
		      "\"attention_dropout\":0.1,\"transformers.js_config\":{\"a\":1},"
		      "\"layer_types\":[\"full_attention\"],\"hidden_act\":null}");
	CHECK(c.sliding_window == 0 && c.pad == -1 && c.act == K_SILU); /* LLaMA reads none */
	config_free(&c);
}

static void
sliding_windows(void)
{
	struct err e = {0};
	struct model_config c =
		parse("{\"model_type\":\"mistral\"," SIZES ",\"sliding_window\":100}");
	CHECK(c.sliding_window == 100);
	CHECK(config_check_length(&c, 100, &e) == 0);
	CHECK(config_check_length(&c, 101, &e) < 0 && e.code == ERR_CONFIG);
	CHECK(strstr(e.msg, "sliding_window") != NULL);
	c = parse("{\"model_type\":\"mistral\"," SIZES "}");
	CHECK(c.sliding_window == 4096); /* what transformers takes for absent */
	c = parse("{\"model_type\":\"mistral\"," SIZES ",\"sliding_window\":null}");
	CHECK(c.sliding_window == 0 && config_check_length(&c, 1 << 30, &e) == 0);
	c = parse("{\"model_type\":\"qwen2\"," SIZES
		  ",\"sliding_window\":4,\"use_sliding_window\":false}");
	CHECK(c.sliding_window == 0);
	c = parse("{\"model_type\":\"qwen2\"," SIZES
		  ",\"sliding_window\":4,\"use_sliding_window\":true,\"max_window_layers\":5}");
	CHECK(c.sliding_window == 0); /* no layer is above the limit */
	c = parse("{\"model_type\":\"qwen2\"," SIZES
		  ",\"sliding_window\":4,\"use_sliding_window\":true,\"max_window_layers\":2}");
	CHECK(c.sliding_window == 4);
}

/* All ids of both files, each once; the first of config.json is the one that ends a response. */
static void
eos_lists(void)
{
	char dir[64];
	struct err e = {0};
	struct model_config c;
	temp_dir(dir);
	write_text(dir, "config.json", "{" LLAMA ",\"eos_token_id\":[7,9],\"bos_token_id\":1}");
	write_text(dir, "generation_config.json", "{\"eos_token_id\":[9,11]}");
	must(config_load(&c, dir, &e), &e);
	CHECK(c.eos == 7 && c.bos == 1 && c.eos_list.n == 3);
	CHECK(c.eos_list.v[0] == 7 && c.eos_list.v[1] == 9 && c.eos_list.v[2] == 11);
	config_free(&c);
	write_text(dir, "generation_config.json", "{\"eos_token_id\":");
	CHECK(config_load(&c, dir, &e) < 0 && e.code == ERR_DATA);
	CHECK(strstr(e.msg, "generation_config.json") != NULL);
	dir_remove(dir, &e);
	CHECK(config_load(&c, dir, &e) < 0 && e.code == ERR_NOINPUT);
}

/* The three bands of Llama 3's scaling by their definition in wave lengths. */
static void
llama3_frequencies(void)
{
	struct model_config c =
		parse("{" LLAMA ",\"head_dim\":64,\"rope_theta\":500000,\"rope_scaling\":{"
		      "\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
		      "\"high_freq_factor\":4,\"original_max_position_embeddings\":8192}}");
	float freq[32];
	int kept = 0, divided = 0, blended = 0;
	config_rope_freq(&c, freq);
	for (int i = 0; i < 32; i++) {
		double plain = 1 / pow(500000, i / 32.0), wave = 2 * M_PI / plain, want;
		if (wave < 8192 / 4.0) {
			want = plain, kept++;
		} else if (wave > 8192) {
			want = plain / 8, divided++;
		} else {
			double s = (8192 / wave - 1) / (4 - 1.0);
			want = (1 - s) * plain / 8 + s * plain, blended++;
		}
		CHECK(fabs(freq[i] / want - 1) < 1e-7);
	}
	CHECK(kept > 5 && divided > 5 && blended > 1);
}

/* Numbers as Python writes them stop nothing, unless they are what the model is made of. */
static void
python_numbers(void)
{
	struct model_config c = parse("{" LLAMA ",\"time_step_limit\":[0.0,Infinity],\"x\":NaN}");
	CHECK(c.hidden == 64);
	config_free(&c);
	static const char text[] = "{" LLAMA ",\"rope_theta\":Infinity}";
	struct err e = {0};
	CHECK(config_parse(&c, text, strlen(text), "c", &e) < 0 && strstr(e.msg, "rope_theta"));
}

/* config_write gives a config that parses to the same. */
static void
write_then_parse(void)
{
	for (int i = 0; i < N_TINIES; i++) {
		struct model_config a = parse(tinies[i].config);
		ids_push(&a.eos_list, 2);
		ids_push(&a.eos_list, 40);
		a.eos = 2;
		struct buf text = BUF_INIT, again = BUF_INIT;
		config_write(&a, &text);
		struct model_config b = parse(text.data);
		config_write(&b, &again);
		CHECK_STR(again.data, text.data);
		struct ids la = a.eos_list, lb = b.eos_list;
		CHECK(la.n == lb.n && memcmp(la.v, lb.v, la.n * sizeof *la.v) == 0);
		CHECK(a.family == b.family && a.head == b.head && a.oasst_head == b.oasst_head);
		CHECK(a.rotary_dim == b.rotary_dim && a.head_dim == b.head_dim);
		CHECK(a.norm_eps == b.norm_eps && a.initializer_range == b.initializer_range);
		CHECK(a.qkv_bias == b.qkv_bias && a.o_bias == b.o_bias && a.mlp_bias == b.mlp_bias);
		CHECK(a.act == b.act && a.tied_head == b.tied_head && a.eos == b.eos);
		CHECK(a.rope_llama3 == b.rope_llama3 && a.rope_factor == b.rope_factor);
		CHECK(a.parallel_residual == b.parallel_residual);
		CHECK(a.sliding_window == b.sliding_window && a.rope_theta == b.rope_theta);
		config_free(&a);
		config_free(&b);
		buf_free(&text);
		buf_free(&again);
	}
}

/* The closed formula against the table of tensors. */
static void
parameter_counts(void)
{
	struct kernels *k = kernels_cpu_open(1);
	for (int i = 0; i < N_TINIES; i++) {
		struct model *m = tiny_model(tinies[i].config, k, 1);
		int64_t n = 0;
		for (int j = 0; j < m->n_params; j++) {
			n += (int64_t)m->params[j].n;
			CHECK(m->params[j].offset % 16 == 0);
		}
		CHECK(n == config_parameters(&m->config));
		model_close(m);
	}
	k->close(k);
}

/* Parameter counts of well-known models, as their model cards and hubs give them. */
static void
published_sizes(void)
{
	static const struct {
		const char *name, *text;
		int64_t n;
	} t[] = {
		{"SmolLM2-135M",
			"\"model_type\":\"llama\",\"hidden_size\":576,\"intermediate_size\":1536,"
			"\"num_hidden_layers\":30,\"num_attention_heads\":9,\"num_key_value_"
			"heads\":3,"
			"\"vocab_size\":49152,\"tie_word_embeddings\":true,\"is_llama_config\":"
			"true,"
			"\"rope_interleaved\":false,\"pretraining_tp\":1",
			134515008},
		{"TinyLlama-1.1B",
			"\"model_type\":\"llama\",\"hidden_size\":2048,\"intermediate_size\":5632,"
			"\"num_hidden_layers\":22,\"num_attention_heads\":32,"
			"\"num_key_value_heads\":4,\"vocab_size\":32000",
			1100048384},
		{"Llama-2-7b",
			"\"model_type\":\"llama\",\"hidden_size\":4096,\"intermediate_size\":11008,"
			"\"num_hidden_layers\":32,\"num_attention_heads\":32,\"vocab_size\":32000",
			6738415616},
		{"Llama-3.1-8B",
			"\"model_type\":\"llama\",\"hidden_size\":4096,\"intermediate_size\":14336,"
			"\"num_hidden_layers\":32,\"num_attention_heads\":32,"
			"\"num_key_value_heads\":8,\"vocab_size\":128256,\"rope_scaling\":{"
			"\"factor\":8.0,\"low_freq_factor\":1.0,\"high_freq_factor\":4.0,"
			"\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"}",
			8030261248},
		{"Mistral-7B-v0.1",
			"\"model_type\":\"mistral\",\"hidden_size\":4096,\"intermediate_size\":"
			"14336,"
			"\"num_hidden_layers\":32,\"num_attention_heads\":32,"
			"\"num_key_value_heads\":8,\"vocab_size\":32000,\"sliding_window\":4096",
			7241732096},
		{"Qwen2.5-0.5B",
			"\"model_type\":\"qwen2\",\"hidden_size\":896,\"intermediate_size\":4864,"
			"\"num_hidden_layers\":24,\"num_attention_heads\":14,"
			"\"num_key_value_heads\":2,\"vocab_size\":151936,"
			"\"tie_word_embeddings\":true,\"use_sliding_window\":false,"
			"\"sliding_window\":32768,\"max_window_layers\":24",
			494032768},
		{"pythia-70m",
			"\"model_type\":\"gpt_neox\",\"hidden_size\":512,\"intermediate_size\":"
			"2048,"
			"\"num_hidden_layers\":6,\"num_attention_heads\":8,\"vocab_size\":50304",
			70426624},
		{"pythia-160m",
			"\"model_type\":\"gpt_neox\",\"hidden_size\":768,\"intermediate_size\":"
			"3072,"
			"\"num_hidden_layers\":12,\"num_attention_heads\":12,\"vocab_size\":50304",
			162322944},
	};
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct buf text = BUF_INIT;
		buf_printf(&text, "{%s}", t[i].text);
		struct model_config c = parse(text.data);
		if (config_parameters(&c) != t[i].n)
			printf("# %s: %lld\n", t[i].name, (long long)config_parameters(&c));
		CHECK(config_parameters(&c) == t[i].n);
		config_free(&c);
		buf_free(&text);
	}
}

int
main(void)
{
	RUN(defaults_and_llama);
	RUN(neox);
	RUN(both_spellings);
	RUN(heads);
	RUN(refusals);
	RUN(scores_as_they_are);
	RUN(harmless);
	RUN(sliding_windows);
	RUN(eos_lists);
	RUN(llama3_frequencies);
	RUN(python_numbers);
	RUN(write_then_parse);
	RUN(parameter_counts);
	RUN(published_sizes);
	TEST_END;
}
