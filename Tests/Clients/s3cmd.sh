#!/usr/bin/env bash
# s3cmd, the first session of every LeoFS user: s3cmd.sh 2|4 straight|proxy
#
# `proxy`: with Amazon's host names, and the gateway as HTTP proxy.
version=${1:-4} way=${2:-straight}
. "$(dirname "$0")/session.sh"
need s3cmd
{
    echo "[default]"
    echo "access_key = $AWS_ACCESS_KEY_ID"
    echo "secret_key = $AWS_SECRET_ACCESS_KEY"
    echo "use_https = False"
    echo "guess_mime_type = True"
    echo "use_mime_magic = False"
    echo "signature_v2 = $([ "$version" = 2 ] && echo True || echo False)"
    if [ "$way" = proxy ]; then
        echo "host_base = s3.amazonaws.com"
        echo "host_bucket = %(bucket)s.s3.amazonaws.com"
        echo "proxy_host = ${host%:*}"
        echo "proxy_port = ${host#*:}"
    else
        echo "host_base = $host"
        echo "host_bucket = $host"
    fi
} >s3cfg
s3cmd() { command s3cmd -c "$work/s3cfg" --no-progress "$@"; }

file small.txt 4321
large large
s3cmd mb "s3://$bucket"
has "s3://$bucket" s3cmd ls
s3cmd put small.txt "s3://$bucket/small.txt"
s3cmd put large "s3://$bucket/dir/large"
has "s3://$bucket/small.txt" s3cmd ls "s3://$bucket"
has "s3://$bucket/dir/" s3cmd ls "s3://$bucket"
has "$(md5sum <small.txt | cut -d' ' -f1)" s3cmd info "s3://$bucket/small.txt"
has "text/plain" s3cmd info "s3://$bucket/small.txt"
has "$((large_mb * 1000000))" s3cmd info "s3://$bucket/dir/large"
s3cmd get "s3://$bucket/small.txt" small.back
s3cmd get "s3://$bucket/dir/large" large.back
same small.txt small.back
same large large.back
head -c 1000000 large >resumed
s3cmd get --continue "s3://$bucket/dir/large" resumed
same large resumed

s3cmd cp "s3://$bucket/small.txt" "s3://$bucket/copy.txt"
s3cmd mv "s3://$bucket/copy.txt" "s3://$bucket/moved.txt"
lacks copy.txt s3cmd ls --recursive "s3://$bucket"
has "$((4321 * 2 + large_mb * 1000000))" s3cmd du "s3://$bucket"
has "s3://$bucket/moved.txt" s3cmd la
s3cmd modify --add-header="Cache-Control: max-age=60" "s3://$bucket/moved.txt"

s3cmd setacl --acl-public "s3://$bucket/small.txt"
has anon s3cmd info "s3://$bucket/small.txt"
curl -sS --fail "$endpoint/$bucket/small.txt" | cmp - small.txt
s3cmd setacl --acl-private "s3://$bucket/small.txt"
refused 403 curl -sS --fail "$endpoint/$bucket/small.txt"
curl -sS --fail "$(s3cmd signurl "s3://$bucket/small.txt" +60 | sed "s|^https*://[^?]*|$endpoint/$bucket/small.txt|")" | cmp - small.txt

tree source
mkdir down
s3cmd sync source/ "s3://$bucket/tree/" >/dev/null
lacks "upload:" s3cmd sync source/ "s3://$bucket/tree/"
s3cmd sync "s3://$bucket/tree/" down/ >/dev/null
same source down
rm -r "source/Ordner 0"
s3cmd sync --delete-removed source/ "s3://$bucket/tree/" >/dev/null
lacks "Ordner 0" s3cmd ls --recursive "s3://$bucket/tree/"

refused BucketNotEmpty s3cmd rb "s3://$bucket"
s3cmd del --recursive --force "s3://$bucket" >/dev/null
silent s3cmd ls --recursive "s3://$bucket"
s3cmd rb "s3://$bucket"
lacks "s3://$bucket" s3cmd ls
