import Model
import ObjectAccess
import S3Protocol
import Wire

/// Names of the registers of multipart uploads.
struct UploadName: Sendable, Hashable {
    static let idSize = 16

    var bucket: BucketID
    var key: [UInt8]
    /// Also the id of the operation that completes the upload: a repetition recognises itself in the object's register.
    var id: OperationID

    /// The operation that writes to the object's register that the upload will never complete.
    var abortion: OperationID { OperationID(id.bytes.map { ~$0 })! }

    /// Key of the object, a zero byte, the id.
    var register: RegisterName {
        RegisterName(bucket: bucket, keyspace: .uploads, key: key + [0] + id.bytes)
    }

    /// The id, the number in two bytes, big endian: parts are listed in order.
    func part(_ number: Int) -> RegisterName {
        RegisterName(bucket: bucket, keyspace: .parts, key: id.bytes + Self.number(number))
    }

    static func number(_ number: Int) -> [UInt8] { [UInt8(number >> 8 & 0xFF), UInt8(number & 0xFF)] }

    init(bucket: BucketID, key: [UInt8], id: OperationID) {
        self.bucket = bucket
        self.key = key
        self.id = id
    }

    /// From the key of an upload's register.
    init?(bucket: BucketID, registerKey: [UInt8]) {
        guard registerKey.count > Self.idSize, let id = OperationID(registerKey.suffix(Self.idSize)) else {
            return nil
        }
        self.init(bucket: bucket, key: Array(registerKey.dropLast(Self.idSize + 1)), id: id)
    }
}

extension StoredRegister {
    /// Whether the completion of this upload is among the last operations on the object, or made what is there now.
    func wasWritten(by upload: UploadName) -> Bool {
        if recentOperations.contains(upload.id) { return true }
        return (try? object(madeBy: upload)) != nil
    }

    /// The version that the upload has become, if it is the current one or was a short time ago.
    func object(madeBy upload: UploadName) throws -> ObjectRecord? {
        let versions = try KeyVersions(self)
        let pending = try versions.pending.filter { !$0.record.isEmpty }.map { try ObjectRecord(bytes: $0.record) }
        return ([versions.current].compactMap(\.self) + pending).first { $0.uploadId == upload.id.description }
    }
}

extension S3Call {
    /// The upload that the request names.
    func upload() throws -> UploadName {
        guard let id = OperationID(hex: request.query["uploadId"] ?? "") else { throw S3Error(.noSuchUpload) }
        return UploadName(bucket: bucketID, key: request.keyBytes, id: id)
    }

    func partNumber() throws -> Int {
        let text = request.query["partNumber"] ?? ""
        guard let number = Int(text), (1...Limits.partNumberMax).contains(number) else {
            throw S3Error.invalidArgument(
                "Part number must be an integer between 1 and \(Limits.partNumberMax), inclusive", name: "partNumber",
                value: text)
        }
        return number
    }
}

extension S3Operations {
    /// The upload's record while parts may be added to it.
    func openUpload(_ name: UploadName, _ call: S3Call) async throws -> UploadRecord {
        let snapshot = try await storage.read(name.register, withBlob: false, context: call.context)
        guard let record = snapshot.liveRecord else { throw S3Error(.noSuchUpload) }
        let upload = try UploadRecord(stored: record)
        guard upload.state == .uploadOpen else { throw S3Error(.noSuchUpload) }
        return upload
    }
}
