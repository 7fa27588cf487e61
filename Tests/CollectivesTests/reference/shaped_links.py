#!/usr/bin/env python3
"""Rondo on links of a given rate: all-reduces beside a plain TCP stream, and how training overlaps with them.

  shaped_links.py [--rondo PATH] [--workers N] [--rate RATE ...] [--workload NAME] [--steps N] [--rounds N]

Needs root and iproute2. Every worker gets a network namespace of its own, joined by a veth pair to a bridge in one
more; `tc tbf` limits both directions of every pair to RATE (default: 1gbit and 100mbit). Namespaces are removed at
the end, also after an error.

Per rate prints
  - what one TCP connection between two of the namespaces carries (median of the rounds, payload),
  - the bus bandwidth of `rondo bench allreduce` and its share of that, for each size that takes a second at most,
  - the step of `rondo bench train WORKLOAD` in float32 and bfloat16 beside the same workers without a limit and the
    time that the gradients alone take at the stream's rate.
"""
import argparse, json, os, signal, socket, statistics, subprocess, sys, time

parser = argparse.ArgumentParser()
parser.add_argument("--rondo", default=".build/release/rondo")
parser.add_argument("--workers", type=int, default=4)
parser.add_argument("--rate", nargs="+", default=["1gbit", "100mbit"])
parser.add_argument("--workload", default="cnn")
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--stream", help=argparse.SUPPRESS)  # this program as one end of the stream
arguments = parser.parse_args()

PREFIX = f"rondo-links-{os.getpid()}"
HUB = f"{PREFIX}-hub"
STREAM_SECONDS = 2.0


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, timeout=30)
    if done.returncode:
        raise SystemExit(f"'{' '.join(words)}': {done.stderr.strip()}")


def host(index):
    return f"{PREFIX}-{index}"


def address(index):
    return f"10.78.0.{index + 2}"


def inside(name, *words):
    return ["ip", "netns", "exec", name, *words]


class Network:
    def __init__(self, workers):
        self.names = [HUB]
        run("ip", "netns", "add", HUB)
        run("ip", "-n", HUB, "link", "set", "lo", "up")
        run("ip", "-n", HUB, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", HUB, "address", "add", "10.78.0.1/24", "dev", "bridge")
        run("ip", "-n", HUB, "link", "set", "bridge", "up")
        for index in range(workers):
            name = host(index)
            self.names.append(name)
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            run("ip", "-n", HUB, "link", "add", f"port{index}", "type", "veth", "peer", "name", "wire", "netns", name)
            run("ip", "-n", HUB, "link", "set", f"port{index}", "master", "bridge", "up")
            run("ip", "-n", name, "address", "add", f"{address(index)}/24", "dev", "wire")
            run("ip", "-n", name, "link", "set", "wire", "up")

    def limit(self, rate):
        for index in range(len(self.names) - 1):
            for name, device in [(host(index), "wire"), (HUB, f"port{index}")]:
                # A burst holds two of the largest packets that leave a veth in one piece.
                run("ip", "netns", "exec", name, "tc", "qdisc", "replace", "dev", device, "root", "tbf",
                    "rate", rate, "burst", "128kb", "latency", "50ms")

    def remove(self):
        for name in reversed(self.names):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def stream_end(role):
    if role == "receive":
        listener = socket.create_server(("0.0.0.0", 5999))
        print("ready", flush=True)
        connection, _ = listener.accept()
        buffer, start, count = bytearray(1 << 18), None, 0
        while True:
            got = connection.recv_into(buffer)
            now = time.perf_counter()
            if not got:
                break
            # What comes within the first 0.2 s fills queues.
            if start is None:
                begin, start = now, False
            if start is False and now - begin > 0.2:
                start = now
            elif start:
                count, end = count + got, now
        print(count / (end - start), flush=True)
    else:
        connection = socket.create_connection((role, 5999), timeout=10)
        data, end = bytes(1 << 18), time.perf_counter() + STREAM_SECONDS
        while time.perf_counter() < end:
            connection.sendall(data)


def stream():
    """Bytes per second of one connection."""
    me = os.path.abspath(__file__)
    receiver = subprocess.Popen(inside(host(1), sys.executable, me, "--stream", "receive"), stdout=subprocess.PIPE, text=True)
    receiver.stdout.readline()
    subprocess.run(inside(host(0), sys.executable, me, "--stream", address(1)), check=True, timeout=60)
    line = receiver.stdout.readline()
    receiver.wait(timeout=60)
    return float(line)


def bench(*words):
    """The lines of a benchmark whose workers are in the namespaces."""
    lead = subprocess.Popen(
        inside(HUB, arguments.rondo, "bench", *words, "--workers", str(arguments.workers), "--listen", "10.78.0.1:0", "--json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    workers = []
    try:
        place = None
        while place is None:
            line = lead.stderr.readline()
            if not line:
                raise SystemExit(f"rondo bench {' '.join(words)}: ended with {lead.wait()}")
            if "--coordinator" in line:
                place = line.split()[-1]
        for index in range(arguments.workers):
            workers.append(subprocess.Popen(
                inside(host(index), arguments.rondo, "bench", "worker", "--coordinator", place, "--slot", str(index)),
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        output, errors = lead.communicate(timeout=600)
        if lead.returncode:
            raise SystemExit(f"rondo bench {' '.join(words)}: {errors.strip()}")
        return [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    finally:
        for process in workers + [lead]:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


def median_rows(rounds, key):
    return [statistics.median(row[key] for row in rows) for rows in zip(*rounds)]


def measure(network):
    free = statistics.median(bench("train", arguments.workload, "--steps", str(arguments.steps))[0]["ms_per_step"]
                             for _ in range(arguments.rounds))
    for rate in arguments.rate:
        network.limit(rate)
        plain = statistics.median(stream() for _ in range(arguments.rounds))
        print(f"\n{rate}: a plain stream carries {plain / 1e6:.2f} MB/s")
        largest = int(plain / 1.5)
        rounds = [bench("allreduce", "--largest", str(largest)) for _ in range(arguments.rounds)]
        for row, microseconds in zip(rounds[0], median_rows(rounds, "us")):
            count = arguments.workers
            bandwidth = 2 * (count - 1) / count * row["bytes"] / microseconds * 1e6
            print(f"  all-reduce {row['bytes']:>9} bytes {microseconds / 1e3:10.2f} ms  bus {bandwidth / 1e6:8.2f} MB/s"
                  f"  {100 * bandwidth / plain:5.1f} % of the stream")
        for numbers, size in [("float32", 4), ("bfloat16", 2)]:
            rows = [bench("train", arguments.workload, "--steps", str(arguments.steps), "--gradients", numbers)[0]
                    for _ in range(arguments.rounds)]
            step = statistics.median(row["ms_per_step"] for row in rows)
            count = arguments.workers
            alone = 2 * (count - 1) / count * size * rows[0]["params"] / plain * 1e3
            hidden = (free + alone - step) / min(free, alone)
            print(f"  {arguments.workload} {numbers:8} {step:8.1f} ms/step; without a limit {free:.1f} ms, the gradients alone"
                  f" {alone:.1f} ms: {100 * hidden:.0f} % of the shorter of the two is hidden")


if arguments.stream:
    stream_end(arguments.stream)
else:
    arguments.rondo = os.path.abspath(arguments.rondo)
    network = Network(arguments.workers)
    try:
        measure(network)
    finally:
        network.remove()
