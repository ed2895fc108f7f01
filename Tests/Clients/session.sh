# What the scripts of this folder have in common. Sourced, not run; `compose/up && . martlet-data/env` names the cluster.
#
# MARTLET_CLIENT_LARGE_MB  size of a large file (default 20)
# MARTLET_CLIENT_FILES     files of a tree (default 100)
set -euo pipefail
# `bash -x` traces beside what commands write.
exec {trace}>&2
BASH_XTRACEFD=$trace
export LC_ALL=C.UTF-8 PYTHONIOENCODING=utf-8 PYTHONDONTWRITEBYTECODE=1 AWS_DEFAULT_REGION=us-east-1
: "${MARTLET_S3_ENDPOINT:?no cluster: compose/up, then . martlet-data/env}"
endpoint=$MARTLET_S3_ENDPOINT
host=${endpoint#http://}
large_mb=${MARTLET_CLIENT_LARGE_MB:-20}
files=${MARTLET_CLIENT_FILES:-100}

# A bucket of this run's own, and a folder to work in that is gone at the end. A script may define `cleanup`.
bucket=$(basename "$0" .sh)-$$-$RANDOM
work=$(mktemp -d)
cleanup() { :; }
trap 'cleanup; cd /; rm -rf "$work"' EXIT
cd "$work"
# Nothing of the machine's own settings. rclone takes no other certificates beside its own.
unset AWS_CA_BUNDLE AWS_PROFILE
export AWS_CONFIG_FILE=$work/none AWS_SHARED_CREDENTIALS_FILE=$work/none

# The client must be there; 77 says that nothing was tested.
need() { command -v "$1" >/dev/null || { echo "$1 IS NOT INSTALLED: nothing was tested with it"; exit 77; }; }

fail() { echo "FAILED: $*" >&2; exit 1; }

# has TEXT COMMAND…: the output has the text. lacks: it has not. refused TEXT COMMAND…: fails, and says so.
has() { local out; out=$("${@:2}" 2>&1) || fail "$* exits with $?: $out"; [[ $out == *"$1"* ]] || fail "no \"$1\" in: $out"; }
lacks() { local out; out=$("${@:2}" 2>&1) || fail "$* exits with $?: $out"; [[ $out != *"$1"* ]] || fail "\"$1\" in: $out"; }
refused() { local out; if out=$("${@:2}" 2>&1); then fail "not refused: $*"; fi; [[ $out == *"$1"* ]] || fail "no \"$1\" in: $out"; }
silent() { local out; out=$("$@" 2>&1) || fail "$* exits with $?: $out"; [ -z "$out" ] || fail "not silent: $out"; }

# file NAME BYTES; tree FOLDER: `files` small files with names that need care.
file() { head -c "$2" /dev/urandom >"$1"; }
large() { file "$1" $((large_mb * 1000000)); }
tree() {
    local number folder
    for ((number = 0; number < files; number++)); do
        folder="$1/Ordner $((number % 7))/日本 $((number % 3))"
        mkdir -p "$folder"
        file "$folder/Datei-$number äöü+&=%.txt" $((number * 13))
    done
    # S3 keeps whole seconds: a file younger than its second would look newer than its copy.
    find "$1" -type f -exec touch -d '2024-05-06 07:08:09.123456789' {} +
}
same() { diff -r "$1" "$2" >&2 || fail "$1 and $2 differ"; }
