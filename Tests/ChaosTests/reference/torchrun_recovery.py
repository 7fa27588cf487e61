#!/usr/bin/env python3
"""What the loss of one of two workers costs: PyTorch's torchrun beside Rondo, in one run of this script.

  python torchrun_recovery.py RONDO [--rounds N] [--checkpoint-steps K]

RONDO is the built program. Needs torch; never part of the automatic tests. Both train the network of
configs/fashion-mnist-cnn.json (421,642 parameters) with 2 workers, 64 samples a worker and step, one
thread each, and a checkpoint every K steps; a worker gets SIGKILL half a checkpoint after one. torchrun
(Gloo, elastic) trains on random images, which cost it no reading. Its agent is told to look at its
workers every 0.1 s, and the state is saved and loaded as its documentation says.

Printed, for either: the time from the kill until the next step was committed, the committed steps that
were lost with it, the time until the run was again past the step where it was killed, and the longest time
between two commits after the kill (with Rondo also when the worker that was started anew joins).
"""
import argparse, json, os, signal, statistics, subprocess, sys, tempfile, time

PARAMETERS = 421_642


def train_under_torchrun(folder, checkpoint_steps, last_step):
    """One worker of the elastic job; rank 0 writes `step time generation` lines, each a pid."""
    import torch, torch.nn as nn, torch.nn.functional as F, torch.distributed as dist
    from torch.nn.parallel import DistributedDataParallel

    torch.set_num_threads(1)
    torch.manual_seed(1)
    rank, generation = int(os.environ["RANK"]), os.environ["TORCHELASTIC_RESTART_COUNT"]
    # A name of its own for each start: PyTorch 2.15's default let a started-anew worker find the address
    # of its dead peer at times ("Connection refused"), which used up the restarts.
    store = dist.TCPStore(os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]), is_master=False)
    dist.init_process_group(
        "gloo", store=dist.PrefixStore(f"start-{generation}", store), rank=rank,
        world_size=int(os.environ["WORLD_SIZE"]))
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(64 * 49, 128), nn.ReLU(), nn.Dropout(0.4), nn.Linear(128, 10),
    ).to(memory_format=torch.channels_last)
    assert sum(parameter.numel() for parameter in model.parameters()) == PARAMETERS
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=5e-4)
    checkpoint, first = os.path.join(folder, "checkpoint.pt"), 1
    if os.path.exists(checkpoint):
        state = torch.load(checkpoint)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["step"] + 1
    parallel = DistributedDataParallel(model)
    images, labels = torch.randn(64, 1, 28, 28), torch.randint(0, 10, (64,))
    with open(os.path.join(folder, f"pid-{rank}"), "w") as file:
        file.write(str(os.getpid()))
    log = open(os.path.join(folder, "steps"), "a", buffering=1) if rank == 0 else None
    for step in range(first, last_step + 1):
        optimizer.zero_grad()
        F.cross_entropy(parallel(images), labels).backward()
        optimizer.step()
        if log:
            log.write(f"{step} {time.time()} {generation}\n")
            if step % checkpoint_steps == 0:
                state = dict(model=model.state_dict(), optimizer=optimizer.state_dict(), step=step)
                torch.save(state, checkpoint + ".new")
                os.replace(checkpoint + ".new", checkpoint)
    dist.destroy_process_group()


def wait_until(condition, process, words, seconds=120):
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{words}: waited in vain (exit code {process.poll()})")
        time.sleep(0.002)


def measure(name, process, read_steps, find_victim, checkpoint_steps):
    """Kills a worker in the midst of the run. `read_steps` gives (step, time, generation) in the order of
    commits, where each change of the set of workers makes a generation."""
    at = 2 * checkpoint_steps + checkpoint_steps // 2
    wait_until(lambda: any(row[0] >= at for row in read_steps()), process, f"{name}: step {at}")
    generation = read_steps()[-1][2]
    victim = find_victim()
    killed = time.time()
    os.kill(victim, signal.SIGKILL)

    def is_far_behind():
        rows = read_steps()
        return rows[-1][2] > generation and rows[-1][0] >= at + 2 * checkpoint_steps

    wait_until(is_far_behind, process, f"{name}: steps after the kill")
    rows = read_steps()
    # A step that was under way at the kill may still be committed.
    last = max(step for step, _, of in rows if of <= generation)
    later = [row for row in rows if row[2] > generation]
    times = [killed] + [when for _, when, _ in rows if when > killed]
    return dict(
        next_step=later[0][1] - killed, lost_steps=last + 1 - later[0][0],
        caught_up=next(when for step, when, _ in later if step > last) - killed,
        longest=max(later - earlier for earlier, later in zip(times, times[1:])))


