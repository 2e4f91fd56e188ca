from __future__ import annotations

import math

import pytest
import sklearn.metrics as reference
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch.nn import functional

from nas.metrics import DEFAULT, METRICS, loss, resolve_metric
from nas.searchspace.errors import BadInput

nan = float("nan")


@st.composite
def classified(draw):
    """``(logits, y)`` with 2 to 4 classes, every class present."""
    classes, items = draw(st.integers(2, 4)), draw(st.integers(8, 30))
    g = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    y = torch.randint(classes, (items,), generator=g)
    y[:classes] = torch.arange(classes)
    return torch.randn(items, classes, generator=g), y


@st.composite
def questions(draw):
    """``(logits, y)`` with 1 to 3 yes/no questions, some labels missing."""
    g = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    shape = draw(st.integers(2, 25)), draw(st.integers(1, 3))
    y = torch.randint(2, shape, generator=g).float()
    y[torch.rand(shape, generator=g) < 0.3] = nan
    return torch.randn(shape, generator=g), y


@given(classified())
def test_classes_measure_as_scikit_learn_does(case):
    logits, y = case
    guess, p = logits.argmax(1), logits.double().softmax(1)
    assert METRICS["accuracy"](logits, y) == pytest.approx(reference.accuracy_score(y, guess))
    assert METRICS["macro-f1"](logits, y) == pytest.approx(reference.f1_score(y, guess, average="macro"))
    assert METRICS["balanced-accuracy"](logits, y) == pytest.approx(reference.balanced_accuracy_score(y, guess))
    two = logits.size(1) == 2
    scores = p[:, 1] if two else p
    assert METRICS["roc-auc"](logits, y) == pytest.approx(reference.roc_auc_score(y, scores, multi_class="ovr"))
    assert METRICS["average-precision"](logits, y) == pytest.approx(reference.average_precision_score(y, scores))


@given(questions())
def test_questions_are_averaged_over_the_columns_that_have_both_answers(case):
    logits, y = case
    scores = {"roc-auc": reference.roc_auc_score, "average-precision": reference.average_precision_score}
    for name, score in scores.items():
        expected = []
        for column in range(y.size(1)):
            known = ~y[:, column].isnan()
            labels = y[known, column]
            if len(labels.unique()) == 2:
                expected.append(score(labels, logits[known, column]))
        value = METRICS[name](logits, y)
        assert math.isnan(value) if not expected else value == pytest.approx(sum(expected) / len(expected))
    known = ~y.isnan()
    assume(known.any())
    assert METRICS["accuracy"](logits, y) == pytest.approx(reference.accuracy_score(y[known], logits[known] > 0))


@given(questions())
def test_numbers_measure_as_scikit_learn_does_on_the_known_ones(case):
    logits, y = case
    known = ~y.isnan()
    assume(known.any())
    assert METRICS["mae"](logits, y) == pytest.approx(reference.mean_absolute_error(y[known], logits[known]), abs=1e-6)
    rmse = reference.root_mean_squared_error(y[known], logits[known])
    assert METRICS["rmse"](logits, y) == pytest.approx(rmse, abs=1e-6)


def test_macro_f1_of_questions():
    logits, y = torch.tensor([[1.0, 1], [-1, 1], [1, -1]]), torch.tensor([[1.0, 1], [0, nan], [0, 0]])
    assert METRICS["macro-f1"](logits, y) == pytest.approx((2 / 3 + 1) / 2)


def test_balanced_accuracy_counts_classes_that_are_there():
    logits, y = torch.eye(4)[[0, 3, 1, 1]] * 5, torch.tensor([0, 0, 1, 1])
    assert METRICS["balanced-accuracy"](logits, y) == pytest.approx((0.5 + 1) / 2)
    logits, y = torch.tensor([[1.0, 1], [-1, 1], [1, -1]]), torch.tensor([[1.0, nan], [1, nan], [0, nan]])
    assert METRICS["balanced-accuracy"](logits, y) == pytest.approx((0.5 + 0) / 2)


def test_a_class_missing_from_the_labels_is_left_out_of_the_mean():
    logits, y = torch.eye(3)[[0, 1, 1]] * 5, torch.tensor([0, 1, 1])
    assert METRICS["roc-auc"](logits, y) == 1
    assert math.isnan(METRICS["roc-auc"](logits, torch.zeros(3, dtype=torch.long)))


@pytest.mark.parametrize("name", METRICS)
def test_perfect_is_best_and_not_finite_is_nan(name):
    metric = METRICS[name]
    y = torch.tensor([0, 1, 1, 0] * 50)
    if "multiclass" in metric.targets:
        good, bad = functional.one_hot(y).float() * 9, functional.one_hot(1 - y).float() * 9
    else:
        y = y[:, None].float()
        good, bad = y, 1 - y
    assert metric.better(metric(good, y), metric(bad, y))
    assert metric(good, y) == (1 if metric.larger_is_better else 0)
    assert math.isnan(metric(good * nan, y))
    assert metric.better(metric(bad, y), nan)
    assert not metric.better(nan, metric(bad, y))
    assert not metric.better(metric(good, y), metric(good, y))
    assert not metric.better(nan, nan)


def test_the_target_chooses_and_a_name_overrides():
    assert {target: resolve_metric(None, target).name for target in DEFAULT} == DEFAULT
    assert resolve_metric("ROC_AUC", "multiclass") is METRICS["roc-auc"]


def test_an_unknown_or_unfit_metric_says_which_fit():
    with pytest.raises(BadInput, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        resolve_metric("acuracy", "multiclass")
    with pytest.raises(BadInput, match="'accuracy' does not fit a regression target; use one of: mae, rmse"):
        resolve_metric("accuracy", "regression")


@given(questions())
def test_missing_labels_teach_nothing(case):
    logits, y = case
    known = ~y.isnan()
    for target, plain in (
        ("multilabel", functional.binary_cross_entropy_with_logits),
        ("regression", functional.mse_loss),
    ):
        variable = logits.clone().requires_grad_()
        value = loss(variable, y, target)
        value.backward()
        assert value.item() == pytest.approx(plain(logits[known], y[known]).item() if known.any() else 0, abs=1e-6)
        assert torch.equal(variable.grad == 0, ~known)


def test_class_weights_weigh():
    logits, y = torch.randn(6, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 0, 1, 0])
    w = torch.tensor([1.0, 2, 0])
    each = -logits.log_softmax(1)[torch.arange(6), y]
    assert loss(logits, y, "multiclass", w) == pytest.approx(((each * w[y]).sum() / w[y].sum()).item(), abs=1e-6)
    q = functional.one_hot(y, 3).float()
    expected = -(w * q * functional.logsigmoid(logits) + (1 - q) * functional.logsigmoid(-logits)).mean()
    assert loss(logits, q, "multilabel", w) == pytest.approx(expected.item(), abs=1e-6)
    with pytest.raises(BadInput, match="class weights need classes"):
        loss(logits, q, "regression", w)
    with pytest.raises(BadInput, match=r"predictions of shape \(6, 3\) do not match labels of shape \(6, 1\)"):
        loss(logits, q[:, :1], "regression")
