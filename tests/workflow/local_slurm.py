"""A real Slurm of one node on loopback, started by a test and stopped after it.

It needs root on Linux and the programs of Debian's packages slurmctld, slurmd and slurm-client. Everything lives in
one folder, except links under /etc/slurm: jobs of Snakemake's plugin look there, whatever SLURM_CONF says.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

ETC = Path("/etc/slurm")
PROGRAMS = ("slurmctld", "slurmd", "sbatch", "srun", "squeue", "sinfo", "scontrol")
PATIENCE = 60  # seconds

# no authentication, for it listens on loopback only; a pretend GPU and pretend memory, so that requests for them are
# scheduled on any machine
CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld_port}
SlurmdPort={d_port}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthType=auth/none
CredType=cred/none
SlurmUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
SlurmdParameters=config_overrides
MinJobAge=3600
KillWait=5
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=65536 Gres=gpu:1 State=UNKNOWN
PartitionName=cpu Nodes=ALL Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes=ALL MaxTime=INFINITE State=UP
"""


def why_not():
    """Why Slurm cannot be started here, or None."""
    missing = [p for p in PROGRAMS if shutil.which(p) is None]
    if sys.platform != "linux" or os.geteuid() != 0:
        return "starting Slurm needs root on Linux"
    if missing:
        return f"{', '.join(missing)} not found: apt-get install slurmctld slurmd slurm-client"
    if any((ETC / name).exists() for name in ("slurm.conf", "gres.conf")):
        return f"{ETC} belongs to this machine's own Slurm"
    try:
        socket.gethostbyname(_host())
    except OSError:
        return f"the host name {_host()} does not resolve: add '127.0.0.1 {_host()}' to /etc/hosts"
    return None


def _host():
    return socket.gethostname().split(".")[0]


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _wait_for(what, command, expected=""):
    began = time.monotonic()
    while True:
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode == 0 and expected in done.stdout:
            return
        if time.monotonic() - began > PATIENCE:
            raise TimeoutError(f"{what}: {done.stdout}{done.stderr}")
        time.sleep(0.5)


@contextlib.contextmanager
def running(folder):
    """Slurm with two partitions, ``cpu`` and ``gpu``; daemons and links are gone when the block ends."""
    folder = Path(folder)
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    conf = CONF.format(host=_host(), folder=folder, cpus=os.cpu_count(), ctld_port=_free_port(), d_port=_free_port())
    (folder / "slurm.conf").write_text(conf)
    (folder / "gres.conf").write_text(f"NodeName={_host()} Name=gpu File=/dev/null\n")
    ETC.mkdir(exist_ok=True)
    daemons = []
    try:
        for name in ("slurm.conf", "gres.conf"):
            (ETC / name).symlink_to(folder / name)
        for command in (["slurmctld", "-D", "-i"], ["slurmd", "-D", "-N", _host()]):
            with open(folder / f"{command[0]}.out", "w", encoding="utf-8") as out:
                daemons.append(subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL))
        _wait_for("slurmctld does not answer", ["scontrol", "ping"], "is UP")
        _wait_for("the node is not ready", ["sinfo", "-h", "-o", "%T"], "idle")
        yield
        subprocess.run(["scancel", "--user", str(os.geteuid())], timeout=PATIENCE)
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait(timeout=PATIENCE)
        for name in ("slurm.conf", "gres.conf"):
            (ETC / name).unlink(missing_ok=True)
