"""Runs a command in a pseudo-terminal.

usage: terminal.py COLUMNS ROWS COMMAND...
Reads steps from standard input, one JSON object per line: {"resize": [columns, rows]} or {"send": text}. Writes what
happens in order, as JSON lines: {"output": base64}, {"resized": [columns, rows]} and at the end {"exit": code}.
"""

import base64
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios


def tell(**event):
    print(json.dumps(event), flush=True)


def resize(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


child, terminal = pty.fork()
if child == 0:
    # The size is set before the command starts.
    resize(0, int(sys.argv[1]), int(sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])

steps = b""
watched = [terminal, 0]
while True:
    ready, _, _ = select.select(watched, [], [])
    if terminal in ready:
        try:
            output = os.read(terminal, 65536)
        except OSError:
            output = b""
        if output == b"":
            break
        tell(output=base64.b64encode(output).decode())
    if 0 in ready:
        received = os.read(0, 65536)
        if received == b"":
            watched = [terminal]
        steps += received
        *lines, steps = steps.split(b"\n")
        for step in map(json.loads, lines):
            if "resize" in step:
                resize(terminal, *step["resize"])
                tell(resized=step["resize"])
            if "send" in step:
                os.write(terminal, step["send"].encode())
tell(exit=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
