"""Running trained models: streams, files, backends, export, timing."""
