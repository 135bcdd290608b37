"""Ctrl-C, SIGTERM and SIGHUP while the program is still being imported, and when all is done: no traceback.

Before the imports are over nothing is begun, and nobody needs their traceback: the program ends with exit code 130. At
the very end Python gives signals back to the system, which would end it with another exit code than the one it has.
"""

import atexit
import os
import signal


def end_quietly() -> None:
    """To be called first of all by what is a program, in its main thread; a library leaves signals alone."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # not on Windows
    if hangup is not None and signal.getsignal(hangup) != signal.SIG_IGN:  # with nohup it stays unheard
        numbers.append(hangup)
    for number in numbers:
        signal.signal(number, lambda *_: os._exit(130))
        atexit.register(signal.signal, number, signal.SIG_IGN)
