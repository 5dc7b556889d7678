/* Jinja: the snippets and families of tests/golden/jinja, provenance, limits, and the templates of
 * the shared material. */
#include <dirent.h>

#include "lib/base/file.h"
#include "lib/text/jinja.h"
#include "tests/test.h"

static const struct tm now = {.tm_year = 126, .tm_mday = 15, .tm_hour = 9, .tm_min = 30};

struct result {
	int code; /* 0: text and mark are set */
	struct jinja_text out;
	struct err e;
};

static struct result
render(const char *source, size_t n, const json_t *vars)
{
	struct result r = {0};
	struct jinja *j;
	if (jinja_compile(&j, source, n, &r.e) < 0 || jinja_render(j, vars, &now, &r.out, &r.e) < 0)
		r.code = r.e.code;
	CHECK(r.out.text.len == r.out.mark.len || r.code);
	jinja_free(j);
	buf_puts(&r.out.text, "");
	return r;
}

static void
result_free(struct result *r)
{
	buf_free(&r->out.text);
	buf_free(&r->out.mark);
}

/* One golden case: text, error or refused; false and a line when it is another. */
static bool
case_holds(const char *name, const char *source, size_t n, const json_t *vars, const json_t *want)
{
	struct result r = render(source, n, vars);
	const json_t *text = json_object_get(want, "text");
	bool ok;
	if (text)
		ok = r.code == 0 && r.out.text.len == json_string_length(text) &&
		     memcmp(r.out.text.data, json_string_value(text), r.out.text.len) == 0;
	else if (json_object_get(want, "refused"))
		ok = r.code == ERR_CONFIG;
	else
		ok = r.code == ERR_CONFIG || r.code == ERR_DATA;
	if (!ok)
		printf("# %s\n#   want %s\n#   got %s\n", name,
			text ? json_string_value(text) : "an error",
			r.code ? r.e.msg : r.out.text.data);
	result_free(&r);
	return ok;
}

static json_t *
golden(void)
{
	json_t *g = json_load_file("tests/golden/jinja/snippets.json", JSON_ALLOW_NUL, NULL);
	CHECK(g != NULL);
	return g;
}

static void
test_snippets(void)
{
	json_t *g = golden(), *c;
	const json_t *vars = json_object_get(g, "vars");
	size_t i;
	CHECK(json_array_size(json_object_get(g, "snippets")) > 300);
	json_array_foreach(json_object_get(g, "snippets"), i, c)
	{
		const json_t *source = json_object_get(c, "template");
		CHECK(case_holds(json_string_value(source), json_string_value(source),
			json_string_length(source), vars, c));
	}
	json_decref(g);
}

static bool
family_holds(const json_t *c)
{
	char path[256];
	const char *name = json_string_value(json_object_get(c, "name"));
	struct buf source = BUF_INIT;
	struct err e = {0};
	snprintf(path, sizeof path, "tests/golden/jinja/families/%s", name);
	bool ok = file_read(path, 1 << 20, &source, &e) == 0 &&
		  case_holds(name, source.data, source.len, json_object_get(c, "vars"), c);
	buf_free(&source);
	return ok;
}

static void
test_families(void)
{
	json_t *g = golden(), *c;
	size_t i;
	json_array_foreach(json_object_get(g, "families"), i, c) CHECK(family_holds(c));
	json_decref(g);
}

/* ---- provenance ---- */

/* The text with what came from the conversation in []. */
static const char *
marked(const char *source)
{
	static struct buf b;
	json_t *vars = json_pack("{s:[{s:s,s:s,s:s}],s:s,s:b,s:[s],s:s,s:[{s:s}]}", "messages",
		"role", "user", "name", "user", "content", " ab,<c>\xc3\xa9 ", "bos_token", "<s>",
		"add_generation_prompt", 1, "additional_special_tokens", "<x>", "effort", "low",
		"tools", "name", "f");
	struct result r = render(source, strlen(source), vars);
	buf_reset(&b);
	buf_puts(&b, r.code ? r.e.msg : "");
	for (size_t i = 0; i < r.out.text.len && !r.code; i++) {
		bool data = r.out.mark.data[i] == JINJA_DATA;
		if (data && (i == 0 || r.out.mark.data[i - 1] != JINJA_DATA))
			buf_putc(&b, '[');
		buf_putc(&b, r.out.text.data[i]);
		if (data && (i + 1 == r.out.text.len || r.out.mark.data[i + 1] != JINJA_DATA))
			buf_putc(&b, ']');
	}
	result_free(&r);
	json_decref(vars);
	return b.data;
}

