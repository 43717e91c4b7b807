"""An event loop whose clock jumps to the next timer while everything waits.

`clock` is the public part; `external_waits` knows what a loop waits for that takes real time: threads,
sockets, processes.
"""
