"""Supported machines: on which kernels and processors the harness runs."""

import platform

__all__ = ["PROCESSORS", "refusal"]

PROCESSORS = ("x86_64", "aarch64")
"""Processors that Kubernetes publishes node images for, by the kernel's names; aarch64 has not been tried."""

_OTHER_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}


def refusal(system: str | None = None, processor: str | None = None) -> str:
    """Return why the harness cannot run on this machine, in one line; "" if it can.

    `system` and `processor` are names as `platform` has them (default: this machine's).
    """
    system, processor = system or platform.system(), (processor or platform.machine()).lower()
    if system != "Linux":
        return (
            f"the harness needs Linux, this is {system}: it reads processes and namespaces from Linux's /proc; "
            "run it in WSL2, in a virtual machine, or in a dev container"
        )
    if _OTHER_NAMES.get(processor, processor) not in PROCESSORS:
        return f"the harness needs a processor of {' or '.join(PROCESSORS)}, this is {processor}: no node image fits it"
    return ""
