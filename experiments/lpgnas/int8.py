"""Linear maps on whole numbers of eight bits beside those in float32.

    MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 OMP_NUM_THREADS=1 \\
        python experiments/lpgnas/int8.py [--rounds 15] [--device cpu]

An export rounds what enters a linear map and computes in float32. This times the shapes that occur, on one thread,
four ways in turns within one process, and writes the median milliseconds of each to ``int8.csv``:

- ``float``: ``F.linear`` alone, of values that are rounded already;
- ``rounded``: rounding to eight bits and back, then ``F.linear``;
- ``whole``: rounding to eight bits, ``torch._int_mm``, and the scale, the zero and the bias of the result;
- ``dynamic``: ``torch.ops.quantized.linear_dynamic``, which finds the range itself; torch warns that its tensors will
  be taken away, so nothing should be built on it. CPU alone.

``faster_by`` is ``float / whole``: above one, a linear map on whole numbers pays in the place of one in float32, whose
input comes rounded. ``fused_by`` is ``rounded / whole``: above one, it would pay in a network that never makes the
rounded values in float32. All round in place, with as few passes over memory as torch allows. Features are dense random
numbers and weights are symmetric; ``differs`` is the largest difference between the results of ``rounded`` and
``whole``, as a share of the largest result. The first line keeps memory that is freed: asking for it anew takes longer
than any of these maps, and jumps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torch.nn.functional as F
from recording import append, origin
from torch import Tensor

TABLE = Path(__file__).with_name("int8.csv")
NODES, INPUTS, OUTPUTS = (2708, 19717), (64, 256, 500, 1433), (7, 16, 64, 256)
NAMES = ("float", "rounded", "whole", "dynamic")
SEED = 0


def ways(x: Tensor, weight: Tensor, bias: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Each way to the same result; what does not depend on ``x`` is prepared."""
    low, high = x.min().clamp(max=0), x.max().clamp(min=0)
    scale = (high - low) / 255
    zero = torch.round(-low / scale)
    step = weight.abs().max() / 127
    whole = torch.round(weight / step).to(torch.int8)
    rounded, column = whole.float() * step, whole.t()
    shift = (128 - zero) * whole.float().sum(1)  # codes are moved by 128 to fit int8, which sums know

    def fake() -> Tensor:
        code = (x / scale).add_(zero).clamp_(0, 255).round_()
        return F.linear(code.sub_(zero).mul_(scale), rounded, bias)

    def integer() -> Tensor:
        code = (x / scale).add_(zero).clamp_(0, 255).round_().sub_(128).to(torch.int8)
        return torch._int_mm(code, column).float().add_(shift).mul_(scale * step).add_(bias)

    found = {"float": lambda: F.linear(x, rounded, bias), "rounded": fake, "whole": integer}
    if x.device.type == "cpu":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            held = torch.quantize_per_tensor(weight, float(step), 0, torch.qint8)
            packed = torch.ops.quantized.linear_prepack(held, bias)
        found["dynamic"] = lambda: torch.ops.quantized.linear_dynamic(x, packed, True)
    return found


def milliseconds(run: Callable[[], Tensor], device: str) -> float:
    begin = time.perf_counter()
    run()
    if device != "cpu":
        torch.cuda.synchronize()
    return 1000 * (time.perf_counter() - begin)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=TABLE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    name = "cpu" if options.device == "cpu" else torch.cuda.get_device_name()
    for nodes in NODES:
        for inputs in INPUTS:
            for outputs in OUTPUTS:
                append(options.out, {**row(nodes, inputs, outputs, options), "device": name, "seed": SEED, **origin()})


def row(nodes: int, inputs: int, outputs: int, options: argparse.Namespace) -> dict[str, object]:
    """One shape; the first rounds are not counted."""
    x = torch.randn(nodes, inputs, device=options.device)
    weight, bias = torch.randn(outputs, inputs, device=x.device), torch.randn(outputs, device=x.device)
    shape: dict[str, object] = {"nodes": nodes, "inputs": inputs, "outputs": outputs}
    try:
        made = ways(x, weight, bias)
        wanted, got = made["rounded"](), made["whole"]()
    except RuntimeError as error:
        print(shape, error)
        return {**shape, **dict.fromkeys((*NAMES, "faster_by", "fused_by", "differs"), "refused")}
    taken: dict[str, list[float]] = {way: [] for way in made}
    for number in range(options.rounds + 2):
        for way, run in made.items():
            spent = milliseconds(run, options.device)
            if number >= 2:
                taken[way].append(spent)
    median = {way: statistics.median(each) for way, each in taken.items()}
    result = {
        **shape,
        **{way: round(median[way], 4) if way in median else "" for way in NAMES},
        "faster_by": round(median["float"] / median["whole"], 3),
        "fused_by": round(median["rounded"] / median["whole"], 3),
        "differs": float(f"{((wanted - got).abs().max() / wanted.abs().max()).item():.1e}"),
    }
    print(result, flush=True)
    return result


if __name__ == "__main__":
    main()
