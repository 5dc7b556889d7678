#include "lib/stream/sniff.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/process.h"

/*
 * The marks are those of file(1)'s public knowledge: the xz, bzip2, lz4 and lzip
 * formats, APPNOTE.TXT (zip), Apache Parquet, Arrow, ORC and Avro, HDF5, SQLite, NumPy's NEP 1,
 * Python's pickle protocols 2 to 5, the Git LFS specification, GGUF.  @ is the file's name.
 */
struct mark {
	size_t at; /* offset */
	const char *bytes;
	size_t n;
	const char *say;
};

#define MARK(at, bytes, say)                      \
	{                                         \
		at, bytes, sizeof(bytes) - 1, say \
	}

static const struct mark marks[] = {
	MARK(0, "BZh", "is compressed by bzip2: bzip2 -dc @ prints what can be read"),
	MARK(0,
		"\xfd"
		"7zXZ\0",
		"is compressed by xz: xz -dc @ prints what can be read"),
	MARK(0, "\x04\x22\x4d\x18", "is compressed by lz4: lz4 -dc @ prints what can be read"),
	MARK(0, "LZIP", "is compressed by lzip: lzip -dc @ prints what can be read"),
	MARK(0, "\x1f\x9d", "is compressed by compress: gzip -dc @ prints what can be read"),
	MARK(0, "7z\xbc\xaf\x27\x1c", "is a 7-Zip archive: 7z x -so @ prints what is in it"),
	MARK(0, "Rar!\x1a\x07", "is a RAR archive: unrar p -inul @ prints what is in it"),
	MARK(0, "PK\x03\x04",
		"is a zip archive (or what PyTorch, NumPy or a spreadsheet saves as one): "
		"unzip -l @ lists it, unzip -p @ NAME prints a file of it"),
	MARK(0, "PK\x05\x06", "is an empty zip archive"),
	MARK(257, "ustar",
		"is a tar archive: tar -tf @ lists it, tar -xOf @ NAME prints a file of it"),
	MARK(0, "PAR1",
		"is Parquet; JSON Lines of it: duckdb -c \"COPY (FROM @) TO '/dev/stdout' "
		"(FORMAT json)\", or python3 -c \"import pandas, sys; "
		"pandas.read_parquet(sys.argv[1])"
		".to_json(sys.stdout, orient='records', lines=True)\" @"),
	MARK(0, "PARE", "is Parquet with encryption, which only its owner's tools read"),
	MARK(0, "ARROW1",
		"is an Arrow (Feather) file; JSON Lines of it: python3 -c \"import pandas, sys; "
		"pandas.read_feather(sys.argv[1]).to_json(sys.stdout, orient='records', "
		"lines=True)\" @"),
	MARK(0, "FEA1",
		"is a Feather file; JSON Lines of it: python3 -c \"import pandas, sys; "
		"pandas.read_feather(sys.argv[1]).to_json(sys.stdout, orient='records', "
		"lines=True)\" @"),
	MARK(0, "\xff\xff\xff\xff",
		"is an Arrow stream; JSON Lines of it: python3 -c \"import datasets, "
		"sys; datasets.Dataset.from_file(sys.argv[1]).to_json('/dev/stdout')\" @"),
	MARK(0, "ORC",
		"is ORC; JSON Lines of it: python3 -c \"import pandas, sys; "
		"pandas.read_orc(sys.argv[1]).to_json(sys.stdout, orient='records', lines=True)\" "
		"@"),
	MARK(0, "Obj\x01", "is Avro: avrocat @ prints JSON Lines of it"),
	MARK(0, "\x89HDF\r\n\x1a\n",
		"is HDF5; JSON Lines of a table in it: python3 -c \"import pandas, "
		"sys; pandas.read_hdf(sys.argv[1]).to_json(sys.stdout, orient='records', "
		"lines=True)\" @"),
	MARK(0, "SQLite format 3\0",
		"is an SQLite database; JSON of a table of it: "
		"sqlite3 -json @ 'SELECT * FROM TABLE'"),
	MARK(0, "\x93NUMPY", "is a NumPy array, not records"),
	MARK(0, "%PDF-", "is a PDF, not records"),
	MARK(0, "\x89PNG", "is a picture, not records"),
	MARK(0, "\xff\xd8\xff", "is a picture, not records"),
	MARK(0, "GGUF",
		"is a GGUF model, not records: pro-model import @ DIR makes a model folder of it"),
	MARK(0,
		"\x7f"
		"ELF",
		"is a program, not records"),
	MARK(0, "version https://git-lfs.github.com/spec/",
		"is a Git LFS pointer, not the file itself: "
		"git lfs pull, in the clone that it is in, fetches that"),
};

static const struct mark texts[] = {
	MARK(0, "<!doctype html",
		"is a web page, not data: was a link to a page saved, not the file's?"),
	MARK(0, "<html", "is a web page, not data: was a link to a page saved, not the file's?"),
	MARK(0, "<?xml", "is XML, not JSON Lines"),
	MARK(0, "---\n", "looks like YAML, not JSON: yq -o json -I 0 @ prints JSON of it"),
	MARK(0, "{'",
		"looks like what Python prints of a dict, not JSON: write it with json.dumps"),
	MARK(0, "[{'",
		"looks like what Python prints of a list, not JSON: write it with json.dumps"),
};

