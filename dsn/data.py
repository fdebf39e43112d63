"""Data in one place: a corpus, recipes drawn from it, mixtures rendered from them, and pools of mixtures.

corpus = Corpus("data")
recipe = draw(corpus, "train", seed=0)
noisy, clean = render(corpus, recipe)
"""

from dsn.corpus import Corpus as Corpus
from dsn.corpus import default_folder as default_folder
from dsn.drawing import draw as draw
from dsn.mixing import Mixture as Mixture
from dsn.mixing import render as render
from dsn.pool import Pool as Pool
from dsn.recipe import Noise as Noise
from dsn.recipe import Piece as Piece
from dsn.recipe import Recipe as Recipe
from dsn.recipe import Room as Room
from dsn.recipe import read_recipes as read_recipes
from dsn.recipe import write_recipes as write_recipes
