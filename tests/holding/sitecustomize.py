"""On the path of a process, it makes that process stand still before it renames a certain file.

A training of several processes can then be killed between two known files. The pattern of the file
is in the variable HOLD_AT.
"""

import os
import sys
import time
from fnmatch import fnmatch


def hold(event: str, args: tuple[object, ...]) -> None:
    if event == "os.rename" and fnmatch(str(args[1]), os.environ["HOLD_AT"]):
        time.sleep(3600)


sys.addaudithook(hold)
