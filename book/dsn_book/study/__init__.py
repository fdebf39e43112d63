"""The study: its systems, what was measured of them, and what the goals make of it."""
