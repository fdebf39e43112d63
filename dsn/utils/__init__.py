"""Common ground of several rooms: signals, audio files, writing without loss, processes, what is installed."""
