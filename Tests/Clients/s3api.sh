#!/usr/bin/env bash
# awscli's s3api: one call an operation, as scripts and administrators use it.
. "$(dirname "$0")/session.sh"
need aws
api() { aws --endpoint-url "$endpoint" --output text s3api "$@"; }
here=(--bucket "$bucket")

file small 4321
api create-bucket "${here[@]}"
api head-bucket "${here[@]}"
api put-object "${here[@]}" --key a/k --body small --checksum-algorithm SHA256 --metadata colour=green,number=1 \
    --content-type text/plain --cache-control max-age=60 --tagging 'x=1&y=2'
has "text/plain" api head-object "${here[@]}" --key a/k --query ContentType
has "max-age=60" api head-object "${here[@]}" --key a/k --query CacheControl
has "2" api get-object-tagging "${here[@]}" --key a/k --query 'TagSet[?Key==`y`].Value'
has "4321" api get-object-attributes "${here[@]}" --key a/k --object-attributes ObjectSize Checksum
api get-object "${here[@]}" --key a/k --checksum-mode ENABLED back
same small back
api get-object "${here[@]}" --key a/k --range bytes=100-199 part
cmp part <(tail -c +101 small | head -c 100)

# Conditions.
refused PreconditionFailed api put-object "${here[@]}" --key a/k --body small --if-none-match '*'
refused PreconditionFailed api put-object "${here[@]}" --key a/k --body small --if-match '"0123456789abcdef0123456789abcdef"'
api put-object "${here[@]}" --key a/k --body small --if-match "$(api head-object "${here[@]}" --key a/k --query ETag)"
refused "304" api get-object "${here[@]}" --key a/k --if-none-match "$(api head-object "${here[@]}" --key a/k --query ETag)" never
refused NoSuchKey api get-object "${here[@]}" --key none never

# Pages.
for number in 1 2 3 4 5; do api put-object "${here[@]}" --key "pages/$number" --body small >/dev/null; done
has "pages/5" api list-objects-v2 "${here[@]}" --prefix pages/ --page-size 2 --query 'Contents[].Key'
has "pages/5" api list-objects "${here[@]}" --prefix pages/ --page-size 2 --query 'Contents[].Key'
has "a/" api list-objects-v2 "${here[@]}" --delimiter / --query 'CommonPrefixes[].Prefix'

# Versions: a marker hides an object, and goes again.
api put-bucket-versioning "${here[@]}" --versioning-configuration Status=Enabled
first=$(api put-object "${here[@]}" --key v --body small --query VersionId)
second=$(api put-object "${here[@]}" --key v --body part --query VersionId)
api get-object "${here[@]}" --key v --version-id "$first" back
same small back
marker=$(api delete-object "${here[@]}" --key v --query VersionId)
refused NoSuchKey api get-object "${here[@]}" --key v never
api delete-object "${here[@]}" --key v --version-id "$marker"
has "$second" api head-object "${here[@]}" --key v --query VersionId
has "$first" api list-object-versions "${here[@]}" --prefix v --query 'Versions[].VersionId'

# Parts by hand.
file part1 5242880
upload=$(api create-multipart-upload "${here[@]}" --key parts --checksum-algorithm CRC32 --query UploadId)
one=$(api upload-part "${here[@]}" --key parts --upload-id "$upload" --part-number 1 --body part1 --checksum-algorithm CRC32 \
    --query '[ETag,ChecksumCRC32]' --output json)
two=$(api upload-part "${here[@]}" --key parts --upload-id "$upload" --part-number 2 --body small --checksum-algorithm CRC32 \
    --query '[ETag,ChecksumCRC32]' --output json)
has "parts" api list-multipart-uploads "${here[@]}" --query 'Uploads[].Key'
has "4321" api list-parts "${here[@]}" --key parts --upload-id "$upload" --query 'Parts[].Size'
python3 - "$one" "$two" >parts.json <<'PYTHON'
import json, sys
parts = [dict(zip(("ETag", "ChecksumCRC32"), json.loads(text)), PartNumber=number) for number, text in enumerate(sys.argv[1:], 1)]
print(json.dumps({"Parts": parts}))
PYTHON
api complete-multipart-upload "${here[@]}" --key parts --upload-id "$upload" --multipart-upload file://parts.json
api get-object "${here[@]}" --key parts --checksum-mode ENABLED back
cat part1 small | cmp - back

# Configurations come back as they were put.
policy='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::'$bucket'/a/*"}]}'
api put-bucket-policy "${here[@]}" --policy "$policy"
has "s3:GetObject" api get-bucket-policy "${here[@]}"
curl -sS --fail "$endpoint/$bucket/a/k" | cmp - small
api put-bucket-cors "${here[@]}" --cors-configuration '{"CORSRules":[{"AllowedMethods":["GET"],"AllowedOrigins":["https://example.com"]}]}'
has "https://example.com" api get-bucket-cors "${here[@]}"
api put-bucket-lifecycle-configuration "${here[@]}" --lifecycle-configuration \
    '{"Rules":[{"ID":"old","Status":"Enabled","Filter":{"Prefix":"logs/"},"Expiration":{"Days":30}}]}'
has "logs/" api get-bucket-lifecycle-configuration "${here[@]}"
api put-bucket-encryption "${here[@]}" --server-side-encryption-configuration \
    '{"Rules":[{"ApplyServerSideEncryptionByDefault":{"SSEAlgorithm":"AES256"}}]}'
api put-object "${here[@]}" --key secret --body small
has "AES256" api head-object "${here[@]}" --key secret --query ServerSideEncryption
api put-bucket-tagging "${here[@]}" --tagging 'TagSet=[{Key=team,Value=blau}]'
has "blau" api get-bucket-tagging "${here[@]}"
has "FULL_CONTROL" api get-bucket-acl "${here[@]}"
has "$bucket" api list-buckets --query 'Buckets[].Name'

# Nothing is left: versions and markers, a thousand to a request.
api list-object-versions "${here[@]}" --output json --query '{Objects: [Versions, DeleteMarkers][][].{Key: Key, VersionId: VersionId}}' >all.json
api delete-objects "${here[@]}" --delete file://all.json >/dev/null
api delete-bucket "${here[@]}"
refused 404 api head-bucket "${here[@]}"
