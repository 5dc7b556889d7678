#include <stdlib.h>
#include <string.h>

#include "lib/model/folder.h"
#include "lib/model/model.h"
#include "lib/stream/json.h"

enum { SLICE = 1 << 16, MAX_CONFIG = 4 << 20 };

/* What travels with the weights of the model's own files: how to generate. */
static const char *const companions[] = {"generation_config.json", NULL};

/* Sets the keys that describe what is written. */
static void
adjust_config(json_t *o, const struct model_config *c, enum k_dtype dtype)
{
	static const char *const names[] = {"float32", "bfloat16", "float16"};
	bool v5 = json_object_get(o, "dtype") && !json_object_get(o, "torch_dtype");
	json_put(o, "architectures", json_pack("[s]", config_architecture(c)));
	json_put(o, v5 ? "dtype" : "torch_dtype", json_text(names[dtype]));
	if (c->head == HEAD_REWARD && !c->oasst_head) {
		json_put(o, "num_labels", json_integer(1));
		json_put(o, "id2label", json_pack("{s:s}", "0", "LABEL_0"));
		json_put(o, "label2id", json_pack("{s:i}", "LABEL_0", 0));
	}
}

/* One key a line. */
static void
write_lines(struct buf *out, const json_t *o)
{
	const char *key;
	json_t *value;
	const char *sep = "{\n  ";
	json_object_foreach((json_t *)o, key, value)
	{
		buf_puts(out, sep);
		json_write_string(out, key, strlen(key));
		buf_puts(out, ": ");
		json_write(out, value);
		sep = ",\n  ";
	}
	buf_puts(out, "\n}\n");
}

static int
make_config(const struct model *m, const char *source, enum k_dtype dtype, struct buf *out,
	struct err *e)
{
	struct buf path = BUF_INIT, text = BUF_INIT;
	int rc = 0;
	if (source)
		rc = file_read(path_join(&path, source, "config.json"), MAX_CONFIG, &text, e);
	else
		config_write(&m->config, &text);
	json_t *o = rc == 0 ? json_parse_python(text.data, text.len, e) : NULL;
	if (rc == 0 && !json_is_object(o)) {
		if (o)
			err_set(e, ERR_DATA, "not a JSON object");
		rc = err_prefix(e, "%s", path.data ? path.data : "config");
	}
	if (rc == 0) {
		adjust_config(o, &m->config, dtype);
		write_lines(out, o);
	}
	json_decref(o);
	buf_free(&path);
	buf_free(&text);
	return rc;
}

static int
save_config(const struct model *m, const char *dir, const char *source, enum k_dtype dtype,
	struct err *e)
{
	struct buf text = BUF_INIT, path = BUF_INIT;
	int rc = make_config(m, source, dtype, &text, e);
	if (rc == 0)
		rc = file_write(path_join(&path, dir, "config.json"), text.data, text.len, e);
	buf_free(&text);
	buf_free(&path);
	return rc;
}

static int
write_tensor(const struct model *m, const struct param *p, enum k_dtype dtype, struct st_writer *w,
	struct err *e)
{
	float *host = x_malloc(SLICE * sizeof *host);
	void *stored = x_malloc(SLICE * sizeof *host);
	int rc = 0;
	for (size_t from = 0; rc == 0 && from < p->n; from += SLICE) {
		size_t n = p->n - from < SLICE ? p->n - from : SLICE;
		model_read(m, p, from, n, host);
		k_from_float(stored, dtype, host, n);
		rc = st_writer_data(w, stored, n * k_dtype_size(dtype), e);
	}
	free(host);
	free(stored);
	return rc;
}

static int
write_tensors(const struct model *m, FILE *f, enum k_dtype dtype, struct err *e)
{
	static const enum st_dtype types[] = {
		[K_F32] = ST_F32, [K_BF16] = ST_BF16, [K_F16] = ST_F16};
	static const char *const meta[] = {"format", "pt"}; /* transformers refuses files without */
	struct st_writer w;
	int rc = 0;
	st_writer_init(&w, f);
	st_writer_meta(&w, meta, 1);
	for (int i = 0; i < m->n_params; i++)
		st_writer_describe(
			&w, m->params[i].name, types[dtype], m->params[i].shape, m->params[i].rank);
	for (int i = 0; rc == 0 && i < m->n_params; i++)
		rc = write_tensor(m, &m->params[i], dtype, &w, e);
	if (rc == 0)
		rc = st_writer_finish(&w, e);
	st_writer_free(&w);
	return rc;
}

int
model_save(const struct model *m, const char *dir, const char *source_dir, enum k_dtype dtype,
	struct err *e)
{
	struct buf path = BUF_INIT;
	struct out o;
	int rc = out_open(&o, path_join(&path, dir, "model.safetensors"), e);
	if (rc == 0) {
		rc = write_tensors(m, o.f, dtype, e);
		if (rc == 0) {
			rc = out_commit(&o, e);
		} else {
			out_abort(&o);
			err_prefix(e, "%s", path.data);
		}
	}
	buf_free(&path);
	if (rc == 0)
		rc = save_config(m, dir, source_dir, dtype, e);
	if (rc == 0 && source_dir)
		rc = folder_copy(source_dir, dir, companions, e);
	return rc;
}
