"""report.py BURN: reads what comes in at its leisure, and makes a report of it every eight seconds.

A report takes all there is: this thread, and the program BURN for as long as it is made.
"""

import re
import subprocess
import sys
import threading
import time
import zlib

PERIOD = 8
WORK = 2.5
LINE = re.compile(r"(\w+) (\d+) \[(\d+)\] \"(\w+) ([^\"]*)\"")


def call_thread(name):
    with open(f"/proc/self/task/{threading.get_native_id()}/comm", "w") as comm:
        comm.write(name)


def lines(count):
    for number in range(count):
        yield f'host{number % 17} {number} [{number * 7919 % 1000}] "GET /item/{number % 101}"'


def parse(text):
    found = LINE.match(text)
    return found.group(5), int(found.group(3))


def read_all():
    call_thread("reader")
    while True:
        begun = time.thread_time()
        while time.thread_time() - begun < 0.02:
            for line in lines(50):
                parse(line)
        time.sleep(0.06)


def rank(table):
    return sorted(table.items(), key=lambda entry: (-entry[1], entry[0]))


def report():
    table = {}
    for line in lines(4000):
        name, took = parse(line)
        table[name] = table.get(name, 0) + took
    page = "\n".join(f"{name} {took}" for name, took in rank(table))
    return zlib.compress(page.encode() * 20, 9)


def main():
    threading.Thread(target=read_all, daemon=True).start()
    call_thread("report")
    while True:
        begun = time.monotonic()
        helper = subprocess.Popen([sys.argv[1], str(WORK)], stdout=subprocess.DEVNULL)
        while time.monotonic() - begun < WORK:
            report()
        helper.wait()
        time.sleep(max(0.0, begun + PERIOD - time.monotonic()))


main()
