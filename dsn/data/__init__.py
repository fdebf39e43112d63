"""Data in one place: a corpus, recipes drawn from it, mixtures rendered from them, fixed or without end.

corpus = Corpus("data")
recipe = draw(corpus, "train", seed=0)
noisy, clean = render(corpus, recipe)
"""

from .corpus import Corpus as Corpus
from .dataset import FreshMixtures as FreshMixtures
from .decoded import DecodedCorpus as DecodedCorpus
from .default import default_folder as default_folder
from .mixing import Mixture as Mixture
from .recipe import TEST_RECIPES as TEST_RECIPES
from .recipe import Bump as Bump
from .recipe import Effects as Effects
from .recipe import Envelope as Envelope
from .recipe import Microphone as Microphone
from .recipe import Noise as Noise
from .recipe import Piece as Piece
from .recipe import Recipe as Recipe
from .recipe import Room as Room
from .recipe import read_recipes as read_recipes
from .recipe import write_recipes as write_recipes
from .rendering import render as render
from .sampling import draw as draw
