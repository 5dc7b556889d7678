"""GGUF files of the tiny models in tests/golden, and random quantised blocks: python make_gguf.py LLAMA_CPP OUT

LLAMA_CPP is a source tree of llama.cpp (the one inside the sdist of PyPI's llama-cpp-python 0.3.36):
its own converter writes the files, its own gguf package dequantises.  Versions: requirements.txt here.

Every model gets a tokenizer trained on a line of text, so that its vocabulary fits; the converter is
told the pre-tokeniser's name, which it would otherwise look up by a hash of known tokenizers.
"""

import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import sentencepiece
from safetensors.numpy import save_file
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

GOLDEN = Path(__file__).resolve().parent.parent
LINES = [
    "The cat's tea isn't 1221, it's 21 cents at last.\n",
    "  A test: THE chat, caf\u00e9 cafe\u0301 1 2 12  \n\nit'S 22 b\n",
]
STRINGS = [
    "the cat", " The cat's tea", "a  test:   chat", "1221 2 12", "it's 21", "it'S", "caf\u00e9", "cafe\u0301s",
    "\n\n", "a \n b", "A test\nTHE cat  \n\n  tea ", "THEchat,.:", "", " ", "at last. 1,2:", "'s 't",
]  # fmt: skip
CASE = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split(regex):
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), "isolated"), byte_level])


def byte_level():
    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


# As in the tokenizer.json of SmolLM2, LLaMA 3, Mistral Nemo, Qwen2 and GPT-NeoX.
PRE = {
    "smollm": lambda: pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), byte_level()]),
    "llama-bpe": lambda: split(CASE + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL),
    "tekken": lambda: split(TEKKEN),
    "qwen2": lambda: split(CASE + r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + TAIL),
    "olmo": byte_level,
}
# name: (source, --outtype, pre, special tokens, first of them before or behind the vocabulary)
BPE = {
    "llama-gqa": ("llama-gqa", "f32", "smollm", "front"),
    "llama3-rope": ("llama3-rope", "bf16", "llama-bpe", "back"),
    "mistral": ("mistral", "f16", "tekken", "front"),
    "qwen2": ("qwen2", "f32", "qwen2", "back"),
    "neox": ("neox", "f32", "olmo", "front"),
}


def train_bpe(vocab, pre, where):
    """A byte-level tokenizer of a few tokens less than vocab: the converter pads."""
    t = Tokenizer(models.BPE(ignore_merges=pre in ("llama-bpe", "tekken")))
    t.pre_tokenizer = PRE[pre]()
    t.decoder = decoders.ByteLevel()
    if pre in ("qwen2", "olmo"):
        t.normalizer = normalizers.NFC()
    special = ["<|a|>", "<|b|>", "<|c|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab - 6, initial_alphabet=[], show_progress=False, special_tokens=special[: 3 * (where == "front")]
    )
    t.train_from_iterator(LINES * 3, trainer)
    t.add_special_tokens(special)
    t.add_tokens(["  <x> "])  # not special: found in any text
    bos = t.token_to_id("<|b|>")
    if pre in ("llama-bpe", "tekken"):
        t.post_processor = processors.TemplateProcessing("<|b|> $A", None, [("<|b|>", bos)])
    return t


def encode_all(t):
    texts = STRINGS + ["a  <x> b"]
    return [{"text": s, "ids": t.encode(s, add_special_tokens=False).ids} for s in texts]


def convert(llama_cpp, folder, outtype, pre, out):
    """The converter, run with the name of the pre-tokeniser given."""
    code = (
        "import sys; sys.argv = ['convert_hf_to_gguf.py'] + sys.argv[2:]\n"
        f"sys.path[:0] = [{str(llama_cpp)!r}, {str(llama_cpp / 'gguf-py')!r}]\n"
        "import json, conversion.base as b, convert_hf_to_gguf as c\n"
        # transformers 5 hides rotary_pct, which the GPT-NeoX converter reads
        "load = b.ModelBase.load_hparams\n"
        "keep = lambda *a, **kw: json.load(open(a[0] / 'config.json')) | load(*a, **kw)\n"
        "b.ModelBase.load_hparams = staticmethod(keep)\n"
        f"b.TextModel.get_vocab_base_pre = lambda self, tokenizer: {pre!r}\n"
        "c.main()\n"
    )
    cmd = [sys.executable, "-c", code, "-", str(folder), "--outfile", str(out), "--outtype", outtype]
    run = subprocess.run(cmd, cwd=llama_cpp, capture_output=True, text=True, check=False)
    if run.returncode:
        raise SystemExit(run.stderr)


def make_bpe(llama_cpp, tmp, out, name):
    source, outtype, pre, where = BPE[name]
    folder = tmp / name
    shutil.copytree(GOLDEN / source, folder)
    config = json.loads((folder / "config.json").read_text())
    t = train_bpe(config["vocab_size"], pre, where)
    t.save(str(folder / "tokenizer.json"))
    bos = pre in ("llama-bpe", "tekken")
    special = {"bos_token": "<|b|>", "eos_token": "<|c|>", "pad_token": "<|c|>", "unk_token": "<|a|>"}
    info = {"tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": bos, "chat_template": "{{ 'x' }}\n\u00e9"}
    (folder / "tokenizer_config.json").write_text(json.dumps(special | info))
    for key in ("bos", "eos"):
        config[key + "_token_id"] = t.token_to_id(special[key + "_token"])
    (folder / "config.json").write_text(json.dumps(config))
    convert(llama_cpp, folder, outtype, pre, out / f"{name}.gguf")
    ids = {"bos": t.token_to_id("<|b|>"), "eos": t.token_to_id("<|c|>"), "adds_bos": bos}
    return ids | {"special": {s: t.token_to_id(s) for s in ("<|a|>", "<|b|>", "<|c|>")}, "strings": encode_all(t)}


