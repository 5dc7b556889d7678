/* Model folders: opening, refusing, saving. */
#include "lib/model/model.h"

#include "lib/stream/json.h"
#include "tests/unit/model_util.h"

static struct kernels *k;

static struct model *
open_as(const char *dir, enum model_use use, enum model_head head)
{
	struct model_open_options o = {.use = use, .head = head};
	struct err e = {0};
	struct model *m;
	must(model_open(&m, dir, k, &o, &e), &e);
	return m;
}

/* The code of the refusal, 0 when it opens; word must be in the message. */
static int
refused(const char *dir, enum model_head head, const char *word)
{
	struct model_open_options o = {.use = MODEL_INFER, .head = head};
	struct err e = {0};
	struct model *m;
	int rc = model_open(&m, dir, k, &o, &e);
	if (rc < 0 && !strstr(e.msg, word))
		printf("# \"%s\" does not say \"%s\"\n", e.msg, word);
	CHECK(rc == 0 || strstr(e.msg, word));
	CHECK((rc < 0) == (m == NULL));
	model_close(m);
	return rc < 0 ? e.code : 0;
}

static float *
values(const struct model *m, const struct param *p)
{
	float *x = calloc(p->n, sizeof *x);
	model_read(m, p, 0, p->n, x);
	return x;
}

/* Every architecture, saved and opened both ways, in every type: the same bits as converted. */
static void
round_trips(void)
{
	char dir[64];
	struct err e = {0};
	temp_dir(dir);
	for (int i = 0; i < N_TINIES; i++) {
		struct model *m = tiny_model(tinies[i].config, k, 5);
		for (enum k_dtype type = K_F32; type <= K_F16; type++) {
			must(model_save(m, dir, NULL, type, &e), &e);
			struct model *train = open_as(dir, MODEL_TRAIN, m->config.head);
			struct model *infer = open_as(dir, MODEL_INFER, m->config.head);
			CHECK(train->n_params == m->n_params && infer->n_params == m->n_params);
			CHECK(train->block_n == m->block_n && train->config.dtype == type);
			for (int j = 0; j < m->n_params; j++) {
				const struct param *p = &m->params[j];
				float *a = values(m, p), *b = values(train, &train->params[j]),
				      *c = values(infer, &infer->params[j]);
				uint32_t *half = malloc(4 * p->n);
				k_from_float(half, type, a, p->n);
				static const enum st_dtype st[] = {ST_F32, ST_BF16, ST_F16};
				struct st_tensor t = {.dtype = st[type],
					.data = half,
					.bytes = p->n * k_dtype_size(type)};
				st_to_float(a, &t, &e);
				CHECK(memcmp(a, b, 4 * p->n) == 0);
				CHECK(memcmp(a, c, 4 * p->n) == 0);
				CHECK(infer->params[j].mat.dtype == type);
				CHECK(!infer->params[j].owned); /* mapped */
				free(a), free(b), free(c), free(half);
			}
			CHECK(strcmp(model_hash(train), model_hash(infer)) == 0);
			CHECK(strcmp(model_hash(m), model_hash(infer)) != 0);
			/* and from a mapped model again the same file */
			struct buf first = read_back(dir, "model.safetensors");
			must(model_save(infer, dir, dir, type, &e), &e);
			struct buf second = read_back(dir, "model.safetensors");
			CHECK(first.len == second.len &&
				memcmp(first.data, second.data, first.len) == 0);
			buf_free(&first);
			buf_free(&second);
			model_close(train);
			model_close(infer);
		}
		model_close(m);
	}
	dir_remove(dir, &e);
}

/* A saved folder has the source's other files and its config with what changed. */
static void
companions_and_config(void)
{
	char from[64], to[64];
	struct err e = {0};
	temp_dir(from);
	temp_dir(to);
	struct model *m = tiny_model(tiny_config("llama"), k, 5);
	must(model_save(m, from, NULL, K_F32, &e), &e);
	model_close(m);
	struct buf text = read_back(from, "config.json");
	struct buf edited = BUF_INIT;
	text.data[text.len - 2] = '\0'; /* "}\n" */
	char *dtype = strstr(text.data, "torch_dtype");
	CHECK(dtype != NULL);
	memmove(dtype, dtype + 6, strlen(dtype + 6) + 1); /* transformers 5: dtype */
	buf_printf(
		&edited, "%s, \"my_key\": {\"x\": [0.1]}, \"rms_norm_eps_2\": 1e-05}", text.data);
	write_text(from, "config.json", edited.data);
	write_text(from, "generation_config.json", "{\"eos_token_id\":3}");
	write_text(from, "notes.txt", "not copied");
	m = open_as(from, MODEL_INFER, HEAD_LM);
	must(model_save(m, to, from, K_BF16, &e), &e);
	model_close(m);
	struct buf config = read_back(to, "config.json");
	CHECK(strstr(config.data, "\"my_key\": {\"x\":[0.1]}") != NULL);
	CHECK(strstr(config.data, "\"dtype\": \"bfloat16\"") != NULL);
	CHECK(strstr(config.data, "torch_dtype") == NULL);
	buf_printf(&edited, "%s/notes.txt", to);
	CHECK(!file_exists(strrchr(edited.data, '}') + 1));
	m = open_as(to, MODEL_INFER, HEAD_LM);
	CHECK(m->config.eos_list.n == 1 && m->config.eos_list.v[0] == 3);
	CHECK(m->config.dtype == K_BF16);
	model_close(m);
	buf_free(&text);
	buf_free(&edited);
	buf_free(&config);
	dir_remove(from, &e);
	dir_remove(to, &e);
}

