"""JUnit: pytest's own JUnit XML, with claims instead of raw records, without secrets and always well-formed."""

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness import private
from chaos_harness.harness.experiment.record import PROPERTY, Record
from chaos_harness.harness.redaction import redact, redact_object

__all__ = ["clean_xml", "write_when_clean"]


@contextmanager
def write_when_clean(writer: Any, records: Mapping[str, Record]) -> Iterator[None]:
    """Let pytest write its XML into memory during the block, and write it to disk only when it is clean.

    `writer` is pytest's own, with the path of its file as `logfile`; None if no file was asked for.
    """
    if writer is None:
        yield
        return
    path, memory = Path(writer.logfile), os.memfd_create("junit", os.MFD_CLOEXEC)
    writer.logfile = f"/proc/self/fd/{memory}"
    try:
        yield
        os.lseek(memory, 0, os.SEEK_SET)
        with os.fdopen(os.dup(memory), "rb") as file:
            written = file.read()
    finally:
        writer.logfile = str(path)
        os.close(memory)
    if written:
        private.directory(path.parent)
        private.write(path, clean_xml(written, records))


def clean_xml(written: bytes, records: Mapping[str, Record]) -> bytes:
    """Return pytest's XML with each claim as a property; no text contains a secret or breaks the XML.

    XML that was cut off because the disk was full becomes an empty document: it cannot be parsed, so it cannot be
    redacted.
    """
    try:
        tree = ET.parse(io.BytesIO(written))  # noqa: S314 - pytest wrote it a moment ago
    except ET.ParseError:
        return b"<testsuites/>\n"
    named = {_name(nodeid): record for nodeid, record in records.items()}
    for case in tree.iter("testcase"):
        record = named.get((case.get("classname", ""), case.get("name", "")))
        for properties in case.findall("properties"):
            for record_property in [element for element in properties if element.get("name") == PROPERTY]:
                properties.remove(record_property)
            if record is not None:
                properties.extend(_claims(record))
            if not len(properties):
                case.remove(properties)
    for element in tree.iter():
        element.text = escape_controls(redact(element.text), lines=True) if element.text else element.text
        attributes = redact_object(dict(element.attrib))
        for name, value in attributes.items():
            element.set(name, escape_controls(value, lines=True))
    into = io.BytesIO()
    tree.write(into, encoding="utf-8", xml_declaration=True)
    return into.getvalue()


def _claims(record: Record) -> list[ET.Element]:
    properties = [ET.Element("property", name="seed", value=str(record.seed))]
    for claim in record.claims:
        known = f" ({claim.issue})" if claim.issue else ""
        words = f"{claim.outcome}, expected {claim.expected}{known}: {claim.summary}"
        properties.append(ET.Element("property", name=f"claim: {claim.name}", value=words))
        properties += [
            ET.Element("property", name=f"figure: {claim.name}: {name}", value=f"{value:g}")
            for name, value in claim.figures.items()
        ]
    return properties


def _name(nodeid: str) -> tuple[str, str]:
    """Return a test's class name and name as pytest's JUnit XML has them."""
    path, _, rest = nodeid.partition("::")
    function, bracket, parameters = rest.partition("[")
    *classes, name = function.split("::")
    return ".".join([path.removesuffix(".py").replace("/", "."), *classes]), f"{name}{bracket}{parameters}"
