"""Policies learnt from what each gate saves, controls that open as many gates, and what gates listen to."""