static void
reward_heads(void)
{
	char lm[64], rm[64];
	struct err e = {0};
	temp_dir(lm);
	temp_dir(rm);
	struct model *m = tiny_model(tiny_config("llama"), k, 5), *a, *b, *c;
	must(model_save(m, lm, NULL, K_F32, &e), &e);
	model_close(m);
	CHECK(refused(lm, HEAD_REWARD, "no reward head") == ERR_CONFIG);
	struct model_open_options o = {
		.use = MODEL_TRAIN, .head = HEAD_REWARD, .init_head = true, .seed = 1};
	must(model_open(&a, lm, k, &o, &e), &e);
	must(model_open(&b, lm, k, &o, &e), &e);
	o.seed = 2;
	must(model_open(&c, lm, k, &o, &e), &e);
	const struct param *p = &a->params[a->head];
	CHECK_STR(p->name, "score.weight");
	CHECK(p->shape[0] == 1 && p->shape[1] == 24 && a->head_bias == -1);
	CHECK(memcmp(a->block, b->block, a->block_n * sizeof *a->block) == 0);
	CHECK(memcmp(a->block, c->block, a->block_n * sizeof *a->block) != 0);
	CHECK(memcmp(a->block, c->block, p->offset * sizeof *a->block) == 0);
	double s = 0;
	for (size_t i = 0; i < p->n; i++)
		s += a->block[p->offset + i] * a->block[p->offset + i];
	CHECK(s > 0 && sqrt(s / 24) > 0.1 && sqrt(s / 24) < 0.4); /* initializer_range 0.2 */
	must(model_save(a, rm, lm, K_F32, &e), &e);
	struct buf config = read_back(rm, "config.json");
	CHECK(strstr(config.data, "\"architectures\": [\"LlamaForSequenceClassification\"]"));
	CHECK(strstr(config.data, "\"num_labels\": 1") && strstr(config.data, "\"id2label\""));
	buf_free(&config);
	/* now it has one, is kept, and is no language model */
	struct model *again = open_as(rm, MODEL_TRAIN, HEAD_REWARD);
	CHECK(memcmp(a->block, again->block, a->block_n * sizeof *a->block) == 0);
	model_close(again);
	must(model_open(&again, rm, k, &o, &e), &e); /* init_head finds the head there */
	CHECK(memcmp(a->block, again->block, a->block_n * sizeof *a->block) == 0);
	model_close(again);
	CHECK(refused(rm, HEAD_LM, "reward model") == ERR_CONFIG);
	model_close(a);
	model_close(b);
	model_close(c);
	dir_remove(lm, &e);
	dir_remove(rm, &e);
}

/* A folder's safetensors as tensors to play with: names are edited in place in the header. */
static void
rename_tensor(const char *dir, const char *from, const char *to)
{
	struct buf b = read_back(dir, "model.safetensors");
	bool found = false;
	CHECK(strlen(from) == strlen(to));
	for (size_t i = 8; i + strlen(from) < b.len && !found; i++) {
		found = memcmp(b.data + i, from, strlen(from)) == 0;
		if (found)
			memcpy(b.data + i, to, strlen(to));
	}
	CHECK(found);
	write_file(dir, "model.safetensors", b.data, b.len);
	buf_free(&b);
}

