"""Do transformers and pro agree on folders that pro-train wrote?

    pro-score --reward RM records.jsonl | pro-score --policy POLICY --tensors |
        python tests/golden/check_transformers.py POLICY [RM]

Reads the tensor stream (pro-tensors(5)): ids, our log-probabilities and rewards.  Loads the same folders with
AutoModelForCausalLM and AutoModelForSequenceClassification in float32 and prints the largest differences; exits 1
above 1e-4.  RM must share the policy's tokenizer and template, so that its ids are the policy's.
"""

import json
import struct
import sys

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

DTYPES = {"I32": np.int32, "I64": np.int64, "F32": np.float32, "F64": np.float64}


def frames(stream):
    """Each frame as (metadata, {name: array}), the end frame left out."""
    while head := stream.read(8):
        size = struct.unpack("<Q", head)[0]
        header = json.loads(stream.read(size))
        meta = header.pop("__metadata__", {})
        end = max((t["data_offsets"][1] for t in header.values()), default=0)
        data = stream.read(end)
        if "end" in meta:
            return
        yield meta, {
            name: np.frombuffer(data[slice(*t["data_offsets"])], DTYPES[t["dtype"]]).reshape(t["shape"])
            for name, t in header.items()
        }
    raise SystemExit("the stream has no end frame")


def main():
    policy = AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype=torch.float32).eval()
    rm = None
    if len(sys.argv) > 2:
        rm = AutoModelForSequenceClassification.from_pretrained(sys.argv[2], dtype=torch.float32).eval()
        rm.config.pad_token_id = None
    worst_logprob = worst_reward = 0.0
    count = 0
    with torch.no_grad():
        for _, t in frames(sys.stdin.buffer):
            prompt = torch.from_numpy(t["prompt_ids"].astype(np.int64))
            for k in range(len(t["response_offsets"]) - 1):
                part = slice(t["response_offsets"][k], t["response_offsets"][k + 1])
                response = torch.from_numpy(t["response_ids"][part].astype(np.int64))
                ids = torch.cat([prompt, response])[None]
                logits = policy(ids).logits[0, len(prompt) - 1 : -1]
                logprobs = logits.log_softmax(-1).gather(1, response[:, None])[:, 0].numpy()
                worst_logprob = max(worst_logprob, np.abs(logprobs - t["logprobs"][part]).max())
                if rm is not None:
                    worst_reward = max(worst_reward, abs(rm(ids).logits[0, 0].item() - t["rewards"][k]))
                count += 1
    print(f"{count} responses: log-probabilities within {worst_logprob:.2g}, rewards within {worst_reward:.2g}")
    sys.exit(int(count == 0 or bool(worst_logprob > 1e-4) or worst_reward > 1e-4))


main()
