"""Startup file of a chapter's kernel (PYTHONSTARTUP): notes what the run opens, one path per line, in $DSN_OPENED.

Python's own reads are seen, compiled libraries too; not what other libraries read by themselves, such as soundfile and
safetensors.
"""


def _trace() -> None:
    import os
    import sys

    seen: set[str] = set()
    note = os.open(os.environ["DSN_OPENED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event in ("open", "ctypes.dlopen") and isinstance(arguments[0], str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(arguments[0]))
            if path not in seen:
                seen.add(path)
                os.write(note, os.fsencode(path) + b"\n")

    sys.addaudithook(hook)


_trace()
del _trace
