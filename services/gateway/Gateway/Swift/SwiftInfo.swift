import Model

/// `/info`: what clients may count on. Only what works stands here.
extension SwiftOperations {
    func info(_ request: SwiftRequest) throws -> S3Response {
        guard ["GET", "HEAD"].contains(request.method) else {
            throw SwiftError(405, headers: ["Allow": "GET, HEAD, OPTIONS"])
        }
        return .json(Self.capabilities, type: "application/json; charset=UTF-8")
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
            "max_deletes_per_request": .number(Int64(bulkDeletesMax)), "max_failed_deletes": 1000,
        ],
        "container_quotas": [:], "account_quotas": [:],
        "tempauth": ["account_acls": true],
    ]
}
