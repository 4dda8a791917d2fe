"""JUnit: pytest's own JUnit XML, with the claims in place of raw records, and without secrets."""

import os
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as ET

from harness.record import PROPERTY, Record
from harness.redaction import redact

__all__ = ["clean"]


def clean(path: Path, records: Mapping[str, Record]) -> None:
    """Rewrite the file that pytest wrote: each claim is a property; no text holds a secret.

    A file that is not there (pytest ended before it wrote one) stays away; one that the disk cut off is removed,
    for nobody can read it, and what it holds is not clean.
    """
    if not path.is_file():
        return
    try:
        tree = ET.parse(path)  # noqa: S314 - pytest wrote it a moment ago
    except ET.ParseError:
        path.unlink()
        return
    named = {_name(nodeid): record for nodeid, record in records.items()}
    for case in tree.iter("testcase"):
        record = named.get((case.get("classname", ""), case.get("name", "")))
        for properties in case.findall("properties"):
            for each in [each for each in properties if each.get("name") == PROPERTY]:
                properties.remove(each)
            if record is not None:
                properties.extend(_claims(record))
            if not len(properties):
                case.remove(properties)
    for element in tree.iter():
        element.text = redact(element.text) if element.text else element.text
        for name, value in element.attrib.items():
            element.set(name, redact(value))
    fresh = path.with_name(f".{path.name}-{os.getpid()}")
    tree.write(fresh, encoding="utf-8", xml_declaration=True)
    fresh.replace(path)


def _claims(record: Record) -> list[ET.Element]:
    found = [ET.Element("property", name="seed", value=str(record.seed))]
    for claim in record.claims:
        known = f" ({claim.issue})" if claim.issue else ""
        words = f"{claim.outcome}, expected {claim.expected}{known}: {claim.summary}"
        found.append(ET.Element("property", name=f"claim: {claim.name}", value=words))
        found += [
            ET.Element("property", name=f"figure: {claim.name}: {name}", value=f"{value:g}")
            for name, value in claim.figures.items()
        ]
    return found


def _name(nodeid: str) -> tuple[str, str]:
    """Return a test's class name and name as pytest's JUnit XML has them."""
    path, _, rest = nodeid.partition("::")
    function, bracket, parameters = rest.partition("[")
    *classes, name = function.split("::")
    return ".".join([path.removesuffix(".py").replace("/", "."), *classes]), f"{name}{bracket}{parameters}"
