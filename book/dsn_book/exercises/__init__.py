"""The exercises of the book: questions that the page checks, a check for every answer, and the listening quiz."""

from .choice import Option as Option
from .choice import choice as choice
from .quantity import quantity as quantity
