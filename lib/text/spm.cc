extern "C" {
#include "lib/base/mem.h"
#include "lib/text/spm.h"
}

#include <sentencepiece_processor.h>

#include <exception>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <stdio.h>

using sentencepiece::SentencePieceProcessor;

struct spm {
	SentencePieceProcessor model;      /* as the file says */
	SentencePieceProcessor unprefixed; /* the same with add_dummy_prefix off */
	bool has_prefix = false;
};

namespace
{

/*
 * ModelProto.normalizer_spec (field 3) holding add_dummy_prefix (field 3) = false.  A message field
 * that appears again is merged into the first, so these bytes behind a serialised model switch the
 * prefix off and change nothing else
 * (https://protobuf.dev/programming-guides/encoding/#last-one-wins).
 */
const char kNoDummyPrefix[] = {0x1a, 0x02, 0x18, 0x00};

bool
load(SentencePieceProcessor *p, const std::string &bytes, std::string *why)
{
	const auto status = p->LoadFromSerializedProto(bytes);
	if (!status.ok())
		*why = status.ToString();
	return status.ok();
}

/* operator new ends the program as x_malloc does, from the static constructors of the libraries on:
 * a bad_alloc would come out as a broken model, or as terminate(). */
void
new_handler_first(int, char **, char **)
{
	std::set_new_handler([] { mem_fail(); });
}

__attribute__((section(".preinit_array"), used)) void (*const hook)(
	int, char **, char **) = new_handler_first;

} // namespace

extern "C" struct spm *
spm_load(const void *data, size_t n, char *why, size_t why_size)
{
	std::string message = "not a SentencePiece model";
	try {
		std::unique_ptr<spm> s(new spm);
		std::string bytes(static_cast<const char *>(data), n);
		bool ok = n > 0 && load(&s->model, bytes, &message);
		bytes.append(kNoDummyPrefix, sizeof kNoDummyPrefix);
		if (ok && load(&s->unprefixed, bytes, &message) && s->model.GetPieceSize() > 0) {
			s->has_prefix = s->model.EncodeAsIds("a") != s->unprefixed.EncodeAsIds("a");
			return s.release();
		}
	} catch (const std::exception &x) {
		message = x.what();
	} catch (...) {
	}
	snprintf(why, why_size, "%s", message.c_str());
	return nullptr;
}

extern "C" void
spm_free(struct spm *s)
{
	delete s;
}

extern "C" int32_t
spm_size(const struct spm *s)
{
	return s->model.GetPieceSize();
}

extern "C" bool
spm_has_prefix(const struct spm *s)
{
	return s->has_prefix;
}

extern "C" int
spm_encode(const struct spm *s, const char *text, size_t n, bool prefix, struct ids *out)
{
	try {
		std::vector<int> ids;
		const SentencePieceProcessor &p = prefix ? s->model : s->unprefixed;
		if (!p.Encode(absl::string_view(text, n), &ids).ok())
			return -1;
		for (int id : ids)
			ids_push(out, id);
		return 0;
	} catch (...) {
		return -1;
	}
}

extern "C" const char *
spm_piece(const struct spm *s, int32_t id, size_t *n)
{
	const std::string &piece = s->model.IdToPiece(id);
	*n = piece.size();
	return piece.c_str();
}

extern "C" enum spm_kind
spm_piece_kind(const struct spm *s, int32_t id)
{
	return s->model.IsControl(id)   ? SPM_CONTROL
	       : s->model.IsUnknown(id) ? SPM_UNKNOWN
	       : s->model.IsByte(id)    ? SPM_BYTE
					: SPM_NORMAL;
}

extern "C" int32_t
spm_find(const struct spm *s, const char *piece)
{
	int id = s->model.PieceToId(piece); /* unk for what is not there */
	return s->model.IdToPiece(id) == piece ? id : -1;
}

extern "C" int32_t
spm_bos(const struct spm *s)
{
	return s->model.bos_id();
}

extern "C" int32_t
spm_eos(const struct spm *s)
{
	return s->model.eos_id();
}
