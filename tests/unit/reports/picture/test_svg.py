"""SVG: shapes and words, whatever the words are."""

from xml.etree import ElementTree as ET

from chaos_harness.reports.picture import svg


def test_words_can_be_anything() -> None:
    """Markup, control characters and secrets in words neither break a picture nor show in it."""
    drawn = svg.document(10, 10, "<a>", "b & c", "", svg.text(0, 0, 'x\x00<script>"&', hint="token: planted") + "")

    ET.fromstring(drawn)
    assert "<script>" not in drawn
    assert "planted" not in drawn


def test_document_has_a_text_alternative() -> None:
    """Title and description name the picture for those who do not see it."""
    drawn = svg.document(10, 10, "what", "why", "", "")

    assert 'role="img" aria-labelledby="title desc"' in drawn
    assert '<title id="title">what</title><desc id="desc">why</desc>' in drawn


def test_shortened_keeps_both_ends() -> None:
    """Names of pods differ at their ends, so a long one keeps it."""
    assert svg.shortened("gatekeeper-controller-manager-5d9f7b8c6-x2k4p", 20) == "gatekeeper-co…-x2k4p"
    assert svg.shortened("short", 20) == "short"


def test_nothing_is_too_thin_to_be_seen() -> None:
    """A stretch of no length is drawn all the same."""
    assert 'width="0.6"' in svg.rect(1, 1, 0, 5, "good")