def torchrun(checkpoint_steps):
    with tempfile.TemporaryDirectory() as folder:
        def read_steps():
            try:
                lines = open(os.path.join(folder, "steps")).read().splitlines()
            except FileNotFoundError:
                return []
            fields = [line.split() for line in lines]
            return [(int(row[0]), float(row[1]), int(row[2])) for row in fields if len(row) == 3]

        process = subprocess.Popen(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
             "--max-restarts=3", "--monitor-interval=0.1", __file__, "--as-worker", folder,
             "--checkpoint-steps", str(checkpoint_steps)],
            env=dict(os.environ, GLOO_SOCKET_IFNAME="lo", OMP_NUM_THREADS="1"),
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return measure(
                "torchrun", process, read_steps,
                lambda: int(open(os.path.join(folder, "pid-1")).read()), checkpoint_steps)
        finally:
            process.terminate()
            process.wait()


def rondo(program, checkpoint_steps):
    repository = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
    configuration = os.path.join(repository, "configs/fashion-mnist-cnn.json")
    with tempfile.TemporaryDirectory() as folder:
        output = os.path.join(folder, "out")

        def read_steps():
            try:
                lines = open(os.path.join(output, "metrics.jsonl")).read().splitlines()
            except FileNotFoundError:
                return []
            steps = []
            for line in lines:
                try:
                    fields = json.loads(line)
                except ValueError:
                    continue
                if "loss" in fields:
                    steps.append((fields["step"], fields["time"], fields["generation"]))
            return steps

        def find_victim():
            for name in filter(str.isdigit, os.listdir("/proc")):
                try:
                    words = open(f"/proc/{name}/cmdline").read().split("\0")
                    parent = int(open(f"/proc/{name}/stat").read().rsplit(")", 1)[1].split()[1])
                except OSError:
                    continue
                if "--slot=1" in words and parent == process.pid:
                    return int(name)
            raise SystemExit("rondo: there is no worker 1")

        process = subprocess.Popen(
            [program, "train", configuration, "--workers", "2", "--output", output, "--set",
             f"checkpoint.everySteps={checkpoint_steps}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return measure("rondo", process, read_steps, find_victim, checkpoint_steps)
        finally:
            process.terminate()
            process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rondo", nargs="?")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--checkpoint-steps", type=int, default=100)
    parser.add_argument("--as-worker", metavar="FOLDER", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.as_worker:
        return train_under_torchrun(arguments.as_worker, arguments.checkpoint_steps, 1_000_000)
    if not arguments.rondo:
        parser.error("RONDO, the built program, is missing")
    rows = {"torchrun": [], "rondo": []}
    columns = [("next_step", "next step (s)"), ("lost_steps", "steps lost"),
               ("caught_up", "caught up (s)"), ("longest", "longest pause (s)")]
    print(f"{'':10}" + "".join(f"{title:>19}" for _, title in columns))

    def show(name, row):
        print(f"{name:10}" + "".join(f"{row[key]:19.3f}" if "steps" not in key else
                                     f"{row[key]:19.0f}" for key, _ in columns), flush=True)

    for _ in range(arguments.rounds):
        rows["torchrun"].append(torchrun(arguments.checkpoint_steps))
        rows["rondo"].append(rondo(os.path.abspath(arguments.rondo), arguments.checkpoint_steps))
        for name, results in rows.items():
            show(name, results[-1])
    if arguments.rounds > 1:
        print("median")
        for name, results in rows.items():
            show(name, {key: statistics.median(row[key] for row in results) for key in results[0]})


if __name__ == "__main__":
    main()
