#!/usr/bin/env bash
# rclone: copy, sync, check, modification times, large files in parts.
. "$(dirname "$0")/session.sh"
need rclone
touch none
export RCLONE_CONFIG=$work/none RCLONE_CONFIG_M_TYPE=s3 RCLONE_CONFIG_M_PROVIDER=Other RCLONE_CONFIG_M_ENV_AUTH=true
export RCLONE_CONFIG_M_ENDPOINT=$endpoint RCLONE_CONFIG_M_REGION=us-east-1
export RCLONE_S3_UPLOAD_CUTOFF=8M RCLONE_S3_CHUNK_SIZE=5M RCLONE_S3_COPY_CUTOFF=8M RCLONE_RETRIES=1

rclone mkdir "m:$bucket"
tree source
rclone copy source "m:$bucket/tree"
rclone check source "m:$bucket/tree"
rclone check --download source "m:$bucket/tree"
has "There was nothing to transfer" rclone copy -v source "m:$bucket/tree"

# Modification times to the nanosecond, there and back. A time alone that changed is set without the content.
has "2024-05-06 07:08:09.123456789" env TZ=UTC rclone lsl "m:$bucket/tree"
rclone copy "m:$bucket/tree" down
same source down
[ "$(stat -c %.9Y "source/Ordner 1/日本 1/Datei-1 äöü+&=%.txt")" = "$(stat -c %.9Y "down/Ordner 1/日本 1/Datei-1 äöü+&=%.txt")" ] ||
    fail "another modification time"
touch -d '2023-01-02 03:04:05.5' "source/Ordner 1/日本 1/Datei-1 äöü+&=%.txt"
has "Updated modification time" rclone sync -v source "m:$bucket/tree"
has "2023-01-02 03:04:05.500000000" env TZ=UTC rclone lsl "m:$bucket/tree"

# Sync removes, renames are found; a server-side copy from prefix to prefix.
mv "source/Ordner 2" "source/Ordner zwei"
rm -r "source/Ordner 0"
rclone sync --track-renames source "m:$bucket/tree"
rclone check source "m:$bucket/tree"
lacks "Ordner 0" rclone lsf -R "m:$bucket/tree"
rclone copy "m:$bucket/tree" "m:$bucket/second"
rclone check "m:$bucket/tree" "m:$bucket/second"

large large
touch -d '2022-02-02 02:02:02.25' large
rclone copyto large "m:$bucket/large"
rclone check --download --include /large . "m:$bucket"
has "2022-02-02 02:02:02.250000000" env TZ=UTC rclone lsl --include /large "m:$bucket"
rclone moveto "m:$bucket/large" "m:$bucket/moved"
rclone cat "m:$bucket/moved" | cmp - large
cmp <(rclone cat --offset 9000000 --count 1000 "m:$bucket/moved") <(tail -c +9000001 large | head -c 1000)
rclone rcat "m:$bucket/piped" <large
rclone cat "m:$bucket/piped" | cmp - large
curl -sS --fail "$(rclone link --expire 60s "m:$bucket/moved")" | cmp - large
rclone delete "m:$bucket/second"
silent rclone lsf "m:$bucket/second"
rclone purge "m:$bucket"
lacks "$bucket" rclone lsd m:
