"""The simulated twin of the machine: one clock, programs that wait on it, and nobody in a hurry.

Theory of operation. A program is ordinary blocking code. When it waits, it calls Scheduler.wait(),
and that is the only place where anything else happens: first what is due at this instant, then any
other program that can go on, then, when nobody can, the clock jumps to the next deadline. Programs
beside the caller's own run in threads of their own, but one baton passes between them, so that only
one ever runs and the order depends on the seed and the calls alone. With pace=RealPace the clock is
held back to the wall's instead of jumping; nothing else differs.

Signals are words in a task's list. A program that watches for one finds it in its wait; one that
does not is ended by it, as everywhere.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from libnet.clock import Clock, Dice
from libnet.errors import NetError

# A processor is not infinitely fast: so many waits without the time moving take a millisecond.
STALL_WAITS: Final = 1000
STALL_S: Final = 0.001
GRACE_S: Final = 60.0
# Rounds of calls at one instant before programs whose time is up get their turn.
INSTANT_ROUNDS: Final = 10000

# What these do to a program that does not watch for them.
_IGNORED: Final = frozenset(("SIGCONT", "SIGINFO", "SIGCHLD", "SIGWINCH"))
SIGNUM: Final = {
    "SIGHUP": 1,
    "SIGINT": 2,
    "SIGQUIT": 3,
    "SIGKILL": 9,
    "SIGUSR1": 10,
    "SIGUSR2": 12,
    "SIGPIPE": 13,
    "SIGALRM": 14,
    "SIGTERM": 15,
    "SIGCHLD": 17,
    "SIGCONT": 18,
    "SIGWINCH": 28,
    "SIGPWR": 30,
    "SIGINFO": 29,
}


def seeded(seed: int | str) -> Dice:
    """Return dice whose throws depend on *seed* alone."""
    return random.Random(seed)


class Deadlock(RuntimeError):
    """Everybody waits, and nothing is ever going to happen."""


class Interrupted(KeyboardInterrupt):
    """A SIGINT of the simulation ends the program, as opposed to one from the real keyboard."""


class Terminated(BaseException):
    """A signal ends the program that was waiting.

    signal  its name; the status of the program is 128 plus its number
    """

    def __init__(self, signal: str) -> None:
        super().__init__(signal)
        self.signal = signal

    @property
    def status(self) -> int:
        """The exit status that a shell shows."""
        return 128 + SIGNUM[self.signal]


class VirtualPace:
    """Time passes as fast as it can."""

    def now(self, clock: Clock) -> float:
        """Return the time."""
        return clock.now

    def until(self, when: float) -> float:
        """Return the time once *when* has come."""
        return when


class RealPace:
    """Time passes as on the wall: the clock counts from the moment this was made."""

    def __init__(self) -> None:
        self._origin = time.monotonic()

    def now(self, clock: Clock) -> float:
        """Return the time."""
        return max(clock.now, time.monotonic() - self._origin)

    def until(self, when: float) -> float:
        """Sleep until *when*; return the time."""
        left = when - (time.monotonic() - self._origin)
        if left > 0:
            time.sleep(left)
        return max(when, time.monotonic() - self._origin)


class Task:
    """A program, or the caller itself, as the scheduler sees it.

    pending   signals that have come and were not seen yet
    finished  whether it has run to its end
    alarm     when somebody loses patience with it: a SIGINT, GRACE_S later a SIGKILL; or None
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.pending: list[str] = []
        self.finished = False
        self.alarm: float | None = None
        self.warned = False
        self.watch: SimSignals | None = None
        self.mortal = True  # a signal may end what it runs
        self.ready: Callable[[], bool] | None = None
        self.deadline: float | None = None
        self.thread: threading.Thread | None = None
        self.baton = threading.Lock()
        self.baton.acquire()

    def signal(self, name: str) -> None:
        """Send it a signal; it is seen when its wait next gets its turn."""
        if name not in SIGNUM:
            raise ValueError(f"{name}: no such signal")
        self.pending.append(name)

    def lose_patience(self, now: float) -> None:
        """Press ^C; the next time, kill."""
        self.pending.append("SIGKILL" if self.warned else "SIGINT")
        self.warned = True
        self.alarm = now + GRACE_S

    def can_go(self) -> bool:
        """Tell whether what it waits for is there."""
        return bool(self.pending) or (self.ready is not None and self.ready())


