import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bbert.reproduce.warm_server import warm_server

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="Linux only")


@pytest.fixture(scope="module")
def address():
    with warm_server() as address:
        assert address is not None
        yield address


def call(address: str, *arguments: str, **options) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bbert.reproduce.warm_call", address, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until(happened) -> bool:
    end = time.monotonic() + 60
    while not happened() and time.monotonic() < end:
        time.sleep(0.05)
    return happened()


def test_a_command_does_what_it_does_without_the_server(address, tmp_path: Path):
    options = ("params", "--depth", "2", "--hidden", "64", "--heads", "4")
    environment = {**os.environ, "COLUMNS": "77"}
    direct = subprocess.run([sys.executable, "-m", "bbert", *options], env=environment,
                            capture_output=True, text=True, check=True)  # fmt: skip
    warm = call(address, *options, env=environment, cwd=tmp_path)
    assert warm.communicate() == (direct.stdout, direct.stderr)
    assert warm.returncode == 0


def test_exit_code_and_message_of_bad_input(address):
    process = call(address, "params", "--depth", "none")
    output, errors = process.communicate()
    assert (process.returncode, output) == (2, "")
    assert "--depth" in errors


def test_the_caller_s_folder_and_environment(address, tmp_path: Path):
    environment = {**os.environ, "BBERT_WORK": "there"}
    process = call(address, "finetune", "--model", "nothing", "--task", "ner",
                   cwd=tmp_path, env={**environment, "HF_HUB_OFFLINE": "1"})  # fmt: skip
    _, errors = process.communicate()
    assert process.returncode == 2
    assert "there/models" in errors


def test_without_a_server_the_command_runs_as_usual(tmp_path: Path):
    process = call(str(tmp_path / "nobody"), "--version")
    output, _ = process.communicate()
    assert process.returncode == 0
    assert output.startswith("bbert ")


SLEEPER = """
import os, sys, time
import bbert.cli

def main(arguments):
    with open(arguments[0], "w") as stream:
        stream.write(str(os.getpid()))
    time.sleep(600)

bbert.cli.main = main
from bbert.reproduce import warm_server
warm_server._import_all = lambda: None
raise SystemExit(warm_server.serve(sys.argv[1]))
"""


@pytest.fixture
def sleeping(tmp_path: Path):
    """A server whose commands sleep; the process of one command, its caller, and the server."""
    address = str(tmp_path / "socket")
    server = subprocess.Popen([sys.executable, "-c", SLEEPER, address], stdin=subprocess.PIPE)
    assert wait_until(lambda: os.path.exists(address))
    told = tmp_path / "process"
    caller = call(address, str(told))
    assert wait_until(lambda: told.is_file() and told.read_text() != "")
    yield int(told.read_text()), caller, server
    server.kill()
    server.communicate()
    caller.communicate()


def test_a_signal_to_the_caller_reaches_the_command(sleeping):
    command, caller, _ = sleeping
    caller.send_signal(signal.SIGTERM)
    assert caller.wait(timeout=30) == 128 + signal.SIGTERM
    assert gone(command)


def test_a_command_ends_with_its_caller(sleeping):
    command, caller, _ = sleeping
    caller.kill()
    assert wait_until(lambda: gone(command))


def test_a_command_ends_with_the_server(sleeping):
    command, caller, server = sleeping
    server.kill()
    server.wait()
    assert wait_until(lambda: gone(command))
    assert caller.wait(timeout=30) == 1
