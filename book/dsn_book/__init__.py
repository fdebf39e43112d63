"""What the book needs beside dsn: displays, figures, exercises, page texts and the study behind its tables."""
