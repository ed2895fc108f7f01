import Model

/// `/info`: what clients may count on. Only what works stands here.
extension SwiftOperations {
    func info(_ request: SwiftRequest) throws -> S3Response {
        guard ["GET", "HEAD"].contains(request.method) else {
            throw SwiftError(405, headers: ["Allow": "GET, HEAD, OPTIONS"])
        }
        var capabilities = Self.capabilities
        capabilities.merge(Self.middleware)
        capabilities.merge(rateCapability)
        return .json(capabilities, type: "application/json; charset=UTF-8")
    }

    private static let middleware: JSON = [
        "object_versioning": [:],
        "versioned_writes": ["allowed_flags": ["x-versions-location", "x-history-location"]],
        "symlink": ["symloop_max": .number(Int64(linksMax)), "static_links": true],
        "staticweb": [:],
    ]

    /// Only where it is switched on.
    private var rateCapability: JSON {
        guard rates.limits.isOn else { return [:] }
        return [
            "ratelimit": [
                "account_ratelimit": .number(Int64(rates.limits.account)),
                "max_sleep_time_seconds": .number(Int64(rates.limits.waitMax / .seconds(1))),
                "container_ratelimits": [[0, .number(Int64(rates.limits.container))]],
            ]
        ]
    }

    static let capabilities: JSON = [
        "swift": [
            "version": .text(Version.current), "max_file_size": .number(Int64(fileSizeMax)),
            "max_meta_name_length": .number(Int64(SwiftHeaders.nameMax)),
            "max_meta_value_length": .number(Int64(SwiftHeaders.valueMax)),
            "max_meta_count": .number(Int64(SwiftHeaders.countMax)),
            "max_meta_overall_size": .number(Int64(SwiftHeaders.overallMax)),
            "max_header_size": 8192, "max_request_line": 8192, "extra_header_count": 0,
            "max_object_name_length": .number(Int64(Limits.keySizeMax)),
            "max_container_name_length": .number(Int64(containerNameMax)),
            "max_account_name_length": .number(Int64(accountNameMax)),
            "container_listing_limit": .number(Int64(ListingQuery.limitMax)),
            "account_listing_limit": .number(Int64(ListingQuery.limitMax)),
            "account_autocreate": false, "allow_account_management": false,
            "policies": [["name": .text(policy), "aliases": .text(policy), "default": true]],
        ],
        "bulk_delete": [
            "max_deletes_per_request": .number(Int64(bulkDeletesMax)),
            "max_failed_deletes": .number(Int64(failedDeletesMax)),
        ],
        "bulk_upload": [
            "max_containers_per_extraction": .number(Int64(archiveContainersMax)),
            "max_failed_extractions": .number(Int64(failedExtractionsMax)),
        ],
        "tempurl": [
            "methods": .list(TemporaryAddress.methods.map { .text($0) }),
            "allowed_digests": .list(KeySignature.digests.map { .text($0.name) }), "deprecated_digests": ["sha1"],
            "incoming_remove_headers": ["x-timestamp"], "incoming_allow_headers": [],
            "outgoing_remove_headers": ["x-object-meta-*"], "outgoing_allow_headers": ["x-object-meta-public-*"],
        ],
        "formpost": [
            "allowed_digests": .list(KeySignature.digests.map { .text($0.name) }), "deprecated_digests": ["sha1"],
        ],
        "slo": [
            "max_manifest_segments": .number(Int64(ManifestDocument.segmentsMax)),
            "max_manifest_size": .number(Int64(SegmentedContent.manifestBytesMax)), "min_segment_size": 1,
            "yield_frequency": 10, "allow_async_delete": true,
        ],
        "dlo": ["max_segments": .number(Int64(SegmentedContent.dynamicMax))],
        "container_quotas": [:], "account_quotas": [:],
        "tempauth": ["account_acls": true],
    ]
}
