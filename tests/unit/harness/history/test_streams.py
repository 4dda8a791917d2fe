"""Streams: when questions of one kind were answered often enough to know what lies between them."""

from chaos_harness.harness.history.streams import Questions


def test_an_answer_that_comes_very_late_counts_as_any_other() -> None:
    """It may be the only one that is still waited for, as on a machine that stood still."""
    questions = Questions(open_loop=True)
    for at in range(100):
        questions.ask(float(at))
        questions.answer(float(at), 60.0 if at == 0 else at + 0.1)
    questions.close()
    assert list(questions.seen()) == [(0.0, 99.0)]


def test_the_only_answer_comes_very_late() -> None:
    """Nothing else waits then."""
    questions = Questions(open_loop=True)
    questions.ask(1.0)
    questions.answer(1.0, 60.0)
    questions.close()
    assert questions.seen().total == 0
