#!/usr/bin/env bash
# A Slurm of one node on this machine, for as long as a command runs: munge, controller, daemon.
#
#     tests/cluster/slurm.sh sbatch --wait --ntasks 2 job.sbatch
#
# Needs root and Debian's slurm-wlm and munge. Everything it writes is in a folder that it removes;
# it ends only the processes that it has started.
set -euo pipefail

folder=$(mktemp -d /tmp/bbert-slurm.XXXXXX)
chmod 755 "$folder"
started=()
finish() {
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do # slurmd waits for the steps of a job, which may hang
        for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -KILL "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
    if [ "$(readlink /etc/slurm/slurm.conf)" = "$folder/slurm.conf" ]; then rm /etc/slurm/slurm.conf; fi
    rm -rf "$folder"
}
trap finish EXIT

mkdir -m 700 "$folder/munge"
head -c 128 /dev/urandom >"$folder/munge/key"
chmod 400 "$folder/munge/key"
munged --foreground --force --num-threads 2 --key-file "$folder/munge/key" \
    --socket "$folder/munge.socket" --pid-file "$folder/munge/pid" \
    --log-file "$folder/munge/log" --seed-file "$folder/munge/seed" &
started+=($!)

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
host=$(hostname -s)
cat >"$folder/slurm.conf" <<CONF
ClusterName=bbert
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket
CryptoType=crypto/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobCompType=jobcomp/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
ReturnToService=2
KillWait=30
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=$(awk '/MemTotal/ {print int($2 / 1100)}' /proc/meminfo) State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=60 State=UP
CONF
mkdir "$folder/state" "$folder/spool"
export SLURM_CONF=$folder/slurm.conf
# Snakemake's executor hides SLURM_CONF from a job's own srun, which then looks here.
if [ ! -e /etc/slurm/slurm.conf ]; then
    mkdir -p /etc/slurm
    ln -sfn "$folder/slurm.conf" /etc/slurm/slurm.conf
fi
slurmctld -D >"$folder/slurmctld.out" 2>&1 &
started+=($!)
slurmd -D -N "$host" >"$folder/slurmd.out" 2>&1 &
started+=($!)

for _ in $(seq 100); do
    if [ "$(sinfo --noheader --format %T 2>/dev/null)" = idle ]; then break; fi
    sleep 0.2
done
if [ "$(sinfo --noheader --format %T)" != idle ]; then
    tail -n 20 "$folder"/*.log "$folder"/*.out >&2
    exit 1
fi
"$@"
