"""What holds in every space: the registered ones, a few declared ones, and random ones."""

from __future__ import annotations

import dataclasses
import json
import random
from itertools import islice
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from nas.searchspace import BadInput, Space
from nas.searchspace.domains import Choice, Integer, Real
from nas.searchspace.encodings import columns, one_hot, text
from nas.searchspace.moves import mutate
from nas.searchspace.spaces.registry import SPACES as REGISTERED
from nas.searchspace.spaces.registry import find
from nas.searchspace.task import Task
from nas.settings import Settings
from nas.study.jobs import recipe_of
from tests.searchspace.declared import EVERY, GRAPH, NODE, Conditional, Fixed, Flat, Forbidding, Numbers, Pair, classes

SPACES = pytest.mark.parametrize("space", EVERY.values(), ids=EVERY.keys())
FEW = settings(max_examples=40, suppress_health_check=list(HealthCheck))


def sampled(space: Space[Any], n: int, seed: int = 0) -> list[Any]:
    rng = random.Random(seed)
    return [space.sample(rng) for _ in range(n)]


def changed(space: Space[Any], before: Any, after: Any) -> list[str]:
    """Paths that both have, with other values."""
    old, new = space.knobs(before), space.knobs(after)
    return [path for path in old.keys() & new.keys() if old[path] != new[path]]


def obeys(space: Space[Any], seed: int) -> None:
    rng = random.Random(seed)
    a, b = space.sample(rng), space.sample(rng)

    knobs = space.knobs(a)
    assert space.from_knobs(knobs) == a
    assert space.from_json(json.loads(json.dumps(space.to_json(a)))) == a
    assert space.decode(lambda path, domain: knobs[path]) == a
    assert eval(repr(a), scope(space.of)) == a
    assert dataclasses.replace(a) == a
    assert hash(dataclasses.replace(a)) == hash(a)

    domains = space.domains(a)
    assert domains.keys() == knobs.keys()
    assert all(domain.contains(knobs[path]) for path, domain in domains.items())
    every = space.every_knob()
    assert {path: every[path] for path in domains} == domains

    assert (a == b) == (knobs == space.knobs(b)) == (text(a) == text(b))
    assert (a == b) == bool((one_hot(space, a) == one_hot(space, b)).all())
    assert len(one_hot(space, a)) == len(columns(space)) == len(set(columns(space)))

    canonical = space.canonical(a)
    assert space.from_knobs(space.knobs(canonical)) == canonical == space.canonical(canonical)

    child = space.crossover(a, b, rng)
    parents = [knobs, space.knobs(b)]
    for path, value in space.knobs(child).items():
        domain = space.domains(child)[path]
        offered = [p[path] for p in parents if path in p and domain.contains(p[path])]
        assert value in offered or not offered
    assert space.crossover(a, a, rng) == a

    if any(isinstance(d, Real) or d.size() > 1 for d in domains.values()):
        try:
            mutant = space.mutate(a, rng)
        except BadInput as error:  # all others are forbidden
            assert "forbade 1000 random architectures" in str(error)  # noqa: PT017
            return
        assert mutant != a
        assert space.from_knobs(space.knobs(mutant)) == mutant
        assert len(changed(space, a, mutant)) == 1
    else:
        with pytest.raises(BadInput, match="declares a single architecture"):
            space.mutate(a, rng)

    near = list(islice(space.neighbours(a, rng), 300))
    assert a not in near
    assert len(set(near)) == len(near)
    for neighbour in near:
        assert space.from_knobs(space.knobs(neighbour)) == neighbour
        assert len(changed(space, a, neighbour)) == 1


def scope(of: type[Any]) -> dict[str, Any]:
    """The classes that the text of an architecture names."""
    from nas.searchspace.domains import Nested, Repeat
    from nas.searchspace.language import declarations

    found = {of.__name__: of}
    for declared in declarations(of).values():
        if isinstance(declared.domain, Nested | Repeat):
            found |= scope(declared.domain.of)
    return found


@pytest.mark.each_once
@SPACES
@pytest.mark.parametrize("seed", range(12))
def test_laws_of_a_space(space: Space[Any], seed: int) -> None:
    obeys(space, seed)


@FEW
@given(classes() | classes(reals=True), st.integers(0, 99))
def test_laws_of_random_spaces(of: type[Any], seed: int) -> None:
    space = Space(of)
    try:
        space.sample(random.Random(seed))
    except BadInput as error:
        assert "forbade" in str(error)  # noqa: PT017
        assume(False)
    obeys(space, seed)


@pytest.mark.parametrize("space", [find(name) for name in REGISTERED.names()], ids=REGISTERED.names())
@pytest.mark.parametrize("task", [NODE, GRAPH], ids=["node", "graph"])
def test_an_annealed_training_goes_on_to_its_end(space: Space[Any], task: Task) -> None:
    """What is not better while the learning rate is high may be best once it is low."""
    for a in sampled(space.for_task(task), 50):
        recipe = recipe_of(a, task, Settings())
        assert recipe.waits >= recipe.epochs or not recipe.cosine
        longer = recipe_of(a, task, Settings(epochs=2 * recipe.epochs))
        assert longer.waits >= longer.epochs or not recipe.cosine


