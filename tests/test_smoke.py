"""The whole way once, as a user goes it: a space of one's own, a search, a look, an export that stands alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.smoke, pytest.mark.slow]

SPACE = """
from nas import Network, Value, architecture, choice, repeat


@architecture
class Layer:
    conv: str = choice("gcn", "gat", "sage")
    heads: int | None = choice(1, 4, when=lambda layer: layer.conv == "gat")


@architecture
class MySpace:
    layers: tuple[Layer, ...] = repeat(Layer, 1, 2)
    hidden: int = choice(8, 16)

    def network(self, net: Network) -> Value:
        x = net.x
        for layer in self.layers:
            x = net.activation("relu", net.operator(layer.conv, x, self.hidden, heads=layer.heads))
        return x
"""

ALONE = """
import sys, warnings
warnings.simplefilter("ignore")
sys.modules["nas"] = None
try:
    import nas
    sys.exit("nas can be imported")
except ImportError:
    pass
sys.path.insert(0, sys.argv[1])
import torch
from predict import load_model
model = load_model(sys.argv[1])
kept = torch.load(sys.argv[2], weights_only=True)
with torch.no_grad():
    y = model(kept["x"], kept["edge_index"])
    program = torch.export.load(sys.argv[1] + "/model.pt2").module()(kept["x"], kept["edge_index"])
print(float((y - kept["y"]).abs().max()), float((program - kept["y"]).abs().max()))
"""


def test_from_a_space_of_ones_own_to_a_network_that_stands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from nas.cli.main import run

    monkeypatch.setenv("NAS_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_space.py").write_text(SPACE)
    search = ["--space", "my_space.py:MySpace", "--controller", "evolution", "--trials", "3", "--epochs", "20"]
    assert run(["search", "--data", "digits", *search, "--device", "cpu", "--name", "mine", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trials"] == 3
    assert found["failed"] == 0
    assert found["top"][0]["metrics"]["valid_accuracy"] > 0.3  # ten classes
    assert (tmp_path / "runs/mine/report.html").stat().st_size > 10_000
    assert run(["show", "mine"]) == 0
    assert "best 3 of 3 trials" in capsys.readouterr().out
    assert run(["export", "mine", "--to", "model"]) == 0
    assert "model.py" in capsys.readouterr().out
    import torch

    import nas

    result = nas.open_run("mine")
    batch = result.plan.task.test[0]
    with torch.no_grad():
        y = result.module()(batch.x, batch.edge_index)
    accuracy = (y[batch.index].argmax(dim=1) == batch.y).double().mean().item()
    assert accuracy == pytest.approx(result.best.metrics["test_accuracy"])
    torch.save({"x": batch.x, "edge_index": batch.edge_index, "y": y}, "kept.pt")
    command = [sys.executable, "-I", "-c", ALONE, str(tmp_path / "model"), "kept.pt"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    module, program = map(float, done.stdout.split())
    assert module <= 1e-6
    assert program <= 1e-5 * max(1.0, float(y.abs().max()))
