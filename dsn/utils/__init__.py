"""Common ground of several rooms: audio files, writing without loss, processes, torchaudio beside a CPU build."""
