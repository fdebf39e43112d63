"""`python -m dsn.native` compiles the kernel in place."""

from ..compiled.build import main

main()