class Scheduler:
    """Moves the clock, and passes the baton between tasks.

    clock  shared by every stack, segment and program of the world
    """

    def __init__(self, clock: Clock, pace: VirtualPace | RealPace | None = None) -> None:
        self.clock = clock
        self.pace = pace or VirtualPace()
        self.current = self._caller = Task("caller")
        self._caller.mortal = False
        self._tasks: list[Task] = [self._caller]
        self._failure: BaseException | None = None
        self._stalled = 0
        self._stalled_at = clock.now

    def now(self) -> float:
        """Return the time."""
        return self.pace.now(self.clock)

    def spawn(self, name: str, func: Callable[[], None]) -> Task:
        """Run *func()* beside the caller; it starts when the caller next waits.

        *func* must not raise: what goes wrong is its own to keep for whoever asks.
        """
        task = Task(name)
        task.ready = _always

        def body() -> None:
            task.baton.acquire()
            try:
                func()
            finally:
                task.finished = True
                self._tasks.remove(task)
                try:
                    following = self._next(task)
                except BaseException as exc:  # whatever a callout raised must reach the caller
                    self._failure = exc
                    following = self._caller
                self._hand_over(following)

        task.thread = threading.Thread(target=body, name=name, daemon=True)
        self._tasks.append(task)
        task.thread.start()
        return task

    def wait(self, ready: Callable[[], bool] | None, timeout: float | None) -> None:
        """Let the world go on until *ready()*, or *timeout* seconds have passed, or a signal.

        Raises Interrupted or Terminated for a signal that the program does not watch for,
        and Deadlock in the caller's own waits.
        """
        task = self.current
        self._count_stall()
        task.ready = ready
        task.deadline = None if timeout is None else self.now() + timeout
        following = self._next(task)
        if following is not task:
            self._hand_over(following)
            task.baton.acquire()
        task.ready = task.deadline = None
        if self._failure is not None and task is self._caller:
            failure, self._failure = self._failure, None
            raise failure
        self._take_signals(task)

    def _count_stall(self) -> None:
        if self.clock.now != self._stalled_at:
            self._stalled, self._stalled_at = 0, self.clock.now
            return
        self._stalled += 1
        if self._stalled >= STALL_WAITS:
            self.clock.run(self.pace.until(self.clock.now + STALL_S))

    def _hand_over(self, task: Task) -> None:
        self.current = task
        task.baton.release()

    def _next(self, last: Task) -> Task:
        """Move the world until some task can go on; return it. Turns go round after *last*."""
        clock = self.clock
        rounds = 0
        clock.run(self.now())
        while True:
            order = self._turns(last)
            for task in order:
                if task.can_go():
                    return task
            due = clock.next_due()
            now = clock.now
            if due is not None and due <= now and rounds < INSTANT_ROUNDS:
                rounds += 1
                clock.run(now)
                continue
            for task in order:
                if task.deadline is not None and task.deadline <= now:
                    return task
                if task.alarm is not None and task.alarm <= now:
                    task.lose_patience(now)
                    return task
            if due is None and all(task.deadline is None for task in order):
                # No stack has anything to do and no program's time ends: patience is of no use.
                return self._stuck(order)
            target = self._earliest(order, due)
            if rounds >= INSTANT_ROUNDS:
                target = max(target, now + STALL_S)
            rounds = 0
            clock.run(self.pace.until(max(target, now)))

    def _earliest(self, order: Sequence[Task], due: float | None) -> float:
        ends = [] if due is None else [due]
        for task in order:
            ends += [end for end in (task.deadline, task.alarm) if end is not None]
        return min(ends)

    def _turns(self, last: Task) -> list[Task]:
        tasks = self._tasks
        if len(tasks) == 1:
            return tasks
        start = tasks.index(last) + 1 if last in tasks else 0
        return tasks[start:] + tasks[:start]

    def _stuck(self, order: Sequence[Task]) -> Task:
        """Choose who is interrupted when nothing will ever happen: the caller, or its program."""
        caller = self._caller
        assert caller in order
        caller.pending.append("SIGINT")
        return caller

    def _take_signals(self, task: Task) -> None:
        while task.pending:
            name = task.pending.pop(0)
            watch = task.watch
            if watch is not None and name in watch.names:
                watch.came.append(name)
            elif name == "SIGINT":
                if not task.mortal:
                    raise Deadlock("everybody waits, and nothing is going to happen")
                raise Interrupted
            elif name not in _IGNORED:
                raise Terminated(name)


def _always() -> bool:
    return True


class SimSignals:
    """The signals that the running program watches for."""

    def __init__(self, task: Task, names: Sequence[str]) -> None:
        self.names = frozenset(names) - {"SIGKILL"}
        self.came: list[str] = []
        self._task = task
        self._outer, task.watch = task.watch, self

    def fileno(self) -> int:
        """There is no host descriptor."""
        return -1

    def take(self) -> list[str]:
        """Return the names of those that came, in order, and forget them."""
        came, self.came = self.came, []
        return came

    def close(self) -> None:
        """Let signals do again what they did before."""
        self._task.watch = self._outer


class SimHost:
    """Implements libnet.libsocket.ctx.Host on a Scheduler."""

    def __init__(self, scheduler: Scheduler, dice: Dice) -> None:
        self.scheduler = scheduler
        self.dice = dice

    def now(self) -> float:
        """Return the time of the world."""
        return self.scheduler.now()

    def wall(self) -> float:
        """Return seconds since 1970, as the world has it."""
        return self.scheduler.now() + self.scheduler.clock.epoch

    def sleep(self, seconds: float) -> None:
        """Let the world go on for *seconds*."""
        scheduler = self.scheduler
        end = scheduler.now() + max(seconds, 0.0)
        while True:
            # A signal that is only noted does not shorten a sleep.
            scheduler.wait(None, max(end - scheduler.now(), 0.0))
            if scheduler.now() >= end:
                return

    def wait(
        self, descriptors: Sequence[Any], timeout: float | None, writers: Sequence[Any] = ()
    ) -> list[Any]:
        """Let the world go on until a descriptor is readable, or writable; return those that are."""
        found: list[Any] = []

        def ready() -> bool:
            found[:] = [d for d in descriptors if _ready(d, "poll")]
            found.extend(d for d in writers if _ready(d, "pollout"))
            return bool(found)

        self.scheduler.wait(ready, timeout)
        ready()
        return found

    def watch_signals(self, *names: str) -> SimSignals:
        """Catch the signals *names* for the program that is running."""
        return SimSignals(self.scheduler.current, names)


def _ready(descriptor: Any, op: str) -> bool:
    if isinstance(descriptor, SimSignals):
        return bool(descriptor.came)
    transport = getattr(descriptor, "transport", None)
    if transport is None:
        return True  # a plain file: all that it holds is there
    try:
        ready: bool = transport.call(op)
    except NetError:
        return True  # the next call tells the program what is wrong
    return ready
