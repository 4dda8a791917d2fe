"""Label selectors: what Kubernetes takes is taken, and what it refuses is told with what was probably meant."""

import pytest

from chaos_harness.clusters.api.label_selectors import require_selector, selector_problem
from chaos_harness.clusters.errors import BadScenario


@pytest.mark.parametrize(
    "text",
    [
        "app=web",
        "app==web",
        "app!=web",
        "app = web , tier != front",
        "app",
        "!app",
        "! app",
        "app=",
        "app in (web, api)",
        "app in (web,)",
        "app notin (web),!old,example.com/tier=front_end.2",
        "in in (notin)",
        "weight>5,weight<10",
        f"{'p' * 253}/{'n' * 63}={'v' * 63}",
    ],
)
def test_taken(text: str) -> None:
    """Equality, sets, presence and order, with spaces wherever they may be."""
    assert selector_problem(text) is None
    require_selector(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            "app: web",
            "expected the name of a label, such as app or example.com/app, found 'app:'; did you mean app=web?",
        ),
        ("app:web", "did you mean app=web?"),
        ("{app: web, tier: front}", "did you mean app=web,tier=front?"),
        ('app="web"', "found '\"web\"'; did you mean app=web?"),
        ("app===web", "did you mean app=web?"),
        ("app=web tier=front", "expected a comma in front of 'tier'; did you mean app=web,tier=front?"),
        ("app=web && tier=front", "did you mean app=web,tier=front?"),
        ("app is web", "expected =, !=, in or notin behind 'app', found 'is'"),
        ("app in web", "expected values in brackets behind in, as in `app in (web, api)`"),
        ("app in ()", "expected at least one value in the brackets behind in"),
        ("app in (web", "expected a comma or ) in the brackets behind in, found the end"),
        ("app in (a b)", "expected a comma or ) in the brackets behind in, found 'b'"),
        ("app=web,", "expected the name of a label, found the end"),
        ("=web", "expected the name of a label, found '='"),
        ("!", "expected the name of a label, found the end"),
        ("", "expected the name of a label, found the end"),
        ("weight>much", "expected a whole number behind >, found 'much'"),
        ("app=-web", "expected a label's value, of letters, digits, -, _ and ., with a letter or digit at both ends"),
        ("app=wéb", "expected a label's value"),
        ("app\N{NO-BREAK SPACE}=web", "expected the name of a label, such as app"),
        (
            "Example.com/app=web",
            "expected the name of a label, such as app or example.com/app, found 'Example.com/app'",
        ),
        ("a/b/c=web", "found 'a/b/c'"),
        ("$worker", "found '$worker'"),
        ("n" * 64, "the name of a label has at most 63 characters, and its prefix 253"),
        (f"{'p' * 254}/n", "the name of a label has at most 63 characters, and its prefix 253"),
        (f"app={'v' * 64}", "a label's value has at most 63 characters, found 64"),
        ("a," * 501 + "a", "it has 1003 characters, 1000 are enough"),
    ],
)
def test_refused(text: str, why: str) -> None:
    """Each is one message with the reason, of a length that can be read."""
    problem = selector_problem(text)
    assert problem is not None
    assert problem.startswith("expected a label selector such as app=web, found ")
    assert why in problem
    assert len(problem) < 400
    with pytest.raises(BadScenario, match=r"^selector: expected a label selector such as app=web"):
        require_selector(text)


@pytest.mark.parametrize("text", ["app is web", "app=front end", "app in web", "a,,b=c"])
def test_nothing_is_guessed(text: str) -> None:
    """Where it is not plain what was meant, nothing is suggested."""
    assert "did you mean" not in str(selector_problem(text))
