"""`python -m dsn.native` compiles the kernel in place."""

from .build import main

main()
