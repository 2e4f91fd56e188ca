"""Architectures remember their hash, which is another one in another process."""

from __future__ import annotations

import copy
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import pytest

from nas.searchspace import BadInput, Space
from nas.searchspace.language import HASH
from nas.searchspace.spaces.registry import find
from tests.searchspace.declared import EVERY

READS = """
import pickle, sys
first, second = pickle.load(sys.stdin.buffer), pickle.load(sys.stdin.buffer)
space, rebuilt = first["space"], [first["space"].from_json(json) for json in first["json"]]
assert first["architectures"] == second == rebuilt
assert all(hash(a) == hash(b) == hash(c) for a, b, c in zip(first["architectures"], second, rebuilt))
assert set(first["architectures"]) == set(rebuilt)
assert all(a in {b: None for b in rebuilt} for a in second)
assert all(a in first["set"] for a in rebuilt)
assert all(space.canonical(a) in {space.canonical(b) for b in rebuilt} for a in second)
print(hash(first["architectures"][0]))
pickle.dump(rebuilt, open(sys.argv[1], "wb"))
"""


def sampled(space: Space[Any], count: int = 20) -> list[Any]:
    rng = random.Random(0)
    return [space.sample(rng) for _ in range(count)]


@pytest.mark.parametrize("name", ["agnn", "design", "nasbench-graph"])
def test_it_is_found_in_a_set_of_another_process(name: str, tmp_path: Any) -> None:
    space = find(name)
    made = sampled(space)
    hashes = [hash(a) for a in made]
    said = {"space": space, "architectures": made, "set": set(made), "json": [space.to_json(a) for a in made]}
    sent, back, seen = pickle.dumps(said) + pickle.dumps(made), tmp_path / "back.pickle", set()
    for seed in ("1", "2"):
        command, env = [sys.executable, "-c", READS, str(back)], os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run(command, input=sent, capture_output=True, env=env, check=False)
        assert done.returncode == 0, done.stderr.decode()
        seen.add(int(done.stdout))
        returned = pickle.loads(back.read_bytes())
        assert returned == made
        assert [hash(a) for a in returned] == hashes
        assert set(returned) == set(made)
    assert len(seen) == 2, "the other process has hashes of its own"


def pickled(a: Any) -> Any:
    return pickle.loads(pickle.dumps(a))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickled, replace], ids=lambda f: f.__name__)
@pytest.mark.parametrize("space", EVERY.values(), ids=EVERY.keys())
def test_copies_are_equal_and_hash_alike(space: Space[Any], copied: Callable[[Any], Any]) -> None:
    for a in sampled(space, 5):
        before = copied(a)
        assert hash(a) == hash(before)
        after = copied(a)  # of one that remembers
        assert a == before == after
        assert len({a, before, after}) == 1
        assert repr(a) == repr(after)


@pytest.mark.parametrize("space", EVERY.values(), ids=EVERY.keys())
def test_another_value_is_another_hash(space: Space[Any]) -> None:
    """A changed copy takes nothing over from the one that it was made of."""
    made, hashed = list(dict.fromkeys(sampled(space, 40))), {}
    for a, b in pairwise(made):
        assert hash(a) != hash(b)
        for changed in (_with(a, b, f.name) for f in fields(a)):
            if changed is not None:
                hashed[changed] = hash(changed)
                assert hash(changed) == hash(space.from_knobs(space.knobs(changed)))
    assert len(set(hashed.values())) == len(hashed)


def _with(a: Any, b: Any, name: str) -> Any:
    """The first one with a field of the second, if that is an architecture and another one."""
    try:
        changed = replace(a, **{name: getattr(b, name)})
    except BadInput:
        return None
    return None if changed == a else changed


def test_what_is_remembered_is_no_field_and_is_not_sent() -> None:
    a = sampled(find("nasbench-graph"), 1)[0]
    hash(a)
    assert HASH in a.__dict__
    assert HASH not in {f.name for f in fields(a)}
    assert HASH not in pickle.dumps(a).decode("latin-1")
    assert HASH not in repr(a)
    assert HASH not in copy.copy(a).__dict__
    assert HASH not in a.nodes[0].__getstate__()
