"""`python -m dsn.kernels` compiles the kernel in place."""

from .build import main

main()
