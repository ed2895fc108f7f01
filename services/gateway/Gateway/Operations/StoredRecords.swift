import Model
import ObjectAccess
import S3Protocol
import Wire

/// Conversions between what registers hold and the records in it.
extension ObjectRecord {
    static let formatVersion: UInt32 = 1

    /// The present object; nil when there is none.
    init?(_ snapshot: RegisterSnapshot) throws {
        guard let record = snapshot.liveRecord else { return nil }
        try self.init(stored: record)
    }

    init(stored: StoredRecord) throws {
        do {
            try self.init(decoding: stored.bytes)
        } catch {
            throw AccessError.damaged("an object's record cannot be read")
        }
        guard version == Self.formatVersion else {
            throw AccessError.damaged("an object's record has the format \(version)")
        }
    }

    /// What the register is to hold.
    var stored: StoredRecord {
        let summary = ListingSummary(
            size: size, etag: etag, modifiedMilliseconds: modifiedMilliseconds, storageClass: storageClass,
            owner: owner, contentType: headers["content-type"] ?? "", manifest: manifestSize > 0,
            symlink: symlinkPath, deleteAtSeconds: deleteAtSeconds)
        return StoredRecord(
            bytes: encoded(), summary: summary.encoded(),
            blobs: blobs.filter { $0.chunkSize == 0 }.compactMap { BlobID($0.id) })
    }

    /// Last-Modified: S3 knows whole seconds only.
    var modifiedSeconds: Int64 { modifiedMilliseconds / 1000 }

    /// Where a symbolic link of Swift points to, as its listings show it; empty: it is none.
    private var symlinkPath: String {
        guard !symlinkTarget.isEmpty else { return "" }
        return symlinkAccount.isEmpty ? symlinkTarget : symlinkAccount + "/" + symlinkTarget
    }

    var cannedACL: CannedACL { CannedACL(rawValue: acl) ?? .private }
}

extension UploadRecord {
    static let formatVersion: UInt32 = 1

    init(stored: StoredRecord) throws {
        do {
            try self.init(decoding: stored.bytes)
        } catch {
            throw AccessError.damaged("an upload's record cannot be read")
        }
    }

    var stored: StoredRecord {
        let summary = ListingSummary(
            modifiedMilliseconds: initiatedMilliseconds, storageClass: storageClass, owner: owner)
        return StoredRecord(bytes: encoded(), summary: summary.encoded())
    }
}

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