def train_spm(folder, vocab, fallback):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 20), model_writer=model, vocab_size=vocab, model_type="bpe", hard_vocab_limit=False,
        byte_fallback=fallback, normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
        minloglevel=2, user_defined_symbols=["<user>"], control_symbols=["<ctl>"], allow_whitespace_only_pieces=True,
    )  # fmt: skip
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    strings = [{"text": s, "ids": sp.encode(s)} for s in [*STRINGS, "\u65e5\u672c \U0001f680"]]
    # Hugging Face's LlamaTokenizer and llama.cpp cut at an added token and begin anew behind it
    ids = sp.encode("a ") + [4] + sp.encode(" b") + [4]
    strings.append({"text": "a <user> b<user>", "ids": ids})
    return {
        "bos": sp.bos_id(),
        "eos": sp.eos_id(),
        "adds_bos": True,
        "special": {"<s>": 1, "</s>": 2},
        "strings": strings,
    }


def make_spm(llama_cpp, tmp, out, name, vocab, fallback):
    folder = tmp / name
    if name == "llama-gqa-q8":
        shutil.copytree(GOLDEN / "llama-gqa", folder)
        config = json.loads((folder / "config.json").read_text())
    else:
        config = json.loads((GOLDEN / "llama-gqa" / "config.json").read_text())
        config |= {"vocab_size": vocab, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
        config |= {"num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": True}
        folder.mkdir()
        rng, c = np.random.default_rng(1), "model.layers.0."
        shapes = {
            "model.embed_tokens.weight": (vocab, 8),
            "model.norm.weight": (8,),
            c + "input_layernorm.weight": (8,),
        }
        shapes |= {c + f"self_attn.{n}_proj.weight": (r, 8) for n, r in (("q", 8), ("k", 4), ("v", 4), ("o", 8))}
        shapes |= {c + f"mlp.{n}_proj.weight": (8, 8) for n in ("gate", "up", "down")}
        shapes[c + "post_attention_layernorm.weight"] = (8,)
        tensors = {k: rng.standard_normal(s).astype(np.float32) for k, s in shapes.items()}
        save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config))
    ids = train_spm(folder, vocab - 3, fallback)
    # the converter takes user-defined pieces from here, not from tokenizer.model
    info = {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True}
    info["added_tokens_decoder"] = {str(i): {"content": t, "special": i == 3} for i, t in ((3, "<ctl>"), (4, "<user>"))}
    (folder / "tokenizer_config.json").write_text(json.dumps(info))
    convert(llama_cpp, folder, "q8_0" if name == "llama-gqa-q8" else "f16", "default", out / f"{name}.gguf")
    return ids


def make_blocks(llama_cpp, out):
    """Random bytes under sane scales, every type; the first block of each has extreme scales."""
    sys.path.insert(0, str(llama_cpp / "gguf-py"))
    import gguf

    rng = np.random.default_rng(7)
    # type: offsets of its halves in a block
    halves = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0]}
    halves |= {"Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
    tensors = {}
    for name, offsets in halves.items():
        kind = gguf.GGMLQuantizationType[name]
        elements, size = gguf.GGML_QUANT_SIZES[kind]
        n = 12 if elements == 32 else 4
        blocks = rng.integers(0, 256, (n, size), dtype=np.uint8)
        for at in offsets:
            scale = (rng.standard_normal(n) * 0.05).astype(np.float16)
            scale[:4] = [6e-8, -65504 if elements == 32 else -900, 0.0, 5.9e-5]  # subnormal, largest, zero, subnormal
            blocks[:, at : at + 2] = scale.view(np.uint8).reshape(n, 2)
        tensors[name + ".blocks"] = blocks.reshape(-1)
        tensors[name + ".floats"] = gguf.quants.dequantize(blocks, kind).astype(np.float32).reshape(-1)
        assert np.isfinite(tensors[name + ".floats"]).all()
    half = np.arange(0, 65536, 37, dtype=np.uint16)
    half = half[np.isfinite(half.view(np.float16))]
    tensors |= {"F16.blocks": half.view(np.uint8), "F16.floats": half.view(np.float16).astype(np.float32)}
    save_file(tensors, out / "blocks.safetensors")
    (out / "blocks.safetensors").chmod(0o644)


def main(llama_cpp, out):
    llama_cpp, out = Path(llama_cpp).resolve(), Path(out).resolve()
    expect = {}
    with tempfile.TemporaryDirectory() as tmp:
        for name in BPE:
            expect[name] = make_bpe(llama_cpp, Path(tmp), out, name)
        for name, vocab, fallback in (("llama-gqa-q8", 89, False), ("spm", 330, True)):
            expect[name] = make_spm(llama_cpp, Path(tmp), out, name, vocab, fallback)
    make_blocks(llama_cpp, out)
    rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expect.items()]
    (out / "expect.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
