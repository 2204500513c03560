"""Signals: asked for in a loop, and an end in one line everywhere else."""

import signal

import pytest

from flq_jax.experiments.process import signals

SIGNALS = pytest.mark.parametrize("number", signals.SIGNALS)


@SIGNALS
def test_it_ends_at_once_with_the_command_to_go_on_with(number, capsys):
    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as ended, signals.ending("python -m a --b"):
        signal.raise_signal(number)
    assert ended.value.code == 128 + number
    name = signal.Signals(number).name
    assert capsys.readouterr().out == (
        f"{name}: stopped outside of its rounds, nothing is lost; go on with: "
        "python -m a --b\n"
    )
    assert signal.getsignal(number) is before


@SIGNALS
def test_a_loop_that_asks_goes_on_to_a_place_of_its_choice(number, capsys):
    with pytest.raises(SystemExit) as ended, signals.ending("python -m a"):
        with signals.Interrupt() as asked:
            assert not asked.requested
            signal.raise_signal(number)
            came = asked.requested
        raise signals.Interrupted(came, 7)
    assert ended.value.code == 128 + number
    assert "stopped after round 7, which is saved" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU"])
def test_what_a_terminal_or_a_batch_system_sends_is_heeded_however_often(name, capsys):
    """A terminal that closes sends SIGHUP twice: the second loses nothing."""
    number = signal.Signals[name]
    with pytest.raises(SystemExit) as ended, signals.ending("python -m a"):
        with signals.Interrupt() as asked:
            signal.raise_signal(number)
            signal.raise_signal(number)
        raise signals.Interrupted(asked.requested, 7)
    assert ended.value.code == 128 + number
    assert "stopped after round 7, which is saved" in capsys.readouterr().out


def test_what_nohup_ignores_is_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.ending("python -m a"), signals.Interrupt() as asked:
            signal.raise_signal(signal.SIGHUP)
        assert not asked.requested
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_one_does_not_wait(capsys):
    with pytest.raises(SystemExit), signals.ending("python -m a"):
        with signals.Interrupt():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGTERM)
        raise AssertionError("the second was not heard")
    told = capsys.readouterr().out
    assert told.startswith("SIGTERM: stopped at once, on a second signal; what was not")
