#!/usr/bin/env bash
# Two nodes on one machine: network namespaces with addresses and host names of their own, joined by
# a cable.
#
#     tests/cluster/two_nodes.sh [torchrun] [torchrun-static] [deepspeed] [srun] [cut]
#
# Runs a tiny pretraining alone and then over both nodes with each launcher, and compares the
# losses; "cut" pulls the cable in the middle of a run, which both nodes must notice within 60
# seconds and from which the run must go on. "srun" sets the variables that Slurm would set.
# Needs root and iproute2; removes what it makes. Not a part of `make test`.
set -euo pipefail

cd "$(dirname "$0")/../.."
bin=$PWD/.venv/bin
export PATH=$bin:$PATH OMP_NUM_THREADS=1 DS_ACCELERATOR=cpu
tag=bbert$$
a=$tag-a b=$tag-b
address_a=10.77.0.1 address_b=10.77.0.2
folder=$(mktemp -d /tmp/bbert-nodes.XXXXXX)
finish() {
    local pids
    pids=$(jobs -p)
    if [ -n "$pids" ]; then kill $pids 2>/dev/null || true; fi
    ip netns delete "$a" 2>/dev/null || true
    ip netns delete "$b" 2>/dev/null || true
    rm -rf "$folder" "/etc/netns/$a" "/etc/netns/$b"
}
trap finish EXIT

ip netns add "$a"
ip netns add "$b"
ip link add va netns "$a" type veth peer name vb netns "$b"
ip -n "$a" address add $address_a/24 dev va
ip -n "$b" address add $address_b/24 dev vb
for node in "$a" "$b"; do # what `ip netns exec` shows as /etc/hosts
    mkdir -p "/etc/netns/$node"
    printf '127.0.0.1 localhost\n%s node-a\n%s node-b\n' $address_a $address_b >"/etc/netns/$node/hosts"
done
for device in lo va; do ip -n "$a" link set $device up; done
for device in lo vb; do ip -n "$b" link set $device up; done

work=$folder/work
python - "$work" <<'PYTHON'
import sys
from pathlib import Path

sys.path.insert(0, "tests")
from tiny_corpus import build_tiny_corpus

build_tiny_corpus(Path(sys.argv[1]), documents=30)
PYTHON
options=(pretrain --work "$work" --depth 2 --heads 2 --hidden 16 --seq-len 24 --batch-size 6
    --dropout 0.1 --steps 40 --log-every 5 --eval-every 20 --learning-rate 0.001 --device cpu)

# on_both COMMAND…: runs it on both nodes, with @ for the node's number.
on_both() {
    local node failed=0 pids=() names=("$a" "$b") hosts=(node-a node-b)
    for node in 0 1; do
        ip netns exec "${names[$node]}" unshare --uts \
            sh -c 'hostname "$1"; shift; exec "$@"' sh "${hosts[$node]}" "${@//@/$node}" \
            >"$folder/node-$node.log" 2>&1 &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failed=$?; done
    return $failed
}

# compare NAME: the losses of a run are those of the run alone.
compare() {
    python tests/cluster/compare_losses.py "$work/models" "$1"
}

run() {
    if ! "$@"; then
        tail -n 15 "$folder"/node-*.log >&2
        return 1
    fi
}

with_torchrun() {
    on_both torchrun --nnodes 2 --nproc-per-node 1 --rdzv-backend c10d \
        --rdzv-endpoint node-a:29400 --rdzv-id "$tag" \
        -m bbert "${options[@]}" --name torchrun --zero-stage 1
}
with_torchrun-static() {
    on_both torchrun --nnodes 2 --nproc-per-node 1 --node-rank @ \
        --master-addr node-a --master-port 29500 \
        -m bbert "${options[@]}" --name torchrun-static --micro-batch-size 1
}
with_deepspeed() {
    printf '%s slots=1\n' node-a node-b >"$folder/hostfile"
    on_both deepspeed --hostfile "$folder/hostfile" --no_ssh --node_rank @ \
        --master_addr node-a --master_port 29500 \
        --module bbert "${options[@]}" --name deepspeed --zero-stage 2
}
with_srun() {
    on_both env SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=2 SLURM_STEP_NUM_NODES=2 \
        SLURM_STEP_NODELIST="node-[a,b]" SLURM_PROCID=@ SLURM_LOCALID=0 \
        bbert "${options[@]}" --name srun
}

bbert "${options[@]}" --name alone >"$folder/alone.log" 2>&1
for launcher in "${@:-torchrun}"; do
    if [ "$launcher" != cut ]; then
        run "with_$launcher"
        compare "$launcher"
        continue
    fi
    long=("${options[@]}" --name cut --steps 1000000 --save-every 20)
    on_both env RANK=@ WORLD_SIZE=2 LOCAL_RANK=0 MASTER_ADDR=node-a MASTER_PORT=29500 \
        bbert "${long[@]}" &
    both=$!
    until [ -e "$work/models/cut.partial/checkpoints/latest" ]; do
        kill -0 $both
        sleep 0.1
    done
    ip -n "$a" link set va down
    began=$SECONDS
    if wait $both; then exit 1; fi
    echo "cut: both nodes ended $((SECONDS - began)) s after the cable was pulled and said:"
    for node in 0 1; do echo "  node $node: $(tail -n 1 "$folder/node-$node.log")"; done
    test $((SECONDS - began)) -le 60
    ip -n "$a" link set va up
    # What the run has reached, one process alone takes further.
    bbert "${long[@]}" >"$folder/again.log" 2>&1 &
    again=$!
    until grep -q "going on from step" "$folder/again.log"; do
        kill -0 $again
        sleep 0.1
    done
    kill -TERM $again
    code=0
    wait $again || code=$?
    test $code = 143
    echo "cut: $(grep "going on from step" "$folder/again.log" | cut -d'(' -f1)"
done
