import Wire

/// Conversions between what registers hold and the records of uploads.
extension UploadRecord {
    public static let formatVersion: UInt32 = 1

    /// - Throws: ``AccessError/damaged(_:)``: the bytes are no record of an upload.
    public init(stored: StoredRecord) throws {
        do {
            try self.init(decoding: stored.bytes)
        } catch {
            throw AccessError.damaged("an upload's record cannot be read")
        }
    }

    /// What the register is to hold.
    public var stored: StoredRecord {
        let summary = ListingSummary(
            modifiedMilliseconds: initiatedMilliseconds, storageClass: storageClass, owner: owner,
            checksumAlgorithm: checksumAlgorithm, checksumType: checksumType)
        return StoredRecord(bytes: encoded(), summary: summary.encoded())
    }
}
