"""The commands of `dsn`, one module each.

In each module `add` describes the arguments and `run` does the work and returns the exit code. What takes long to
import is imported within `run`, so that `--help` answers at once.
"""
