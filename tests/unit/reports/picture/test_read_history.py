"""Telling: what becomes of a history's entries in its story."""

from typing import Any

from chaos_harness.reports.picture.read_history import read_story
from chaos_harness.reports.picture.story import QuestionLabel
from tests.fakes.histories import STARTED, HistoryBuilder


def _object(name: str, **more: Any) -> dict[str, Any]:
    return {"object": {"metadata": {"name": name, "namespace": "kube-system"}, **more}}


def test_fault_has_its_moments_and_proofs() -> None:
    """A fault tells when it was injected, proved, taken back and healed; a later proof changes nothing."""
    history = (
        HistoryBuilder().fault(1, 2, 8).add(7, "ok", "fault 1", "observed", {"name": "cut registry", "proof": "still"})
    )

    (band,) = read_story(history.recorded()).faults

    assert (band.begun, band.proved, band.healing, band.ended, band.proof) == (1, 2, 8, 8, "seen")


def test_fault_that_was_not_proved_or_healed_says_so() -> None:
    """What is missing in the history is missing in the story."""
    (band,) = read_story(HistoryBuilder().fault(1, None, None).recorded()).faults

    assert (band.proved, band.ended) == (None, None)


def test_fault_that_is_undone_and_does_not_heal() -> None:
    """It does not end in the story, which has the undo, and the message that came in place of the proof."""
    name = {"name": "cut registry"}
    history = HistoryBuilder().fault(1, 2, None).add(8, "invoke", "fault 1", "heal", name)
    history.add(9, "ok", "fault 1", "undone", {**name, "within": 5})
    story = read_story(history.add(14, "fail", "fault 1", "not healed", {**name, "said": "it is away"}).recorded())

    (band,) = story.faults
    assert (band.healing, band.ended, band.heal_proof) == (8, None, "")
    assert [link.what for link in story.chain][-2:] == ["undone: cut registry", "not healed: cut registry: it is away"]


def test_a_one_shot_fault_is_known_by_its_value() -> None:
    """Its injection says so, whether it is healed or not; only older histories are known by what healed it."""
    name = {"name": "kill"}
    history = (
        HistoryBuilder()
        .add(1, "invoke", "fault 1", "inject", {**name, "one_shot": True})
        .add(2, "invoke", "fault 2", "inject", name)
    )
    history.add(3, "ok", "fault 2", "healed", {**name, "proof": "the kubelet restarts containers"})
    history.fault(5, 6, None, process="fault 3").add(
        9, "ok", "fault 3", "healed", {**name, "proof": "nothing to heal: x"}
    )

    assert [band.one_shot for band in read_story(history.recorded()).faults] == [True, False, True]


def test_answers_are_counted_by_question_and_outcome() -> None:
    """Ok is good, fail is lost, info and what was still open at the end had no answer; a replica has its own count."""
    history = HistoryBuilder().canaries(0, 2).review(1, "a").review(2, "a", "fail")
    for at, kind in ((3, "fail"), (4, "info")):
        history.add(at, "invoke", "canary 1", "create mutable pod")
        history.add(at + 0.5, kind, "canary 1", "create mutable pod", {"outcome": "unmutated"})  # type: ignore[arg-type]
    history.add(5, "invoke", "canary 1", "create mutable pod").add(6, "mark", "experiment", "begin", "hold")

    story = read_story(history.recorded())
    first, second = story.canaries.values()

    assert list(story.canaries) == [
        QuestionLabel("canary", "create forbidden namespace"),
        QuestionLabel("canary", "create mutable pod"),
    ]
    assert (first.total.good, second.total.lost, second.total.silent) == (4, 1, 2)
    assert (second.kept[0].asked, second.kept[0].answered, second.kept[0].said) == (3, 3.5, "unmutated")
    assert story.replicas["a"].words == "1 good, 1 lost"


def test_who_stands_alone_asks_by_its_whole_name() -> None:
    """A family is known by the vocabulary, not by the first word of a process."""
    history = HistoryBuilder()
    for process in ("api server", "metrics api server", "canary 3", "other"):
        history.add(1, "invoke", process, "ask").add(2, "ok", process, "ask", {})

    questions = read_story(history.recorded()).questions
    assert list(questions) == [QuestionLabel(family, "ask") for family in ("api server", "metrics", "canary", "other")]
    assert [question.short for question in questions] == ["api server ask", "metrics ask", "ask", "other ask"]


def test_numbers_are_no_part_of_a_story() -> None:
    """The object that is numbered each second is the harness's own; a gap of its watch is one like any other."""
    history = HistoryBuilder().add(1, "invoke", "number", "write", {"number": 1}).add(2, "fail", "number", "write", {})
    for at, f in ((2, "ADDED"), (3, "MODIFIED"), (4, "DELETED")):
        history.add(at, "change", "watch number", f, _object("chaos-harness-number"))
    history.add(5, "change", "watch number", "GAP", {"why": "refused"})

    story = read_story(history.recorded())
    assert (story.questions, story.changes, story.chain) == ({}, {}, [])
    assert [gap.what for gap in story.gaps] == ["number"]


