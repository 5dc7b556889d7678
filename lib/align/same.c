#include "lib/align/same.h"

#include <string.h>

#include "lib/base/file.h"
#include "lib/stream/json.h"

int
settings_same(const char *was, const char *now, const char *but, struct err *e)
{
	size_t name = but ? strlen(but) : 0;
	while (*was || *now) {
		size_t a = strcspn(was, "\n"), b = strcspn(now, "\n");
		bool free = but && a > name && b > name && was[name] == ' ' && now[name] == ' ' &&
			    memcmp(was, but, name) == 0 && memcmp(now, but, name) == 0;
		if (!free && (a != b || memcmp(was, now, a) != 0))
			return err_set(e, ERR_CONFIG,
				"--resume: was begun with '%.*s', this is '%.*s'", (int)a, was,
				(int)b, now);
		was += a + (was[a] != 0);
		now += b + (now[b] != 0);
	}
	return 0;
}

/* Options that a finished model does not depend on, or that are compared by hash. */
static bool
matters(const char *option)
{
	static const char *const not_these[] = {"model", "out", "threads", "device", "quiet",
		"expect", "rejects", "resume", "overwrite", "plan", "save-steps",
		"save-total-limit", "keep-checkpoints", "allow-other-bits", "logging-steps",
		"eval-batch-size", "progress-interval", "force"};
	for (size_t i = 0; i < sizeof not_these / sizeof *not_these; i++)
		if (strcmp(option, not_these[i]) == 0)
			return false;
	return true;
}

static int
differs(const char *out_dir, const char *name, const json_t *was, const json_t *now, struct err *e)
{
	if (was == NULL || json_equal(was, now)) /* an older version had no such option */
		return 0;
	const char *a = json_string_value(was), *b = json_string_value(now);
	return err_set(e, ERR_CONFIG,
		"%s: is finished, with %s '%s', not '%s'; only a run with --keep-checkpoints can "
		"go on from there, --overwrite begins again",
		out_dir, name, a ? a : "?", b ? b : "?");
}

int
model_same(const char *out_dir, const char *meta, struct err *e)
{
	static const char *const hashes[] = {"data_sha256", "base_model_sha256"};
	struct buf path = BUF_INIT, text = BUF_INIT;
	int rc = file_read(path_join(&path, out_dir, "pro.json"), 1 << 24, &text, e);
	json_t *was = rc == 0 ? json_parse(text.data, text.len, e) : NULL;
	json_t *now = json_parse(meta, strlen(meta), NULL);
	if (rc == 0 && was == NULL)
		rc = err_prefix(e, "%s", path.data);
	for (int i = 0; i < 2 && rc == 0; i++)
		rc = differs(out_dir, hashes[i], json_object_get(was, hashes[i]),
			json_object_get(now, hashes[i]), e);
	const char *name;
	json_t *value, *options = json_object_get(now, "options");
	/* clang-format off */
	json_object_foreach(options, name, value) {
		/* clang-format on */
		if (rc == 0 && matters(name))
			rc = differs(out_dir, name,
				json_object_get(json_object_get(was, "options"), name), value, e);
	}
	json_decref(was);
	json_decref(now);
	buf_free(&path);
	buf_free(&text);
	return rc;
}
