"""Starts kv_plugin.py as the program of a bundle.

The host starts the interpreter with -I and -S, so it searches only its standard
library for modules. This file adds its own directory, which is the verified copy of
the bundle. Nothing is imported from anywhere else.
"""

import os
import sys
import sysconfig

BUNDLE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [BUNDLE, os.path.join(BUNDLE, "packages")]

import kv_plugin  # noqa: E402
import words  # noqa: E402


def from_elsewhere():
    """The modules that came neither from the bundle nor from the standard library."""
    ours = (BUNDLE, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return sorted(file for file in files if file and not file.startswith(tuple(f"{one}{os.sep}" for one in ours)))


kv_plugin.main({"word": words.WORD, "elsewhere": "\n".join(from_elsewhere()).encode()})