def test_too_many_questions_are_counted_together() -> None:
    """No lost request is dropped, however many kinds of questions there are."""
    history = HistoryBuilder()
    for number in range(100):
        history.add(number, "invoke", "canary 0", f"q{number}").add(number, "fail", "canary 0", f"q{number}", {})

    story = read_story(history.recorded())

    assert len(story.questions) == 41
    assert sum(tally.total.lost for tally in story.questions.values()) == 100


def test_pods_nodes_and_leases_have_lives() -> None:
    """Each has its states in order; the cluster's name is taken off its nodes' names everywhere."""
    history = HistoryBuilder().pod(1, "p", f="LISTED", node="chaos-x-worker").pod(2, "p", ready=False, container="")
    history.pod(3, "p", f="DELETED", node="chaos-x-worker").harm(2, "killed", "p", node="chaos-x-worker")
    history.add(2, "info", "harm", "killed node", {"node": "chaos-x-worker"})
    for name in ("chaos-x-control-plane", "chaos-x-worker"):
        history.add(1, "change", "watch nodes", "LISTED", _object(name, status={}))

    story = read_story(history.recorded())
    pod, *nodes = story.lives.values()

    assert [(stretch.state, stretch.at) for stretch in pod.stretches] == [("ready", 1), ("waiting", 2), ("gone", 3)]
    assert (pod.sort, pod.where) == ("webhook", "worker")
    assert [node.name for node in nodes] == ["control-plane", "worker"]
    assert {"p on worker is killed", "worker is killed"} <= {link.what for link in story.chain}


def test_lease_that_is_not_renewed_runs_out() -> None:
    """A holder that falls silent loses the lease when its time is over, not when somebody says so."""
    spec = {"holderIdentity": "kcm", "leaseDurationSeconds": 15}
    history = HistoryBuilder()
    for at in (1, 5, 40):
        history.add(at, "change", "watch leases", "MODIFIED", _object("kube-controller-manager", spec=spec))

    (lease,) = read_story(history.recorded()).lives.values()

    assert [(stretch.state, stretch.at) for stretch in lease.stretches] == [("held", 1), ("unheld", 20), ("held", 40)]


def test_calls_that_failed_open_are_counted_where_they_were() -> None:
    """What the API server's log tells of calls done without stands at their own time; policies stand in the chain."""
    history = HistoryBuilder().canaries(0, 9).add(1, "invoke", "policies", "apply").add(2, "ok", "policies", "in force")
    for at in (3.0, 4.0):
        call = {"time": STARTED + at, "webhook": "mutation.gatekeeper.sh", "said": "refused"}
        history.add(6, "info", "fail open", "call", call)
    history.add(7, "ok", "fail open", "read", {"until": STARTED + 6})

    story = read_story(history.recorded())
    tally = story.questions[QuestionLabel("webhook calls", "failed open")]

    assert ([request.asked for request in tally.kept], tally.total.lost) == ([3.0, 4.0], 2)
    assert list(story.canaries) == [QuestionLabel("canary", "create forbidden namespace")]
    assert [link.what for link in story.chain] == [
        "policies in force",
        "first call that failed open: mutation.gatekeeper.sh: refused",
    ]


def test_chain_tells_each_thing_once_and_in_order() -> None:
    """What comes again with the same words is counted; moments never go backwards."""
    history = HistoryBuilder().fault(1, 2, 9).harm(3, "killed", "p")
    for at in (4, 5, 6):
        history.event(at, "BackOff", "p", "Back-off pulling image").event(at, "Pulled", "p", "fine")

    chain = read_story(history.recorded()).chain

    assert [link.at for link in chain] == sorted(link.at for link in chain)
    (back_off,) = [link for link in chain if "BackOff" in link.what]
    assert (back_off.times, back_off.until) == (3, 6)
    assert not [link for link in chain if "Pulled" in link.what]


def test_rest_of_a_history_is_told_too() -> None:
    """Rotation, registry, other objects, phases, gaps and jumps of the clock have their places."""
    history = HistoryBuilder().rotation(1, "a", "b").rotation(2, "a").request(1, "/v2/x/manifests/y")
    history.add(0, "mark", "experiment", "begin", "hold").add(5, "mark", "experiment", "end", "hold")
    history.add(3, "change", "watch validatingadmissionpolicies", "ADDED", _object("vap"))
    history.add(4, "change", "watch pods", "GAP", {"why": "expired"})
    history.add(4, "info", "history", "clock-jump", {"seconds": 3.5})

    story = read_story(history.recorded(truncated=True))

    assert story.rotation == [(1, 2), (2, 1)]
    assert story.requests.busiest == 1
    assert (story.phases[0].name, story.phases[0].ended) == ("hold", 5)
    assert [mark.what for mark in story.changes["validatingadmissionpolicies"]] == ["vap"]
    assert [mark.how for mark in story.gaps] == ["expired"]
    assert "the wall clock jumped by 3.5 s" in [link.what for link in story.chain]
    assert (story.truncated, story.started) == (True, STARTED)
