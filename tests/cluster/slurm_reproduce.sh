#!/usr/bin/env bash
# `bbert reproduce` with Snakemake's Slurm executor under a real Slurm, pretraining in two processes:
#
#     tests/cluster/slurm.sh tests/cluster/slurm_reproduce.sh
#
# Every command of the plan is a Slurm job. Needs snakemake-executor-plugin-slurm in .venv. Not a part
# of `make test`.
set -euo pipefail

cd "$(dirname "$0")/../.."
export PATH=$PWD/.venv/bin:$PATH PYTHONPATH=$PWD DS_ACCELERATOR=cpu
folder=$(mktemp -d /tmp/bbert-reproduce.XXXXXX)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/profile"
cat >"$folder/profile/config.yaml" <<'PROFILE'
executor: slurm
jobs: 4
default-resources: [slurm_partition="all", runtime=10, mem_mb=1000, cpus_per_task=1]
slurm-init-seconds-before-status-checks: 5
slurm-status-command: squeue # there is no accounting
PROFILE
run=(
    python tests/cluster/tiny_reproduce.py "$folder" --work "$folder/runs"
    --profile "$folder/profile" --tasks-per-node 2
)
# Stopped while a pretraining runs: nothing of it may be left in the queue.
"${run[@]}" >"$folder/stopped" 2>&1 &
stopped=$!
until squeue --noheader --states running --format %k | grep -q pretrain; do
    kill -0 "$stopped" || { tail -n 40 "$folder/stopped" >&2; exit 1; }
    sleep 0.5
done
kill -TERM "$stopped"
wait "$stopped" && exit 1
for _ in $(seq 40); do [ -z "$(squeue --noheader)" ] && break; sleep 1; done
if [ -n "$(squeue --noheader)" ] || ! grep -q "cancelling the jobs" "$folder/stopped"; then
    squeue >&2
    tail -n 40 "$folder/stopped" "$folder"/runs/logs/*.snakemake.log >&2
    exit 1
fi
if [ -e "$(echo "$folder"/runs/done/pretrain/*)" ]; then
    echo "the pretraining was done before it could be stopped" >&2
    exit 1
fi
echo "stopped: nothing is left in the queue"
# The same command goes on; and so does a pretraining whose time is nearly up: Slurm's --signal=USR1@120
# does what scancel does here, and Snakemake tries the job again.
rm -f "$folder"/runs/logs/pretrain/*.log
"${run[@]}" >"$folder/out" 2>&1 &
again=$!
failed() {
    tail -n 40 "$folder/out" "$folder"/runs/logs/*.log "$folder"/runs/logs/*/*.log >&2
    exit 1
}
until grep -qs "^training: 1,500 steps" "$folder"/runs/logs/pretrain/*.log; do
    kill -0 "$again" || failed
    sleep 0.1
done
sleep 3 # of ten
scancel --signal=USR1 "$(squeue --noheader --states running --format '%A %k' | awk '/pretrain/ {print $1}')"
wait "$again" || failed
grep -q "Trying to restart job" "$folder"/runs/logs/*.snakemake.log || failed
saved=$(grep -ho "going on from step [0-9,]*" "$folder"/runs/logs/pretrain/*.log) || failed
echo "signalled: saved, tried again and ${saved}"
grep -q "complete" "$folder/out"
grep -q "2 processes" "$folder"/runs/logs/pretrain/*.log
grep -c "SLURM jobid" "$folder"/runs/logs/*.snakemake.log | sed 's/$/ Slurm jobs/'