static void
say(struct buf *out, const char *text, const char *name)
{
	const char *at;
	for (; (at = strchr(text, '@')); text = at + 1) {
		buf_put(out, text, (size_t)(at - text));
		/* inside of double quotes the shell's quoting is not at home: SQL's is like it */
		bool sql = at > text && at[-1] == ' ' && at[1] == ')';
		if (strcmp(name, "stdin") == 0)
			buf_puts(out, "FILE");
		else if (sql)
			buf_printf(out, "'%s'", name);
		else
			shell_quote(out, name);
	}
	buf_puts(out, text);
}

/* A line is enough, that a program which writes line by line is not waited for: LINE bytes tell
 * wide text, and all marks with a line end inside are shorter than SHORT.  The last mark is tar's.
 */
bool
sniff_enough(const char *p, size_t n)
{
	enum { LINE = 8, SHORT = 16, LONG = 257 + 5 };
	bool json = n > 0 && *p && strchr(" \t\r\n\x1e\xef{[\"-0123456789tfnNI", *p);
	bool line = n > 0 && memchr(p, '\n', n) && !memchr(p, '\0', n);
	return n >= (json ? SHORT : LONG) || (line && n >= (json ? LINE : SHORT));
}

/* "UTF-16LE" ...: by its byte order mark, or by the zeros beside a first character of ASCII. */
static const char *
wide_text(const unsigned char *p, size_t n)
{
	if (n >= 4 && memcmp(p, "\xff\xfe\0\0", 4) == 0)
		return "UTF-32";
	if (n >= 4 && memcmp(p, "\0\0\xfe\xff", 4) == 0)
		return "UTF-32";
	if (n >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0))
		return "UTF-16";
	if (n >= 8 && memcmp(p, "\0\0\0", 3) == 0 && p[3] && memcmp(p + 4, "\0\0\0", 3) == 0)
		return "UTF-32BE";
	if (n >= 8 && p[0] && memcmp(p + 1, "\0\0\0", 3) == 0 && p[4] &&
		memcmp(p + 5, "\0\0\0", 3) == 0)
		return "UTF-32LE";
	if (n >= 4 && p[0] >= '\t' && p[0] < 0x80 && !p[1] && p[2] && !p[3])
		return "UTF-16LE";
	if (n >= 4 && !p[0] && p[1] >= '\t' && p[1] < 0x80 && !p[2] && p[3])
		return "UTF-16BE";
	return NULL;
}

/* An eight-byte header length and a JSON object: safetensors, and so a frame of a tensor stream. */
static bool
is_safetensors(const unsigned char *p, size_t n)
{
	return n >= 10 && p[8] == '{' && p[9] == '"' && memcmp(p + 4, "\0\0\0", 4) == 0;
}

bool
sniff_binary(const char *p, size_t n, const char *name, struct buf *out)
{
	const unsigned char *u = (const unsigned char *)p;
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		const struct mark *m = &marks[i];
		if (n >= m->at + m->n && memcmp(p + m->at, m->bytes, m->n) == 0) {
			say(out, m->say, name);
			return true;
		}
	}
	const char *wide = wide_text(u, n);
	if (wide) {
		buf_printf(out, "is %s text; records are UTF-8: iconv -f %s -t UTF-8 ", wide, wide);
		say(out, "@ prints it so", name);
	} else if (is_safetensors(u, n)) {
		buf_puts(out,
			"is a tensor stream or a safetensors file, not records (pro-train alone "
			"reads what pro-score --tensors writes)");
	} else if (n >= 4 && u[0] == 0x80 && u[1] >= 2 && u[1] <= 5 &&
		   (u[2] >= 0x80 || strchr("cX}](", u[2]))) {
		buf_puts(out, "is a Python pickle (or PyTorch's save), which only a program that "
			      "trusts its maker may read: write JSON Lines there");
	} else {
		return false;
	}
	return true;
}

/* A header of at least two names, and no line behind it that begins as JSON does. */
static bool
is_table(const char *p, size_t n, char separator)
{
	const char *nl = memchr(p, '\n', n);
	size_t header = nl ? (size_t)(nl - p) : n;
	if (header == 0 || header == n || !memchr(p, separator, header) || memchr(p, '{', header))
		return false;
	for (; nl && nl + 1 < p + n; nl = memchr(nl + 1, '\n', (size_t)(p + n - nl - 1)))
		if (nl[1] == '{')
			return false;
	return true;
}

bool
sniff_text(const char *p, size_t n, const char *name, struct buf *out)
{
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		const struct mark *m = &texts[i];
		if (n >= m->n && strncasecmp(p, m->bytes, m->n) == 0) {
			say(out, m->say, name);
			return true;
		}
	}
	if (is_table(p, n, '\t'))
		say(out,
			"looks like TSV, not JSON: mlr --itsv --ojsonl cat @ prints JSON Lines of "
			"it",
			name);
	else if (is_table(p, n, ','))
		say(out,
			"looks like CSV, not JSON: mlr --icsv --ojsonl cat @ prints JSON Lines of "
			"it",
			name);
	else
		return false;
	return true;
}
