#!/usr/bin/env bash
# Refit 1000 resamples of a table on a Slurm cluster.
#
#     sbatch examples/slurm_array.sh runs.csv /shared/fits
#
# Each job of the array makes its part of the fits and puts them into one store, a folder that all
# nodes see. Jobs need not know of each other: fits are known by their content, and files appear
# whole or not at all. A job that was killed, timed out or preempted is submitted again by the same
# line and goes on where it stopped. When the array is done, run the last line of this file without
# --part: nothing is left to make, so it reads the store and prints the result.
#
# The compiled programs are shared as well: jobs that begin later find those of the first ones.
#
#SBATCH --job-name=refit
#SBATCH --array=1-16
#SBATCH --cpus-per-task=8
#SBATCH --time=02:00:00
#SBATCH --requeue
set -euo pipefail

runs=$1
store=$2
export SCALINGFIT_CACHE="$store.cache"

# Exit code 1 says that some verdict is not "ok", which the whole result will tell: no failed job.
scalingfit refit "$runs" --bootstrap 1000 --store "$store" \
  --part "$SLURM_ARRAY_TASK_ID/$SLURM_ARRAY_TASK_COUNT" || [ $? -eq 1 ]