static void
wrong_tensors(void)
{
	static const struct {
		const char *from, *to, *word;
	} t[] = {
		{"layers.1.mlp.up_proj", "layers.7.mlp.up_proj",
			"model.layers.1.mlp.up_proj.weight is missing"},
		{"\"F32\",\"shape\":[41,24]", "\"U32\",\"shape\":[41,24]", "other"},
		{"\"F32\",\"shape\":[41,24]", "\"I32\",\"shape\":[41,24]", "I32"},
		{"\"shape\":[41,24]", "\"shape\":[24,41]", "[24, 41]"},
		{"\"shape\":[41,24]", "\"shape\":[984]  ", "[984]"},
		{"\"shape\":[24]", "\"shape\":[ 4]", "do not fit"},
		{"model.norm.weight", "model.norm.blight", "model.norm.weight is missing"},
	};
	char dir[64];
	struct err e = {0};
	temp_dir(dir);
	for (size_t i = 0; i < sizeof t / sizeof *t; i++) {
		struct model *m = tiny_model(tiny_config("llama"), k, 5);
		must(model_save(m, dir, NULL, K_F32, &e), &e);
		model_close(m);
		CHECK(refused(dir, HEAD_LM, "") == 0);
		rename_tensor(dir, t[i].from, t[i].to);
		int code = refused(dir, HEAD_LM, t[i].word);
		CHECK(code == (strstr(t[i].word, "fit") ? ERR_DATA : ERR_CONFIG));
	}
	dir_remove(dir, &e);
}

/* Copies every tensor of a folder, renamed by f, with one more when extra is not NULL. */
static void
rewrite(const char *dir, void (*rename)(const char *, char *), const char *extra, size_t n_extra,
	const float *x)
{
	struct err e = {0};
	struct weights *w;
	const struct st_tensor *t;
	struct st_writer out;
	char *bytes = NULL, name[200];
	size_t n = 0;
	must(weights_open(&w, dir, &e), &e);
	FILE *f = open_memstream(&bytes, &n);
	st_writer_init(&out, f);
	for (int i = 0; (t = weights_at(w, i)); i++) {
		rename(t->name, name);
		if (*name)
			st_writer_describe(&out, name, t->dtype, t->shape, t->rank);
	}
	if (extra)
		st_writer_describe(&out, extra, ST_F32, (int64_t[]){(int64_t)n_extra / 24, 24}, 2);
	for (int i = 0; (t = weights_at(w, i)); i++) {
		rename(t->name, name);
		if (*name)
			must(st_writer_data(&out, t->data, t->bytes, &e), &e);
	}
	if (extra)
		must(st_writer_data(&out, x, n_extra * sizeof *x, &e), &e);
	must(st_writer_finish(&out, &e), &e);
	fclose(f);
	weights_close(w);
	write_file(dir, "model.safetensors", bytes, n);
	free(bytes);
}

static void
keep(const char *name, char *out)
{
	strcpy(out, name);
}

static void
bare(const char *name, char *out)
{
	strcpy(out, strncmp(name, "model.", 6) == 0      ? name + 6
		    : strncmp(name, "gpt_neox.", 9) == 0 ? name + 9
							 : name);
}

static void
no_head(const char *name, char *out)
{
	bare(name, out);
	if (strcmp(name, "lm_head.weight") == 0)
		*out = '\0';
}

/* A trunk that was saved alone has no prefix; then only a tied head gives a language model. */
static void
names_without_prefix(void)
{
	static const char *const names[] = {"llama", "qwen2", "neox", "oasst-reward"};
	char dir[64];
	struct err e = {0};
	temp_dir(dir);
	for (int i = 0; i < 4; i++) {
		struct model *m = tiny_model(tiny_config(names[i]), k, 5);
		must(model_save(m, dir, NULL, K_F32, &e), &e);
		rewrite(dir, bare, NULL, 0, NULL);
		struct model *b = open_as(dir, MODEL_TRAIN, m->config.head);
		CHECK(memcmp(m->block, b->block, m->block_n * sizeof *m->block) == 0);
		model_close(b);
		if (i == 0) {
			rewrite(dir, no_head, NULL, 0, NULL);
			CHECK(refused(dir, HEAD_LM, "lm_head.weight is missing") == ERR_CONFIG);
		}
		model_close(m);
	}
	dir_remove(dir, &e);
}

static void
extra_tensors(void)
{
	char dir[64];
	struct err e = {0};
	float other[41 * 24] = {0};
	temp_dir(dir);
	struct model *m = tiny_model(tiny_config("qwen2"), k, 5);
	float *embed = values(m, &m->params[m->embed]);
	must(model_save(m, dir, NULL, K_F32, &e), &e);
	rewrite(dir, keep, "model.layers.0.self_attn.rotary_emb.inv_freq", 24, other);
	CHECK(refused(dir, HEAD_LM, "") == 0);
	must(model_save(m, dir, NULL, K_F32, &e), &e);
	rewrite(dir, keep, "model.layers.2.mlp.up_proj.weight", 24, other);
	CHECK(refused(dir, HEAD_LM, "model.layers.2.mlp.up_proj.weight") == ERR_CONFIG);
	/* a tied head may be stored once more, but not another one */
	must(model_save(m, dir, NULL, K_F32, &e), &e);
	rewrite(dir, keep, "lm_head.weight", 41 * 24, embed);
	CHECK(refused(dir, HEAD_LM, "") == 0);
	must(model_save(m, dir, NULL, K_F32, &e), &e);
	rewrite(dir, keep, "lm_head.weight", 41 * 24, other);
	CHECK(refused(dir, HEAD_LM, "lm_head.weight") == ERR_CONFIG);
	free(embed);
	model_close(m);
	dir_remove(dir, &e);
}

