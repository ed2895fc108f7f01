#!/usr/bin/env bash
# awscli's file commands: small and large files, a tree back and forth, links.
. "$(dirname "$0")/session.sh"
need aws
s3() { aws --endpoint-url "$endpoint" s3 "$@"; }

file small 4321
large large
s3 mb "s3://$bucket"
has "$bucket" s3 ls
s3 cp small "s3://$bucket/small.txt"
s3 cp --no-progress large "s3://$bucket/dir/large"
has "PRE dir/" s3 ls "s3://$bucket"
has "Total Objects: 2" s3 ls --recursive --summarize "s3://$bucket"
s3 cp --no-progress "s3://$bucket/dir/large" back
same large back

# Within the store: in one piece, in parts, and moved.
s3 cp "s3://$bucket/small.txt" "s3://$bucket/copy.txt"
s3 mv "s3://$bucket/copy.txt" "s3://$bucket/moved.txt"
s3 cp --no-progress "s3://$bucket/dir/large" "s3://$bucket/dir/copy of large"
s3 cp --no-progress "s3://$bucket/dir/copy of large" - | cmp - large
lacks copy.txt s3 ls "s3://$bucket"

# From a pipe, to a pipe; by a link.
s3 cp --no-progress - "s3://$bucket/piped" <large
s3 cp --no-progress "s3://$bucket/piped" - | cmp - large
curl -sS --fail "$(s3 presign "s3://$bucket/small.txt" --expires-in 60)" | cmp - small

# A tree: up, again without a change, down; renamed folders follow with --delete.
tree source
s3 sync --no-progress source "s3://$bucket/tree" >/dev/null
silent s3 sync --no-progress source "s3://$bucket/tree"
s3 sync --no-progress "s3://$bucket/tree" down >/dev/null
same source down
mv "source/Ordner 0" "source/Neuer Ordner"
s3 sync --no-progress --delete source "s3://$bucket/tree" >/dev/null
has "Neuer Ordner" s3 ls --recursive "s3://$bucket/tree/"
lacks "Ordner 0/" s3 ls --recursive "s3://$bucket/tree/"
s3 sync --no-progress "s3://$bucket/tree" "s3://$bucket/second" --exclude '*' --include '*Neuer*' >/dev/null
has "Neuer Ordner" s3 ls --recursive "s3://$bucket/second/"

refused BucketNotEmpty s3 rb "s3://$bucket"
s3 rb --force "s3://$bucket" >/dev/null
lacks "$bucket" s3 ls
