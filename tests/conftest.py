"""What all tests share: an interrupt interrupts, whoever started them, and no test judges how busy the machine is."""

import signal

from hypothesis import settings

# A shell starts what it puts into the background with SIGINT ignored, and so do all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("busy", deadline=None)
settings.load_profile("busy")
