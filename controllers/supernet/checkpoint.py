"""The state of a training in a file, written whole or not at all; reading it runs no code."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

import torch


def write(training: Any) -> None:
    """Keep the state of a training in its file, if it has one."""
    if training.file is None:
        return
    state = {
        "key": training.key,
        "epoch": training.epoch,
        "epochs": training.epochs,
        "spent": training.spent,
        "net": training.net.state_dict(),
        "logits": [[logits.detach() for logits in each] for each in training.logits],
        "weights": training.weights.state_dict(),
        "options": [each.state_dict() for each in training.options],
        "history": asdict(training.history),
    }
    training.file.parent.mkdir(parents=True, exist_ok=True)
    temporary = training.file.with_name(f".{training.file.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(training.file)
    finally:
        temporary.unlink(missing_ok=True)


def read(training: Any) -> None:
    """Put a training where its file is; a file that is cut off, or of something else, is left alone."""
    if training.file is None or not training.file.is_file():
        return
    try:
        state = torch.load(training.file, weights_only=True, map_location=training.device)
    except Exception:  # whatever torch makes of it
        return
    if not isinstance(state, dict) or state.get("key") != training.key:
        return
    training.net.load_state_dict(state["net"])
    for mine, held in zip(training.logits, state["logits"], strict=True):
        for logits, value in zip(mine, held, strict=True):
            logits.data.copy_(value)
    training.weights.load_state_dict(state["weights"])
    for optimiser, held in zip(training.options, state["options"], strict=True):
        optimiser.load_state_dict(held)
    training.epoch, training.epochs, training.spent = state["epoch"], state["epochs"], state["spent"]
    training.history = type(training.history)(**state["history"])
