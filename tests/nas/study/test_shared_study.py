"""Several processes on one study: nothing twice, nothing lost, whatever becomes of any of them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

import nas
from nas.controllers.registry import CONTROLLERS, create
from nas.evaluation.executors import InProcess
from nas.searchspace import Space
from nas.searchspace.errors import BadInput, RunError
from nas.study import peers as peering
from nas.study import search as searching
from nas.study import storages
from nas.study.confirming import trainings
from nas.study.jobs import Proposal
from nas.study.peers import LOST, Peers, key_of
from nas.study.plan import Plan
from nas.study.records import AGAIN
from tests.controllers.spaces import QUICK, with_formats
from tests.nas.study import postgres
from tests.nas.toys import Messy, StopAfter, Toy, graph, search, told, two_slots

DATA = graph()
TOY = Space(Toy)
FIRST, SECOND = Toy(conv="gcn", hidden=2, dropout=0.0), Toy(conv="gcn", hidden=4, dropout=0.0)
FIRST_KEY = key_of(TOY, FIRST, "train", 0)
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def joined(where: str, place: Path) -> Peers:
    place.mkdir(exist_ok=True)
    return Peers(where, "run", TOY, place)


def dies(peers: Peers) -> None:
    """As after kill -9."""
    peers._stop.set()
    peers._lock.release()


def proposal(architecture: Any, **more: Any) -> Proposal:
    return Proposal(architecture, "random", (), "train", **more)


def fork(job: Callable[[], Any]) -> Any:
    child = multiprocessing.get_context("fork").Process(target=job)
    child.start()
    return child


def at_work(where: str, name: str = "run") -> list[Any]:
    """The trials of the study beside the study."""
    study = optuna.load_study(study_name=name + peering.AT_WORK, storage=storages.storage(where))
    return list(study.trials)


def finished_by(where: str) -> list[str]:
    """Who evaluated each trial that was finished."""
    return [t.user_attrs["of"] for t in at_work(where) if t.state.name == "COMPLETE" and "of" in t.user_attrs]


# who has what


def test_of_two_that_claim_the_same_one_has_it(where, tmp_path):
    one, two = joined(where, tmp_path), joined(where, tmp_path)
    assert (one.stream, two.stream) == (0, two.number)
    assert one.claim(proposal(FIRST))
    assert not two.claim(proposal(FIRST))
    assert two.claim(proposal(FIRST, seed=1))  # another training
    assert two.others.keys() == {FIRST_KEY}
    assert two.others[FIRST_KEY].proposal == proposal(FIRST)
    one.release(FIRST_KEY, 0)
    two.look()
    assert two.others == {}
    one.close()
    two.look()
    assert two.alone
    two.close()
    assert {t.state.name for t in at_work(where)} == {"COMPLETE", "FAIL"}
    assert not list(tmp_path.glob(".*alive"))


def test_what_a_dead_process_was_at_is_left_to_the_others_and_counted(where, tmp_path):
    last = joined(where, tmp_path)
    for lost in range(LOST + 1):
        dying = joined(where, tmp_path)
        assert dying.claim(proposal(FIRST))
        assert dying.mine[FIRST_KEY].lost == lost
        assert not last.claim(proposal(FIRST))
        dies(dying)
        last.look()
        assert (last.others, list(last.left), last.alone) == ({}, [FIRST_KEY], True)
    last.close()


@pytest.mark.services
def test_signs_of_life_tell_where_the_lock_is_on_another_machine(monkeypatch, database, tmp_path):
    postgres.let_go()
    monkeypatch.setattr(storages, "GRACE", 2)
    monkeypatch.setattr(peering, "HEARTBEAT", 0.5)
    here, there, dead = (joined(database, tmp_path / name) for name in ("here", "there", "dead"))
    assert dead.claim(proposal(FIRST))
    dies(dead)
    begin = time.monotonic()
    while not here.left and time.monotonic() - begin < 20:
        time.sleep(0.2)
        here.look()
    assert list(here.left) == [FIRST_KEY]
    assert here.count == 2
    here.close(), there.close()
    postgres.let_go()


def test_who_was_taken_for_dead_may_not_store_what_others_took_over(where, tmp_path):
    """A machine that slept: its claims that nobody took are still its own."""
    slept, other = joined(where, tmp_path), joined(where, tmp_path)
    assert slept.claim(proposal(FIRST))
    assert slept.claim(proposal(SECOND))
    other._end(slept.number)
    assert other.claim(proposal(FIRST))
    assert not slept.holds(FIRST_KEY)
    assert slept.holds(key_of(TOY, SECOND, "train", 0))
    other.look()
    assert other.count == 2
    slept.close(), other.close()


def test_half_a_line_in_a_shared_journal_is_cut_by_whoever_writes_next(tmp_path):
    where = f"journal:///{tmp_path}/trials.log"
    one = joined(where, tmp_path)
    whole = (tmp_path / "trials.log").read_bytes()
    with (tmp_path / "trials.log").open("ab") as file:
        file.write(whole.splitlines()[-1][:30])
    two = joined(where, tmp_path)
    assert two.claim(proposal(FIRST))
    one.look()
    assert list(one.others) == [FIRST_KEY]
    one.close(), two.close()


# whole searches


@pytest.mark.each_once
@forks
@pytest.mark.parametrize("controller", ["evolution", pytest.param("grid", marks=pytest.mark.slow)])
def test_two_processes_share_one_budget(where, controller, monkeypatch):
    """In one folder, and both begin with an empty database."""
    real = InProcess.submit
    monkeypatch.setattr(InProcess, "submit", lambda self, job: (time.sleep(0.1), real(self, job))[1])
    child = fork(lambda: search(storage=where, trials=8, controller=controller, confirm=2, keep=2))
    ours = search(storage=where, trials=8, controller=controller, confirm=2, keep=2)
    child.join()
    assert child.exitcode == 0
    searched = [r for r in ours.records if r.evaluator != AGAIN]
    assert [r.trial.number for r in ours.records] == list(range(len(ours.records)))
    assert len({r.trial.architecture for r in searched}) == len(searched) == 8
    assert len(ours.records) - 8 == trainings(2)
    assert len({(r.trial.architecture, r.seed) for r in ours.records}) == len(ours.records)
    assert len(set(finished_by(where))) == 2
    assert len(finished_by(where)) == len(ours.records)
    assert ours.complete
    assert told(nas.open_run("run", data=DATA, space=Toy).records) == told(ours.records)
    kept = {int(file.stem) for file in ours.path.glob("weights/*.safetensors")}
    assert {r.trial.number for r in ours.records if r.evaluator == AGAIN} < kept
    assert ours.best.number in kept
    assert len(kept) == trainings(2) + 2


@forks
@pytest.mark.parametrize("controller", ["evolution", pytest.param("grid", marks=pytest.mark.slow)])
def test_two_processes_with_two_workers_each_come_to_the_end_of_a_space(tmp_path, monkeypatch, controller):
    """Messy has ten networks, of which four cannot be trained."""
    monkeypatch.setattr(Plan, "executor", two_slots)
    monkeypatch.setattr(searching, "IN_A_ROW", 4)
    given = {"space": Messy, "trials": 30, "controller": controller, "storage": f"journal:///{tmp_path}/trials.log"}
    child = fork(lambda: search(**given))
    ours = search(**given)
    child.join()
    assert child.exitcode == 0
    of = ours.plan.space.canonical
    assert len({of(r.trial.architecture) for r in ours.records}) == len(ours.records) == 10
    assert "RUNNING" not in [t.state.name for t in at_work(given["storage"])]


@forks
def test_the_network_that_a_killed_process_was_at_is_trained_by_another(where, monkeypatch):
    real, calls = InProcess.submit, iter(range(100))

    def submit(self: InProcess, job: Any) -> Any:
        if next(calls) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, job)

    with monkeypatch.context() as patched:
        patched.setattr(InProcess, "submit", submit)
        child = fork(lambda: search(storage=where, trials=6, controller="evolution"))
        child.join()
    assert child.exitcode == -signal.SIGKILL
    assert [t.state.name for t in at_work(where)].count("RUNNING") == 2  # the process and what it was at
    resumed = nas.resume("run", data=DATA, space=Toy)
    assert told(resumed.records) == told(search(name="whole", trials=6, controller="evolution").records)
    assert "RUNNING" not in [t.state.name for t in at_work(where)]
    assert not list(resumed.path.glob("weights/*running*"))


@forks
def test_a_network_that_kills_its_process_twice_is_a_failed_trial(tmp_path, monkeypatch):
    where = f"journal:///{tmp_path}/trials.log"
    real = InProcess.submit

    def submit(self: InProcess, job: Any) -> Any:
        if "SAGEConv(" in job.source:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, job)

    monkeypatch.setattr(InProcess, "submit", submit)
    for _ in range(LOST):
        child = fork(lambda: search(storage=where, trials=9, controller="grid"))
        child.join()
        assert child.exitcode == -signal.SIGKILL
    last = search(storage=where, trials=9, controller="grid").records[-1].trial
    assert (last.number, last.architecture.conv, last.values) == (8, "sage", None)
    assert last.reason == "2 processes were lost while they evaluated it"


@forks
@pytest.mark.services
def test_folders_of_their_own(tmp_path, database):
    """As on machines without a common disk: whoever lacks the weights trains them again."""
    try:
        child = fork(lambda: search(storage=database, trials=4, runs=tmp_path / "theirs", name="apart"))
        child.join()
        ours = search(storage=database, trials=5, runs=tmp_path / "ours", name="apart")
        assert len(ours.records) == 5
        theirs = nas.open_run("apart", data=DATA, space=Toy, runs=tmp_path / "theirs")
        assert told(theirs.records) == told(ours.records)
        best = {name: run.weights(run.best) for name, run in (("ours", ours), ("theirs", theirs))}
        assert all((best["ours"][name] == best["theirs"][name]).all() for name in best["ours"])
        assert ours.report().is_file()
        for folder in ("ours", "theirs"):
            for file in (tmp_path / folder).rglob("*"):
                assert file.is_dir() or b"se%2Fcr" not in file.read_bytes()
                assert file.is_dir() or postgres.PASSWORD.encode() not in file.read_bytes()
    finally:
        backend = storages.storage(database)
        for study in optuna.get_all_study_names(backend):
            optuna.delete_study(study_name=study, storage=backend)


@pytest.mark.parametrize("controller", ["random", "evolution", "tpe"])
def test_alone_it_is_the_search_that_it_was(tmp_path, controller):
    where = f"journal:///{tmp_path}/trials.log"
    whole = search(name="whole", trials=7, controller=controller)
    with pytest.raises(KeyboardInterrupt):
        search(storage=where, trials=7, controller=controller, watcher=StopAfter(3))
    assert told(nas.resume("run", data=DATA, space=Toy).records) == told(whole.records)
    assert {t.state.name for t in at_work(where)} == {"COMPLETE", "FAIL"}


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[pytest.mark.slow] if n in ("diffusion", "gp") else []) for n in CONTROLLERS.names()],
)
def test_every_controller_says_whether_it_can_share(name):
    """And those that can learn from what others proposed: they propose something, and nothing twice that they could."""
    space = with_formats(name, Toy)
    plan_task = nas.data.load(DATA)
    from nas.controllers.base import Problem, Trial

    problem = Problem(Space(space).for_task(plan_task), task=plan_task, stream=7)
    controller = create(name, problem, **QUICK.get(name, {}))
    if getattr(controller, "unshared", None):
        assert name in ("lpgnas", "darts", "cmaes")
        return
    foreign = [a for _, a in zip(range(6), Space(Toy).enumerate(), strict=False)]
    waiting = controller.ask(1)
    controller.tell([Trial(i, a, (i / 10,)) for i, a in enumerate(foreign)])
    controller.tell([Trial(6, waiting[0], (0.5,))])
    assert controller.ask(2)


# refusals


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"controller": "cmaes"}, "the controller cmaes learns from its own proposals alone; use another one"),
        ({"controller": "evolution", "evaluator": "shared"}, "evaluator shared reads weights of earlier trials"),
    ],
)
def test_what_cannot_be_shared_is_refused_while_another_process_is_at_work(tmp_path, given, words):
    where = f"journal:///{tmp_path}/trials.log"
    alone = search(storage=where, trials=2, **given)
    other = joined(where, tmp_path)
    with pytest.raises(RunError, match=rf"another process is at work on the study 'run', .*{words}"):
        nas.resume("run", data=DATA, space=Toy, trials=3)
    other.close()
    assert len(nas.resume("run", data=DATA, space=Toy, trials=3).records) > len(alone.records)


def test_other_settings_are_refused_and_leave_nothing(where, tmp_path):
    search(storage=where, trials=1, epochs=2)
    for given, words in (
        ({"epochs": 3}, r"another choice of settings .*\{'epochs': 2\} there, \{'epochs': 3\} here"),
        ({"epochs": 2, "objectives": ["-params"]}, "other objectives"),
    ):
        with pytest.raises(RunError, match=words):
            search(storage=where, trials=1, runs=tmp_path / "others", **given)
        assert not (tmp_path / "others" / "run").exists()
    assert len(search(storage=where, trials=2, epochs=2, keep=5, device="auto").records) == 2  # where it is no matter


def test_a_run_of_that_name_with_another_storage_is_refused(tmp_path):
    search(trials=1)
    with pytest.raises(BadInput, match="there is a run 'run' already"):
        search(trials=1, storage=f"sqlite:///{tmp_path}/trials.db")
