#!/usr/bin/env bash
# restic: init, backup, check of all data, restore, forget and prune.
. "$(dirname "$0")/session.sh"
need restic
export RESTIC_REPOSITORY=s3:$endpoint/$bucket/backups RESTIC_PASSWORD=of-this-test RESTIC_CACHE_DIR=$work/cache

restic init
tree source
large source/large
restic backup --quiet source
refused "" restic init
cp -a source first
has "1 snapshots" restic snapshots

# A second backup sends only what changed.
rm -r "source/Ordner 0"
file source/new 1000000
has "1 new" restic backup --verbose source
has "2 snapshots" restic snapshots
restic check --read-data --quiet
has "no errors were found" restic check --read-data

restic restore --quiet latest --target restored
same source "restored/source"
oldest=$(restic snapshots --json | python3 -c 'import json, sys; print(min(json.load(sys.stdin), key=lambda s: s["time"])["short_id"])')
restic restore --quiet "$oldest" --target earlier
same first earlier/source
cmp <(restic dump latest /source/new) source/new
has "/source/new" restic find new

# The first snapshot goes, and with it what only it needs.
has "remaining" restic forget --keep-last 1 --prune
lacks "$oldest" restic snapshots
has "no errors were found" restic check --read-data
restic restore --quiet latest --target again
same source again/source
silent restic list locks

# Another client, without a cache, meanwhile.
for name in a b c; do file "source/$name" 300000; restic --no-cache backup --quiet source & done
wait
has "no errors were found" restic --no-cache check
