import NIOHTTP1
import S3Protocol
import Wire

/// The checksum of an object that was uploaded in parts.
struct MultipartChecksum: Sendable {
    let algorithm: ChecksumAlgorithm
    /// Base64; of a composite checksum with the number of parts.
    let value: String

    /// nil when the upload asked for none, or some part came without one.
    init?(_ upload: UploadRecord, _ parts: [PartRecord]) {
        guard let algorithm = ChecksumAlgorithm(name: upload.checksumAlgorithm) else { return nil }
        var checksums: [(bytes: [UInt8], size: UInt64)] = []
        for part in parts {
            guard let bytes = part.checksums[algorithm.rawValue].flatMap(Base64.decode) else { return nil }
            checksums.append((bytes, part.size))
        }
        self.algorithm = algorithm
        if upload.checksumType == "FULL_OBJECT" {
            guard let whole = algorithm.combine(checksums) else { return nil }
            value = Base64.encode(whole)
        } else {
            var computation = ChecksumComputation(algorithm)
            computation.update(checksums.flatMap(\.bytes))
            value = "\(Base64.encode(computation.finish()))-\(parts.count)"
        }
    }

    /// The client may say what it expects.
    func check(_ headers: HTTPHeaders) throws {
        guard let expected = headers.first(name: algorithm.headerName) else { return }
        let bare = value.split(separator: "-").first.map(String.init) ?? value
        guard expected == value || expected == bare else {
            throw S3Error(
                .badDigest, "The \(algorithm.rawValue) you specified did not match what the parts amount to.")
        }
    }
}
