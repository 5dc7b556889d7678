#include "lib/gen/describe.h"

#include "lib/base/visible.h"
#include "lib/base/file.h"
#include "lib/model/model.h"
#include "lib/stream/json.h"
#include "lib/text/template.h"

struct info {
	struct model_config config;
	struct model *model;
	struct tokenizer *tokenizer; /* NULL: none in the folder */
	struct template *template;   /* NULL: none without a tokenizer */
	const char *how;
	struct err why; /* there is none */
	size_t bytes;
	int n_tensors;
};

static bool
has_tokenizer(const char *dir)
{
	static const char *const files[] = {"tokenizer.model", "tokenizer.json", "vocab.json"};
	struct buf path = BUF_INIT;
	bool found = false;
	for (int i = 0; i < 3; i++)
		found |= file_exists(path_join(&path, dir, files[i])) != 0;
	buf_free(&path);
	return found;
}

static int
info_read(struct info *in, const char *dir, struct kernels *k, struct err *e)
{
	if (config_load(&in->config, dir, e) < 0)
		return -1;
	struct model_open_options o = {.use = MODEL_INFER, .head = in->config.head};
	if (model_open(&in->model, dir, k, &o, e) < 0)
		return -1;
	const struct st_tensor *t;
	while ((t = weights_at(in->model->weights, in->n_tensors)) != NULL) {
		in->bytes += t->bytes;
		in->n_tensors++;
	}
	if (!has_tokenizer(dir))
		return 0;
	if (tokenizer_load(&in->tokenizer, dir, e) < 0)
		return -1;
	if (template_select(&in->template, NULL, dir, in->tokenizer, &in->how, &in->why) < 0) {
		if (in->why.code == ERR_NOINPUT || in->why.code == ERR_IO) {
			*e = in->why;
			return -1;
		}
		in->how = in->why.msg;
	}
	return 0;
}

static void
info_free(struct info *in)
{
	if (in->template)
		template_free(in->template);
	if (in->tokenizer)
		tokenizer_free(in->tokenizer);
	if (in->model)
		model_close(in->model);
	config_free(&in->config);
}

/* What a template depends on beside its source. */
static void
put_template(const struct info *in, json_t *o)
{
	const struct template *p = in->template;
	if (p && template_date(p))
		json_put(o, "template_date", json_text(template_date(p)));
	if (p && in->config.head == HEAD_REWARD && template_has_rest(p))
		json_put(o, "score_at", json_text(score_at_name(template_scores_at(p))));
}

static json_t *
info_json(struct info *in, bool hash)
{
	const struct model_config *c = &in->config;
	static const char *const dtypes[] = {
		[K_F32] = "float32", [K_BF16] = "bfloat16", [K_F16] = "float16"};
	json_t *o = json_pack("{s:s, s:s, s:I, s:s, s:I, s:i}", "architecture",
		config_architecture(c), "head", c->head == HEAD_REWARD ? "reward" : "lm",
		"parameters", (json_int_t)config_parameters(c), "dtype", dtypes[c->dtype], "bytes",
		(json_int_t)in->bytes, "tensors", in->n_tensors);
	json_t *shape = json_pack("{s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:b}", "layers",
		c->n_layers, "hidden", c->hidden, "heads", c->n_heads, "kv_heads", c->n_kv_heads,
		"head_dim", c->head_dim, "ffn", c->ffn, "vocab", c->vocab, "positions",
		c->max_positions, "tied_head", c->tied_head);
	json_object_update_missing(o, shape);
	json_decref(shape);
	const struct tokenizer *t = in->tokenizer;
	if (t) {
		shape = json_pack("{s:s, s:i, s:i, s:i, s:b, s:s, s:s?, s:s}", "tokenizer",
			tokenizer_kind(t), "tokenizer_vocab", (int)tokenizer_vocab(t), "bos",
			(int)tokenizer_bos(t), "eos", (int)tokenizer_eos(t), "adds_bos",
			tokenizer_adds_bos(t), "tokenizer_hash", tokenizer_hash(t), "template",
			in->template ? template_name(in->template) : NULL, "template_chosen",
			in->how);
		json_object_update_missing(o, shape);
		json_decref(shape);
		put_template(in, o);
	}
	if (hash)
		json_put(o, "hash", json_text(model_hash(in->model)));
	return o;
}

int
describe_folder(json_t **o, const char *dir, bool hash, struct kernels *k, struct err *e)
{
	struct info in = {0};
	int rc = info_read(&in, dir, k, e);
	if (rc == 0) {
		*o = info_json(&in, hash);
		rc = in.model ? model_check(in.model, e) : 0;
		if (rc < 0)
			json_decref(*o);
	}
	info_free(&in);
	return rc;
}

void
describe_lines(struct buf *out, const json_t *o)
{
	const char *key;
	json_t *v;
	json_object_foreach((json_t *)o, key, v)
	{
		buf_printf(out, "%-16s ", key);
		if (json_is_string(v))
			text_visible(out, json_string_value(v), json_string_length(v));
		else if (json_is_null(v) || (json_is_integer(v) && json_integer_value(v) < 0))
			buf_puts(out, "none");
		else
			json_write(out, v);
		buf_putc(out, '\n');
	}
}
