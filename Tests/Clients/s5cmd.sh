#!/usr/bin/env bash
# s5cmd: many small requests at once, wildcards, sync, batches of commands.
. "$(dirname "$0")/session.sh"
need s5cmd
export S3_ENDPOINT_URL=$endpoint
s5() { s5cmd --log error "$@"; }
shown() { s5cmd "$@"; }

s5 mb "s3://$bucket"
tree source
s5 cp source/ "s3://$bucket/tree/"
s5 cp "s3://$bucket/tree/*" down/
same source down
s5 sync source/ "s3://$bucket/tree/"
silent shown sync source/ "s3://$bucket/tree/"
rm -r "source/Ordner 0"
s5 sync --delete source/ "s3://$bucket/tree/"
lacks "Ordner 0" shown ls "s3://$bucket/tree/*"
has "Datei-1 " shown ls "s3://$bucket/tree/*/日本 1/*"
has "$(find source -type f | wc -l) objects" shown du "s3://$bucket/tree/*"

large large
s5 cp --part-size 5 --concurrency 4 large "s3://$bucket/large"
s5 cp "s3://$bucket/large" back
same large back
s5 cp "s3://$bucket/large" "s3://$bucket/copy"
s5 mv "s3://$bucket/copy" "s3://$bucket/moved"
s5 cat "s3://$bucket/moved" | cmp - large
s5 pipe "s3://$bucket/piped" <large
s5 cat "s3://$bucket/piped" | cmp - large
has "$((large_mb * 1000000))" shown head "s3://$bucket/moved"
curl -sS --fail "$(shown presign --expire 60s "s3://$bucket/large")" | cmp - large

# A batch of commands, and a wildcard that deletes a thousand keys to a request.
for ((number = 0; number < 1200; number++)); do echo "cp large.part s3://$bucket/batch/$number"; done >commands
file large.part 100
s5 run commands
has "1200 objects" shown du "s3://$bucket/batch/*"
s5 rm "s3://$bucket/batch/*"
refused "no object found" shown ls "s3://$bucket/batch/*"
refused "" shown rb "s3://$bucket"
s5 rm "s3://$bucket/*"
s5 rb "s3://$bucket"
lacks "$bucket" shown ls
