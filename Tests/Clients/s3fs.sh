#!/usr/bin/env bash
# s3fs: a bucket as a file system: write, append, rename, links, modes; and the same after another mount.
. "$(dirname "$0")/session.sh"
need s3fs
need fusermount
need aws
[ -w /dev/fuse ] || { echo "NO /dev/fuse: nothing was tested with s3fs"; exit 77; }
cleanup() { mountpoint -q "$work/mnt" && fusermount -uz "$work/mnt"; return 0; }
attach() { s3fs "$bucket" mnt -o url="$endpoint",use_path_request_style,passwd_file=passwd,nonempty,multipart_size=5 "$@"; mountpoint -q mnt; }
detach() {
    fusermount -u mnt
    while pgrep -f "^s3fs $bucket " >/dev/null; do sleep 0.1; done
}

mkdir mnt
(umask 077 && echo "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" >passwd)
aws --endpoint-url "$endpoint" s3 mb "s3://$bucket"
attach
tree source
cp -r source mnt/tree
same source mnt/tree
large large
cp large mnt/large
same large mnt/large

cat source/*/*/*1\ * >expected
head -c 100 large >>expected
cat source/*/*/*1\ * >mnt/appended
head -c 100 large >>mnt/appended
same expected mnt/appended
printf 'HELLO' | dd of=mnt/large bs=1 seek=12345 conv=notrunc status=none
printf 'HELLO' | dd of=large bs=1 seek=12345 conv=notrunc status=none
truncate -s 6000000 mnt/large large
mv mnt/tree mnt/renamed
mv mnt/appended mnt/renamed/
ln -s renamed/appended mnt/link
chmod 640 mnt/large
mkdir mnt/empty
touch -d '2024-05-06 07:08:09' mnt/link mnt/large
rm "mnt/renamed/Ordner 0" -r
rm -r "source/Ordner 0"

# What another mount sees.
detach
attach
same large mnt/large
[ "$(stat -c '%a %Y' mnt/large)" = "640 $(date -d '2024-05-06 07:08:09' +%s)" ] || fail "other mode or time: $(stat mnt/large)"
same expected mnt/link
rm mnt/renamed/appended mnt/link
same source mnt/renamed
[ -d mnt/empty ] || fail "the empty folder is gone"
refused "" rmdir mnt/renamed
rm -r mnt/*
[ -z "$(ls -A mnt)" ] || fail "left: $(ls -A mnt)"
detach
aws --endpoint-url "$endpoint" s3 rb "s3://$bucket"