static void
test_provenance(void)
{
	static const char *const cases[][2] = {
		{"<s>{{ messages[0].content }}</s>", "<s>[ ab,<c>\xc3\xa9 ]</s>"},
		{"{{ bos_token + messages[0]['content']|trim + '|' }}", "<s>[ab,<c>\xc3\xa9]|"},
		{"{{ messages[0].content.split(',')|join('+') }}", "[ ab]+[<c>\xc3\xa9 ]"},
		{"{{ messages[0].content.replace('<', '{').replace('b', '') }}",
			"[ a,]{[c>\xc3\xa9 ]"},
		{"{{ messages[0].content|upper }}|{{ messages[0].content[3:5] }}",
			"[ AB,<C>\xc3\x89 ]|[,<]"},
		{"{{ messages[0]|tojson }}", "{\"[role]\": \"user\", \"[name]\": \"[user]\", "
					     "\"[content]\": \"[ ab,<c>\xc3\xa9 ]\"}"},
		{"{{ '%s-%s' % (messages[0].name, 1) }} {{ '<{}>'.format(messages[0].name) }}",
			"[user]-1 <[user]>"},
		{"{{ '<|' + messages[0].role + '|>' }}", "<|user|>"},
		{"{{ messages[0].content|e }}", "[ ab,&lt;c&gt;\xc3\xa9 ]"},
		{"{% set x %}<{{ messages[0].name }}>{% endset %}{{ x * 2 }}", "<[user]><[user]>"},
		{"{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(messages[0].name) }}", "<[user]>"},
		{"{{ ['a' + messages[0].name] }}", "['a[user]']"},
		{"{{ {'user': '<|user|>'}[messages[0].name] }}", "<|user|>"},
		{"{{ messages[0].name|list|join }}{{ messages|length }}", "[user]1"},
		{"{{ messages[0].name[::-1] }}{{ (messages[0].name ~ '!').title() }}",
			"[resuUser]!"},
		{"{{ messages[0].content|indent(first=true) }}", "    [ ab,<c>\xc3\xa9 ]"},
		{"{{ bos_token }}{{ additional_special_tokens[0] }}{{ effort }}{{ tools[0].name }}",
			"<s><x>[lowf]"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		CHECK_STR(marked(cases[i][0]), cases[i][1]);
}

/* ---- errors and limits ---- */

static void
check_error(const char *source, int code, const char *msg)
{
	json_t *vars = json_object();
	struct result r = render(source, strlen(source), vars);
	if (r.code != code || strstr(r.e.msg, msg) == NULL)
		printf("# %.60s: code %d, %s\n", source, r.code, r.e.msg);
	CHECK(r.code == code);
	CHECK(strstr(r.e.msg, msg) != NULL);
	result_free(&r);
	json_decref(vars);
}

static void
test_errors(void)
{
	check_error("a\n{{ raise_exception('bad\nrole') }}", ERR_DATA, "bad role");
	check_error("a\n{{ x.y }}", ERR_DATA, "'x' is undefined (line 2");
	check_error("{{ 'a'.b.c }}", ERR_DATA, "'str object' has no attribute 'b'");
	check_error("{{ [].append(1) }}", ERR_DATA, "unsafe");
	check_error("{{ 'a'.encode() }}", ERR_CONFIG, "'encode' is not supported");
	check_error("\n\n{% include 'x' %}", ERR_CONFIG, "line 3: the tag 'include'");
	check_error("\n{{ x|nope }}", ERR_CONFIG, "line 2: no filter named 'nope'");
	check_error("{{ x|pprint }}", ERR_CONFIG, "pprint");
	check_error("{{ x is nope }}", ERR_CONFIG, "no test named 'nope'");
	check_error("{{ 9223372036854775807 + 1 }}", ERR_CONFIG, "64 bits");
	check_error("\xff", ERR_CONFIG, "UTF-8");
}

/* Of nesting and size: n times a around nothing. */
static void
check_nested(const char *open, const char *inside, const char *close, size_t n)
{
	struct buf b = BUF_INIT;
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, open);
	buf_puts(&b, inside);
	for (size_t i = 0; i < n; i++)
		buf_puts(&b, close);
	check_error(b.data, ERR_CONFIG, "");
	buf_free(&b);
}

static void
test_limits(void)
{
	check_error("{{ 'x' * 10**9 }}", ERR_CONFIG, "takes more than");
	check_error("{{ 'long text ' * 10**9 }}", ERR_CONFIG, "bytes");
	check_error("{{ [1] * 10**12 }}", ERR_CONFIG, "");
	check_error("{{ 'x'|center(10**10) }}", ERR_CONFIG, "bytes");
	check_error("{{ 'x'|indent(10**10, true) }}", ERR_CONFIG, "bytes");
	check_error("{{ range(10**9) }}", ERR_DATA, "Range too big");
	check_error("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}"
		    "{% endfor %}",
		ERR_CONFIG, "steps");
	check_error("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", ERR_CONFIG, "levels");
	check_error("{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}", ERR_CONFIG, "");
	check_error("{% set ns = namespace(s='x') %}{% for i in range(99) %}"
		    "{% set ns.s = ns.s + ns.s %}{% endfor %}",
		ERR_CONFIG, "bytes");
	check_error("{% set ns = namespace(l=[]) %}{% for i in range(9999) %}"
		    "{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
		ERR_CONFIG, "levels");
	check_error(
		"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", ERR_CONFIG, "levels");
	check_error("{{ 'a'.replace('', 'b' * 9999) * 999999 }}", ERR_CONFIG, "bytes");
	check_nested("{{ (", "1", ")", 1);
	check_nested("{% if 1 %}", "", "{% endif %}", 5000);
	check_nested("{% for x in y %}", "", "{% endfor %}", 5000);
	check_nested("{{", "", "", 5000);
	check_nested("{{ ", "x", "", 1);
}

static void
test_nested_expressions(void)
{
	static const char *const opens[] = {
		"(", "[", "{1:", "not ", "-", "x[", "f(", "1 if ", "x|f(", "1 + ", "a.b."};
	for (size_t i = 0; i < sizeof opens / sizeof *opens; i++) {
		struct buf b = BUF_INIT;
		buf_puts(&b, "{{ ");
		for (int k = 0; k < 20000; k++)
			buf_puts(&b, opens[i]);
		buf_puts(&b, "1 }}");
		check_error(b.data, ERR_CONFIG, "");
		buf_free(&b);
	}
}

static void
test_date(void)
{
	struct jinja *j = NULL;
	struct err e = {0};
	CHECK(jinja_compile(&j, "{{ strftime_now('%Y') }}", 24, &e) == 0);
	CHECK(j && jinja_uses_date(j));
	jinja_free(j);
	CHECK(jinja_compile(&j, "strftime_now", 12, &e) == 0);
	CHECK(j && !jinja_uses_date(j));
	jinja_free(j);
}

/* ---- the shared templates ---- */

static json_t *
shared_vars(const json_t *chat, const json_t *want)
{
	return json_pack("{s:O,s:O,s:s,s:s,s:s,s:s,s:n,s:n}", "messages", chat,
		"add_generation_prompt", json_object_get(want, "add_generation_prompt"),
		"bos_token", "<s>", "eos_token", "</s>", "pad_token", "<pad>", "unk_token", "<unk>",
		"tools", "documents");
}

/* Every line of one template's golden file. */
static bool
shared_template(const char *dir, const char *name, const json_t *chats)
{
	char path[4096 + 300], *line = NULL;
	size_t cap = 0;
	bool ok = true;
	struct buf source = BUF_INIT;
	snprintf(path, sizeof path, "%s/%s.jinja", dir, name);
	CHECK(file_read(path, 1 << 20, &source, NULL) == 0);
	snprintf(path, sizeof path, "%s/%s.golden.jsonl", dir, name);
	FILE *f = fopen(path, "r");
	CHECK(f != NULL);
	while (f && getline(&line, &cap, f) > 0) {
		json_t *want = json_loads(line, 0, NULL);
		const char *key = json_string_value(json_object_get(want, "conversation"));
		json_t *vars = shared_vars(json_object_get(chats, key), want);
		ok &= case_holds(name, source.data, source.len, vars, want);
		json_decref(vars);
		json_decref(want);
	}
	if (f)
		fclose(f);
	free(line);
	buf_free(&source);
	return ok;
}

static void
test_shared(void)
{
	const char *path = shared_path("templates/conversations.json");
	if (path == NULL)
		SKIP("no ../shared");
	json_t *chats = json_load_file(path, 0, NULL);
	char dir[4096];
	int same = 0, all = 0;
	snprintf(dir, sizeof dir, "%.*s", (int)(strrchr(path, '/') - path), path);
	DIR *d = opendir(dir);
	CHECK(d && chats);
	for (struct dirent *e; d && (e = readdir(d));) {
		char *end = strstr(e->d_name, ".jinja");
		if (end == NULL || end[6])
			continue;
		*end = '\0';
		all++;
		same += shared_template(dir, e->d_name, chats);
	}
	printf("# %d of %d shared templates identical\n", same, all);
	CHECK(all > 0 && same == all);
	if (d)
		closedir(d);
	json_decref(chats);
}

int
main(void)
{
	RUN(test_snippets);
	RUN(test_families);
	RUN(test_provenance);
	RUN(test_errors);
	RUN(test_limits);
	RUN(test_nested_expressions);
	RUN(test_date);
	RUN(test_shared);
	TEST_END;
}