@SPACES
def test_equal_seeds_draw_equal_architectures(space: Space[Any]) -> None:
    assert sampled(space, 20) == sampled(space, 20)
    if space.of is not Fixed:
        assert len(set(sampled(space, 20))) > 1
        assert sampled(space, 20) != sampled(space, 20, seed=1)


@SPACES
def test_enumeration_begins_without_duplicates(space: Space[Any]) -> None:
    if not space.finite():
        with pytest.raises(BadInput, match="is a real number"):
            space.enumerate()
        return
    listed = list(islice(space.enumerate(), 2000))
    assert len(set(listed)) == len(listed) == min(2000, space.size())


@SPACES
def test_an_architecture_cannot_be_changed(space: Space[Any]) -> None:
    a = space.sample(random.Random(0))
    name = dataclasses.fields(a)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(a, name, None)


@pytest.mark.parametrize("of", [Flat, Conditional, Forbidding])
def test_neighbours_are_all_that_differ_in_one_knob(of: type[Any]) -> None:
    space = Space(of)
    for a in space.enumerate():
        near = set(space.neighbours(a, random.Random(0)))
        mine = space.knobs(a)
        alike = [b for b in space.enumerate() if space.knobs(b).keys() == mine.keys()]
        assert {b for b in alike if len(changed(space, a, b)) == 1} <= near
    if of is Flat:
        assert len(list(space.neighbours(a, random.Random(0)))) == 2 + 1 + 1


@pytest.mark.parametrize("of", [Flat, Conditional, Pair, Forbidding])
def test_mutation_reaches_every_architecture(of: type[Any]) -> None:
    space, rng = Space(of), random.Random(0)
    a, size, seen = space.sample(rng), space.size(), set[Any]()
    for _ in range(60 * size):
        a = space.mutate(a, rng)
        seen.add(a)
    assert seen == set(space.enumerate())


def test_sampling_is_even_over_options_and_in_the_logarithm() -> None:
    drawn = sampled(Space(Numbers), 2000)
    assert 0.45 < sum(a.lr < 1e-2**1.25 for a in drawn) / 2000 < 0.55  # sqrt(1e-4 * 1e-1)
    assert 0.45 < sum(a.width < 90 for a in drawn) / 2000 < 0.55
    assert 0.45 < sum(a.dropout < 0.45 for a in drawn) / 2000 < 0.55
    assert {a.skip for a in sampled(Space(Flat), 50)} == {True, False}


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(0, 99))
def test_an_integer_stays_within_its_limits(low: int, more: int, seed: int) -> None:
    domain = Integer(low, low + more, log=True)
    assert all(domain.contains(domain.sample(random.Random(seed + k))) for k in range(10))


def test_a_log_integer_draws_its_ends() -> None:
    assert {Integer(5, 7, log=True).sample(random.Random(k)) for k in range(200)} == {5, 6, 7}


@given(st.floats(1e-300, 1e300), st.floats(1e-300, 1e300), st.booleans(), st.integers(0, 99))
def test_a_real_number_stays_within_its_limits_and_moves(a: float, b: float, log: bool, seed: int) -> None:
    low, high = sorted((a, b))
    assume(high > low * (1 + 1e-9))
    domain, rng = Real(low, high, log), random.Random(seed)
    value = domain.sample(rng)
    assert domain.contains(value)

    from nas.searchspace.moves import steps

    assert steps(domain, value)
    assert all(domain.contains(v) and v != value for v in steps(domain, value))


def test_a_single_architecture_cannot_be_mutated() -> None:
    from nas.searchspace import architecture, choice, constant

    @architecture
    class One:
        conv: str = choice("gcn")
        width: int = constant(3)

    with pytest.raises(BadInput, match="One declares a single architecture; there is nothing to change"):
        mutate(One(conv="gcn"), random.Random(0))
    assert list(Space(One).neighbours(One(conv="gcn"), random.Random(0))) == []
    assert Space(One).size() == 1


def test_a_space_that_forbids_everything_says_so() -> None:
    from nas.searchspace import architecture, choice

    @architecture
    class Nothing:
        conv: str = choice("gcn", "gat")

        def forbidden(self) -> str:
            return "never"

    with pytest.raises(BadInput, match=r"Nothing forbade 1000 random architectures in a row, .* Nothing: never"):
        Space(Nothing).sample(random.Random(0))
    assert Space(Nothing).size() == 0
    assert list(Space(Nothing).enumerate()) == []


def test_whole_numbers_for_a_real_knob_are_the_same_architecture() -> None:
    space = Space(Numbers)
    whole, real = (Numbers(count=2, width=8, lr=0.01, dropout=zero, momentum=None) for zero in (0, 0.0))
    assert whole == real
    assert text(whole) == text(real)
    assert repr(space.knobs(whole)) == repr(space.knobs(real))


def test_domains_print_for_people() -> None:
    assert str(Choice(("a", 1))) == "a, 1"
    assert str(Integer(1, 4)) == "1 to 4"
    assert str(Integer(1, 4, log=True)) == "1 to 4 (log)"
    assert str(Real(0.1, 1, log=True)) == "0.1 to 1 (log, real)"