/* A header of odd length puts every tensor at an odd address: copied, not read unaligned. */
static void
unaligned_tensors(void)
{
	char dir[64];
	struct err e = {0};
	temp_dir(dir);
	struct model *m = tiny_model(tiny_config("neox"), k, 5);
	must(model_save(m, dir, NULL, K_F32, &e), &e);
	struct buf b = read_back(dir, "model.safetensors"), odd = BUF_INIT;
	uint64_t n;
	memcpy(&n, b.data, 8);
	n++;
	buf_put(&odd, &n, 8);
	buf_put(&odd, b.data + 8, (size_t)n - 1);
	buf_putc(&odd, ' ');
	buf_put(&odd, b.data + 8 + n - 1, b.len - 8 - (size_t)n + 1);
	write_file(dir, "model.safetensors", odd.data, odd.len);
	struct model *infer = open_as(dir, MODEL_INFER, HEAD_LM);
	for (int i = 0; i < m->n_params; i++) {
		float *x = values(m, &m->params[i]), *y = values(infer, &infer->params[i]);
		CHECK(infer->params[i].owned && (uintptr_t)infer->params[i].mat.data % 4 == 0);
		CHECK(memcmp(x, y, m->params[i].n * sizeof *x) == 0);
		free(x), free(y);
	}
	model_close(infer);
	model_close(m);
	buf_free(&b);
	buf_free(&odd);
	dir_remove(dir, &e);
}

static void
random_initialisation(void)
{
	struct model *a = tiny_model(tiny_config("neox"), k, 5),
		     *b = tiny_model(tiny_config("neox"), k, 6);
	struct model_config c;
	struct err e = {0};
	const char *text = tiny_config("neox");
	must(config_parse(&c, text, strlen(text), "c", &e), &e);
	struct model *m;
	must(model_create(&m, &c, k, 5, &e), &e);
	CHECK(memcmp(a->block, b->block, a->block_n * sizeof *a->block) != 0);
	double s = 0, n = 0;
	for (int i = 0; i < m->n_params; i++) {
		const struct param *p = &m->params[i];
		bool gain = strstr(p->name, "norm.weight") != NULL;
		for (size_t j = 0; j < p->n; j++) {
			float x = m->block[p->offset + j];
			if (p->rank == 1)
				CHECK(x == (gain ? 1 : 0));
			else
				s += x * x, n++;
		}
	}
	CHECK(fabs(sqrt(s / n) / 0.2 - 1) < 0.03);
	for (size_t i = 0; i < m->block_n; i++)
		CHECK(m->grad[i] == 0);
	CHECK(strlen(model_hash(m)) == 64 && strcmp(model_hash(m), model_hash(a)) != 0);
	config_free(&c);
	model_close(a);
	model_close(b);
	model_close(m);
}

static void
missing_folders(void)
{
	struct err e = {0};
	struct model *m = tiny_model(tiny_config("qwen2"), k, 5);
	CHECK(model_save(m, "/nonexistent/dir", NULL, K_F32, &e) < 0 && e.code == ERR_CANTCREAT);
	CHECK(refused("/nonexistent/dir", HEAD_LM, "/nonexistent/dir") == ERR_NOINPUT);
	char dir[64];
	temp_dir(dir);
	must(model_save(m, dir, NULL, K_F32, &e), &e);
	/* a source that cannot be read fails the save */
	CHECK(model_save(m, dir, "/nonexistent", K_F32, &e) < 0 && e.code == ERR_NOINPUT);
	dir_remove(dir, &e);
	model_close(m);
}

int
main(void)
{
	k = kernels_cpu_open(1);
	RUN(round_trips);
	RUN(companions_and_config);
	RUN(reward_heads);
	RUN(wrong_tensors);
	RUN(names_without_prefix);
	RUN(extra_tensors);
	RUN(unaligned_tensors);
	RUN(random_initialisation);
	RUN(missing_folders);
	k->close(k);
	TEST_END;
}
