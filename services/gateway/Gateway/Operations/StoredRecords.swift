import Model
import ObjectAccess
import S3Protocol
import Wire

/// What clients see of records.
extension ObjectRecord {
    /// Last-Modified: S3 knows whole seconds only.
    var modifiedSeconds: Int64 { modifiedMilliseconds / 1000 }

}

/// Conversions between what registers hold and the records of parts.
extension PartRecord {
    static let formatVersion: UInt32 = 1

    init(stored: StoredRecord) throws {
        do {
            try self.init(decoding: stored.bytes)
        } catch {
            throw AccessError.damaged("a part's record cannot be read")
        }
    }

    var stored: StoredRecord {
        let summary = ListingSummary(size: size, etag: etag, modifiedMilliseconds: modifiedMilliseconds)
        return StoredRecord(bytes: encoded(), summary: summary.encoded())
    }
}

extension [HeaderField] {
    subscript(name: String) -> String? { first { $0.name == name }?.value }

    /// Checksums by algorithm.
    var checksums: [(ChecksumAlgorithm, String)] {
        compactMap { field in ChecksumAlgorithm(name: field.name).map { ($0, field.value) } }
    }
}

/// What lists show of a time: whole seconds, so that they agree with Last-Modified.
func listedDate(_ milliseconds: Int64) -> String {
    HTTPDate.iso8601(milliseconds: milliseconds / 1000 * 1000)
}

/// AWS names the default class in lists, never in headers.
let storageClassDefault = "STANDARD"
