"""The learning rate near the end of a training's time, with a clock that is set by hand."""

import pytest
import torch

from nas.evaluation import cooling
from nas.evaluation.cooling import COOLED, Cooling


class Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(cooling, "time", clock)
    return clock


def optimiser(lr: float = 0.2) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


def test_what_will_not_get_through_is_cooled_over_the_last_of_its_time(clock: Clock) -> None:
    sgd = optimiser()
    cool = Cooling(sgd, epochs=1000, seconds=100.0)
    seen = {}
    for second in range(101):
        clock.now = float(second)
        cool.step(epoch=second + 1)  # a tenth of the pace that is needed
        assert not cool.late
        seen[second] = sgd.param_groups[0]["lr"]
    begin = round(100 * (1 - COOLED))
    assert [seen[second] for second in range(begin + 1)] == [0.2] * (begin + 1)
    assert seen[begin + round(50 * COOLED)] == pytest.approx(0.1)
    assert list(seen.values()) == sorted(seen.values(), reverse=True)
    assert 0 < seen[100] < 0.001
    clock.now = 100.5
    assert cool.late


def test_what_gets_through_in_time_or_has_no_limit_is_left_alone(clock: Clock) -> None:
    for seconds, pace in ((100.0, 11), (None, 1)):
        sgd, clock.now = optimiser(), 0.0
        cool = Cooling(sgd, epochs=1000, seconds=seconds)
        for second in range(95):
            clock.now = float(second)
            cool.step(epoch=min(1000, pace * (second + 1)))
        assert sgd.param_groups[0]["lr"] == 0.2
        clock.now = 1e9
        assert cool.late is (seconds is not None)


def test_a_schedule_goes_on_underneath(clock: Clock) -> None:
    sgd = optimiser()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, 100)
    cool = Cooling(sgd, epochs=100, seconds=100.0)
    for epoch in range(1, 51):
        clock.now = 0.5 * (epoch - 1) if epoch < 50 else 80.0
        cool.step(epoch)
        sgd.step()
        schedule.step()
    assert sgd.param_groups[0]["lr"] == pytest.approx(0.1 * 0.2 / COOLED)


def test_a_falling_clock_does_not_heat(clock: Clock) -> None:
    sgd = optimiser()
    cool = Cooling(sgd, epochs=1000, seconds=100.0)
    rates = []
    for clock.now in (90.0, 70.0, 95.0):
        cool.step(epoch=5)
        rates.append(sgd.param_groups[0]["lr"])
    assert rates == pytest.approx([0.2 * 0.1 / COOLED, 0.2 * 0.1 / COOLED, 0.2 * 0.05 / COOLED])
