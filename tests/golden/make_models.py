"""Make the model fixtures and the AdamW fixture: python make_models.py OUTDIR

Every model is a tiny transformers model with random weights that are exact in its storage type.
Expected values come from a float64 run of the transformers model; the three places where transformers
falls back to float32 (RMSNorm, the rotary angles, the eager softmax) are replaced or avoided, and the
result is checked against the untouched model in float32.
"""

import copy
import hashlib
import json
import os
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
import transformers
from safetensors.torch import save_file
from torch import nn
from transformers import (
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    GPTNeoXModel,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaForSequenceClassification,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()

LLAMA = {
    "vocab_size": 89,
    "hidden_size": 32,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_act": "silu",
    "max_position_embeddings": 40,
    "rms_norm_eps": 1e-05,
    "attention_bias": False,
    "mlp_bias": False,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
NEOX = {
    "vocab_size": 53,
    "hidden_size": 32,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "hidden_act": "gelu",
    "max_position_embeddings": 40,
    "layer_norm_eps": 1e-05,
    "rotary_pct": 0.25,
    "rotary_emb_base": 10000,
    "use_parallel_residual": True,
    "attention_bias": True,
    "tie_word_embeddings": False,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
LLAMA3_SCALING = {
    "factor": 8.0,
    "high_freq_factor": 4.0,
    "low_freq_factor": 1.0,
    "original_max_position_embeddings": 32,
    "rope_type": "llama3",
}


class NeoXReward(nn.Module):
    """The layout of the Open-Assistant reward models: a GPT-NeoX body and a linear head with a bias."""

    def __init__(self, config):
        super().__init__()
        self.gpt_neox = GPTNeoXModel(config)
        self.out_proj = nn.Linear(config.hidden_size, 1)
        self.config = config


# name: (model class, config class, config in the spelling of transformers 4, model_type, architecture, dtype)
MODELS = {
    "llama-gqa": (LlamaForCausalLM, LlamaConfig, LLAMA, "llama", "LlamaForCausalLM", torch.float32),
    "llama3-rope": (
        LlamaForCausalLM,
        LlamaConfig,
        # theta and original length put one frequency in each band: kept, smoothed, divided (two)
        LLAMA
        | {"rope_theta": 150.0, "rope_scaling": LLAMA3_SCALING, "tie_word_embeddings": True}
        | {"vocab_size": 71, "head_dim": 8},
        "llama",
        "LlamaForCausalLM",
        torch.bfloat16,
    ),
    "qwen2": (
        Qwen2ForCausalLM,
        Qwen2Config,
        {k: v for k, v in LLAMA.items() if k not in ("attention_bias", "mlp_bias", "rope_scaling")}
        | {
            "vocab_size": 61,
            "num_key_value_heads": 1,
            "rms_norm_eps": 1e-06,
            "rope_theta": 1000000.0,
            "tie_word_embeddings": True,
            "use_sliding_window": False,
            "sliding_window": 4,
            "max_window_layers": 2,
        },
        "qwen2",
        "Qwen2ForCausalLM",
        torch.float32,
    ),
    "mistral": (
        MistralForCausalLM,
        MistralConfig,
        {k: v for k, v in LLAMA.items() if k not in ("attention_bias", "mlp_bias", "rope_scaling")}
        # q_proj is 24 x 32 and o_proj 32 x 24: head_dim is not hidden_size / heads
        | {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 12, "rope_theta": 1000.0}
        | {"vocab_size": 53, "sliding_window": None},
        "mistral",
        "MistralForCausalLM",
        torch.float16,
    ),
    "neox": (GPTNeoXForCausalLM, GPTNeoXConfig, NEOX, "gpt_neox", "GPTNeoXForCausalLM", torch.float32),
    "neox-serial": (
        GPTNeoXForCausalLM,
        GPTNeoXConfig,
        NEOX
        | {"vocab_size": 47, "num_attention_heads": 4, "rotary_pct": 0.5, "rotary_emb_base": 1000}
        | {"use_parallel_residual": False},
        "gpt_neox",
        "GPTNeoXForCausalLM",
        torch.float32,
    ),
    "llama-reward": (
        LlamaForSequenceClassification,
        LlamaConfig,
        LLAMA | {"vocab_size": 43, "pad_token_id": 0, "id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}},
        "llama",
        "LlamaForSequenceClassification",
        torch.float32,
    ),
    "neox-reward": (
        NeoXReward,
        GPTNeoXConfig,
        NEOX | {"vocab_size": 41},
        "gpt_neox_reward_model",
        "GPTNeoXRewardModel",
        torch.float32,
    ),
}


# ---------------------------------------------------------------- float64


def rms_norm(self, x):
    return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.variance_epsilon))


def inverse_frequencies(spec, head_dim):
    """RoPE's inverse frequencies in float64, with the llama3 scaling where the config asks for it."""
    dim = int(head_dim * spec.get("rotary_pct", 1.0))
    base = spec.get("rope_theta", spec.get("rotary_emb_base"))
    freq = 1.0 / base ** (torch.arange(0, dim, 2, dtype=torch.float64) / dim)
    s = spec.get("rope_scaling")
    if s is None:
        return freq
    turns = s["original_max_position_embeddings"] * freq / (2 * torch.pi)
    smooth = (turns - s["low_freq_factor"]) / (s["high_freq_factor"] - s["low_freq_factor"])
    smooth = smooth.clamp(0, 1)
    return (1 - smooth) * freq / s["factor"] + smooth * freq


class Rotary64(nn.Module):
    def __init__(self, freq):
        super().__init__()
        self.freq = freq

    def forward(self, x, position_ids):
        angle = position_ids[..., None].double() * self.freq
        angle = torch.cat((angle, angle), dim=-1)
        return angle.cos(), angle.sin()


def to_float64(model, spec):
    """Turn a transformers model into one that computes in float64 from end to end."""
    model = model.double()
    heads = spec["num_attention_heads"]
    freq = inverse_frequencies(spec, spec.get("head_dim", spec["hidden_size"] // heads))
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child).__name__.endswith("RotaryEmbedding"):
                assert torch.allclose(child.inv_freq.double(), freq, rtol=1e-6, atol=0), (child.inv_freq, freq)
                setattr(parent, name, Rotary64(freq))
            elif type(child).__name__.endswith("RMSNorm"):
                child.forward = rms_norm.__get__(child)
    return model


# ---------------------------------------------------------------- models


def randomise(model, dtype, seed):
    """Random weights, biases and norm gains, each exact in dtype."""
    gen = torch.Generator().manual_seed(seed)
    for name, p in sorted(named_parameters(model)):
        x = torch.randn(p.shape, generator=gen, dtype=torch.float64)
        if "norm" in name:
            x = 1 + 0.3 * x if name.endswith("weight") else 0.2 * x
        elif name.endswith("bias"):
            x = 0.3 * x
        elif "embed_tokens" in name or "embed_in" in name:
            x = (0.4 if model.config.tie_word_embeddings else 0.8) * x
        elif name in ("lm_head.weight", "embed_out.weight", "score.weight", "out_proj.weight"):
            x = 0.35 * x
        else:
            x = x * 1.2 / p.shape[1] ** 0.5
        p.data.copy_(x.to(dtype))


def named_parameters(model):
    """Name and parameter, under the names that checkpoints use."""
    for name, p in model.named_parameters():
        if isinstance(model, GPTNeoXForCausalLM):
            name = name.replace("lm_head.", "embed_out.")  # transformers 5 renamed it in memory
        yield name, p


def build(name, f64=True):
    cls, config_cls, spec, _, _, dtype = MODELS[name]
    config = config_cls(**copy.deepcopy(spec), attn_implementation="sdpa")
    model = cls(config).float().eval()
    randomise(model, dtype, int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))
    return to_float64(model, spec) if f64 else model


def save_tensors(tensors, path, metadata=None):
    tmp = path.with_name(path.name + ".tmp")
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, tmp, metadata)
    os.chmod(tmp, 0o644)
    os.replace(tmp, path)


def save_text(text, path):
    tmp = path.with_name(path.name + ".tmp")
    tmp.write_text(text, encoding="utf-8")
    os.replace(tmp, path)


def save_json(obj, path):
    """One top-level key a line, and one element a line for a list of objects."""
    rows = []
    for key, value in obj.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            text = "[\n  " + ",\n  ".join(json.dumps(v) for v in value) + "\n ]"
        else:
            text = json.dumps(value)
        rows.append(f" {json.dumps(key)}: {text}")
    save_text("{\n" + ",\n".join(rows) + "\n}\n", path)


def save_model(name, model, folder):
    _, _, spec, model_type, architecture, dtype = MODELS[name]
    config = spec | {
        "architectures": [architecture],
        "model_type": model_type,
        "torch_dtype": str(dtype).removeprefix("torch."),
        "transformers_version": "4.44.2",
        "use_cache": True,
    }
    tensors = {k: v.detach().to(dtype) for k, v in named_parameters(model)}
    if name == "neox-reward":
        config["pooling"] = "last"
        # buffers that older GPT-NeoX checkpoints hold; a loader ignores them
        for i in range(spec["num_hidden_layers"]):
            at = f"gpt_neox.layers.{i}.attention."
            n = spec["max_position_embeddings"]
            tensors[at + "bias"] = torch.ones(n, n, dtype=torch.bool).tril()[None, None]
            tensors[at + "masked_bias"] = torch.tensor(-1e9)
            tensors[at + "rotary_emb.inv_freq"] = inverse_frequencies(spec, 16).float()
    save_text(json.dumps(config, indent=2, sort_keys=True) + "\n", folder / "config.json")
    if name == "llama3-rope":
        keys = sorted(tensors)
        shards = [[k for k in keys if ".layers.1." not in k], [k for k in keys if ".layers.1." in k]]
        where = {}
        for i, shard in enumerate(shards, 1):
            file = f"model-{i:05d}-of-00002.safetensors"
            save_tensors({k: tensors[k] for k in shard}, folder / file, {"format": "pt"})
            where |= dict.fromkeys(shard, file)
        total = sum(t.numel() * t.element_size() for t in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}
        save_text(json.dumps(index, indent=2) + "\n", folder / "model.safetensors.index.json")
        v5 = json.loads(model.config.to_json_string(use_diff=False))
        v5 |= {"architectures": [architecture], "dtype": config["torch_dtype"]}
        keep = set(config) | {"dtype", "rope_parameters"}
        v5 = {k: v for k, v in v5.items() if k in keep}
        save_text(json.dumps(v5, indent=2, sort_keys=True) + "\n", folder / "config.v5.json")
    else:
        save_tensors(tensors, folder / "model.safetensors", {"format": "pt"})


# ---------------------------------------------------------------- cases


def ids(gen, length, vocab):
    return torch.randint(3, vocab, (length,), generator=gen).tolist()


def policy_cases(name):
    """Seven records; see README.md for what each one is there for."""
    vocab = MODELS[name][2]["vocab_size"]
    gen = torch.Generator().manual_seed(1040 + len(name))
    shape = [
        (7, [3, 5], [0.75, 0.25]),
        (1, [4, 1, 6], [1.5, 1.5, 1.5]),
        (24, [9, 12, 1, 7, 3], [2.125, 0.875, 0.875, -0.3, -1.6]),
        (12, [5, 5, 8, 2], [0.4, 0.4, -0.1, -3.8]),
        (3, [1, 2], [0.5, 0.5]),
        (5, [1, 3], [0.27, 0.25]),
        (10, [6, 2, 4], [-0.5, -1.09, -1.7]),
    ]
    records = []
    for prompt, lengths, rewards in shape:
        responses = [ids(gen, n, vocab) for n in lengths]
        if prompt == 12:
            responses[1][:3] = responses[0][:3]  # a common prefix
        records.append({"prompt_ids": ids(gen, prompt, vocab), "responses": responses, "rewards": rewards})
    return records


def reward_cases(name):
    vocab = MODELS[name][2]["vocab_size"]
    gen = torch.Generator().manual_seed(2000 + len(name))
    records = []
    for prompt, lengths in [(6, [4, 7]), (0, [1, 9, 3]), (20, [12, 8, 1, 10, 5]), (11, [6, 6, 2, 9]), (3, [5, 5])]:
        head = ids(gen, prompt, vocab)
        records.append({"responses": [head + ids(gen, n, vocab) for n in lengths]})
    records[4]["responses"][1] = records[4]["responses"][0]  # identical: scores tie
    return records


def save_cases(records, folder):
    save_text("".join(json.dumps(r, separators=(",", ":")) + "\n" for r in records), folder / "cases.jsonl")


# ---------------------------------------------------------------- losses


def pro_terms(r, rewards, temperature=True):
    """The terms k = 1 .. n-1 of the PRO loss (eq. 8, 9, 10, 11)."""
    terms = []
    for k in range(len(rewards) - 1):
        gaps = [rewards[k] - rewards[i] for i in range(k + 1, len(rewards))]
        d = torch.tensor([max(gaps)] + gaps, dtype=r.dtype) if temperature else torch.ones(len(gaps) + 1)
        x = r[k:] * d.to(r.dtype)
        terms.append(torch.logsumexp(x, 0) - x[0])
    return torch.stack(terms)


def token_logprobs(model, prompt, response):
    """Log-probability of every response token, from one forward pass over prompt + response."""
    logits = model(input_ids=torch.tensor([prompt + response]), use_cache=False).logits[0]
    at = logits[len(prompt) - 1 : -1].log_softmax(-1)
    return at[torch.arange(len(response)), torch.tensor(response)]


def record_losses(model, record):
    lp = [token_logprobs(model, record["prompt_ids"], y) for y in record["responses"]]
    r = torch.stack([x.mean() for x in lp])
    beta = 0.05 * (len(lp) - 1) ** 2
    terms, plain = pro_terms(r, record["rewards"]), pro_terms(r, record["rewards"], temperature=False)
    sft = -lp[0].sum()
    return {
        "logprobs": lp,
        "mean_logprob": r,
        "pro_loss": terms.sum(),
        "pro_loss_rank": terms,
        "sft_nll": sft,
        "beta": beta,
        "loss": terms.sum() + beta * sft,
        "loss_no_temperature": plain.sum() + beta * sft,
        "loss_first_only": terms[0] + beta * sft,
        "loss_no_temperature_first_only": plain[0] + beta * sft,
        "loss_no_sft": terms.sum(),
    }


def score(model, tokens):
    x = torch.tensor([tokens])
    if isinstance(model, NeoXReward):
        return model.out_proj(model.gpt_neox(input_ids=x, use_cache=False).last_hidden_state[0, -1])[0]
    return model.score(model.model(input_ids=x, use_cache=False).last_hidden_state[0, -1])[0]


def pairwise(s):
    i, k = torch.triu_indices(len(s), len(s), 1)
    return F.softplus(s[k] - s[i]).mean()


def listwise(s):
    return torch.stack([torch.logsumexp(s[k:], 0) - s[k] for k in range(len(s) - 1)]).sum()


def gradients(model, loss):
    params = dict(named_parameters(model))
    grads = torch.autograd.grad(loss, params.values(), retain_graph=True)
    return dict(zip(params, grads)), torch.stack([g.pow(2).sum() for g in grads]).sum().sqrt().item()


def plain_json(value):
    return value.tolist() if isinstance(value, torch.Tensor) else value


def mean_of(results, key):
    return torch.stack([r[key] for r in results]).mean()


def expect_policy(name, model, records, folder):
    results = [record_losses(model, r) for r in records]
    tensors = {f"logprobs.{i}.{k}": x for i, r in enumerate(results) for k, x in enumerate(r["logprobs"])}
    out = {"records": [{k: plain_json(v) for k, v in r.items() if k != "logprobs"} for r in results]}
    for key in ("loss", "loss_no_temperature", "loss_first_only", "loss_no_temperature_first_only", "loss_no_sft"):
        loss = mean_of(results, key)
        grads, norm = gradients(model, loss)
        out[key] = loss.item()
        out["grad_norm" + key.removeprefix("loss")] = norm
        if key == "loss":
            tensors |= {"grad." + k: g for k, g in grads.items()}
    save_tensors(tensors, folder / "expect.safetensors")
    save_json(out, folder / "expect.json")

    stock = build(name, f64=False)
    results32 = [record_losses(stock, r) for r in records]
    loss = mean_of(results32, "loss")
    return abs(loss.item() / out["loss"] - 1), grad_error(stock, loss, tensors)


def expect_reward(name, model, records, folder):
    scores = [torch.stack([score(model, y) for y in r["responses"]]) for r in records]
    results = [{"scores": s, "loss": pairwise(s), "loss_listwise": listwise(s)} for s in scores]
    out = {"records": [{k: plain_json(v) for k, v in r.items()} for r in results]}
    tensors = {f"score.{i}": s for i, s in enumerate(scores)}
    for key in ("loss", "loss_listwise"):
        loss = mean_of(results, key)
        grads, norm = gradients(model, loss)
        out[key] = loss.item()
        out["grad_norm" + key.removeprefix("loss")] = norm
        if key == "loss":
            tensors |= {"grad." + k: g for k, g in grads.items()}
    save_tensors(tensors, folder / "expect.safetensors")
    save_json(out, folder / "expect.json")

    stock = build(name, f64=False)
    loss = torch.stack([pairwise(torch.stack([score(stock, y) for y in r["responses"]])) for r in records]).mean()
    return abs(loss.item() / out["loss"] - 1), grad_error(stock, loss, tensors)


def grad_error(stock, loss, tensors):
    """Largest error of the float32 gradients, relative to the largest entry of each tensor."""
    grads, norm = gradients(stock, loss)
    errors = []
    for name, g in grads.items():
        want = tensors["grad." + name]
        # a reward head's bias has no gradient: all scores of a record shift alike
        errors.append(((g - want).abs().max() / want.abs().max().clamp(min=1e-4 * norm)).item())
    return max(errors)


# ---------------------------------------------------------------- AdamW


def train(model, records, steps=10, lr=5e-3):
    opt = torch.optim.AdamW(model.parameters(), lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    log = []
    for step in range(steps):
        batch = [(2 * step + j) % len(records) for j in range(2)]
        loss = torch.stack([record_losses(model, records[i])["loss"] for i in batch]).mean()
        opt.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        log.append({"records": batch, "loss": loss.item(), "grad_norm": norm.item(), "lr": lr})
    return log, {k: p.detach().double() for k, p in named_parameters(model)}


def make_adamw(out):
    name = "llama-gqa"
    records = policy_cases(name)
    folder = out / "adamw"
    folder.mkdir(exist_ok=True)
    start = {k: p.detach().double() for k, p in named_parameters(build(name))}
    log, final = train(build(name), records)
    log32, final32 = train(build(name, f64=False), records)
    save_tensors({k: v.float() for k, v in final.items()}, folder / "final.safetensors", {"format": "pt"})
    expect = {
        "model": name,
        "cases": name + "/cases.jsonl",
        "lr": 5e-3,
        "betas": [0.9, 0.999],
        "eps": 1e-8,
        "weight_decay": 0.01,
        "max_grad_norm": 1.0,
        "batch": 2,
        "steps": log,
        "max_abs_change": max((final[k] - start[k]).abs().max().item() for k in final),
        "float32_run": {
            "max_abs_error": max((final[k] - final32[k]).abs().max().item() for k in final),
            "rms_error": rms([final[k] - final32[k] for k in final]),
            "max_rel_loss_error": max(abs(b["loss"] / a["loss"] - 1) for a, b in zip(log, log32)),
            "max_rel_grad_norm_error": max(abs(b["grad_norm"] / a["grad_norm"] - 1) for a, b in zip(log, log32)),
        },
        "rms_change": rms([final[k] - start[k] for k in final]),
    }
    save_json(expect, folder / "expect.json")


def rms(tensors):
    return torch.cat([t.flatten() for t in tensors]).pow(2).mean().sqrt().item()


def check_reload(name, folder, model):
    """What transformers itself loads from the folder gives the same output."""
    cls = MODELS[name][0]
    if cls is NeoXReward:
        return
    x = torch.arange(3, 40)[None]
    loaded, info = cls.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not any(info.values()), info
    a, b = loaded.eval()(input_ids=x).logits, model(input_ids=x).logits
    assert torch.allclose(a.double(), b, atol=2e-5), (name, (a - b).abs().max())
    for (k, a), (_, b) in zip(loaded.named_parameters(), model.named_parameters(), strict=True):
        assert torch.equal(a.double(), b), k


def main(out):
    for name in MODELS:
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        model = build(name)
        save_model(name, model, folder)
        is_reward = name.endswith("reward")
        records = reward_cases(name) if is_reward else policy_cases(name)
        save_cases(records, folder)
        errors = (expect_reward if is_reward else expect_policy)(name, model, records, folder)
        check_reload(name, folder, model)
        print(f"{name}: float32 loss error {errors[0]:.1e}, gradient error {errors[1]:.1e}", flush=True)
    make_adamw(out)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
