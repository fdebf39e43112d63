"""Figures and displays of the book; each returns a figure with the words that describe it."""

from .hero import hero as hero
from .listening import listen as listen
from .spectrograms import overview as overview
from .versions import Version as Version
from .versions import enhanced as enhanced
from .versions import run as run
from .versions import unprocessed as unprocessed
