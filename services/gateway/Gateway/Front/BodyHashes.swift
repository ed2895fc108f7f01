import Checksums
import NIOCore
import S3Protocol

/// The hashes of one body, computed once as its bytes pass. Not for use by two threads at once.
final class BodyHashes {
    private let plan: BodyPlan
    private let md5: Checksums.Hasher?
    private let sha256: Checksums.Hasher?
    /// SHA-256 of a large body that has an MD5 too.
    private let aside: AsideHasher?
    private var checksums: [ChecksumComputation]

    init(_ plan: BodyPlan) {
        self.plan = plan
        md5 = plan.computesMD5 || plan.contentMD5 != nil ? Checksums.Hasher(.md5) : nil
        let isLarge = (plan.declaredLength ?? 0) >= AsideHasher.bodyMin
        aside = plan.sha256 != nil && md5 != nil && isLarge ? AsideHasher(.sha256) : nil
        sha256 = plan.sha256 != nil && aside == nil ? Checksums.Hasher(.sha256) : nil
        checksums = plan.checksums.keys.map { ChecksumComputation($0) }
    }

    /// Whether to ``wait()`` before more bytes pass.
    var isBehind: Bool { aside?.isBehind ?? false }
    func wait() async { await aside?.wait() }

    func update(_ bytes: ByteBuffer) {
        aside?.update(bytes)
        md5?.update(bytes)
        sha256?.update(bytes)
        for index in checksums.indices { checksums[index].update(bytes) }
    }

    /// Compares with what the client said; throws `BadDigest` or `XAmzContentSHA256Mismatch`.
    func verify(trailers: [(name: String, value: String)]) async throws(S3Error) -> RequestBody.Digests {
        var digests = RequestBody.Digests(md5: md5?.finish())
        if let expected = plan.contentMD5, expected != digests.md5 {
            throw S3Error(
                .badDigest, "The Content-MD5 you specified did not match what we received.",
                fields: [
                    .init("ExpectedDigest", Base64.encode(expected)),
                    .init("CalculatedDigest", Base64.encode(digests.md5 ?? [])),
                ])
        }
        if let expected = plan.sha256 {
            let computed = if let aside { await aside.finish() } else { sha256?.finish() }
            guard computed == expected else { throw S3Error(.xAmzContentSHA256Mismatch) }
        }
        for computation in checksums {
            let algorithm = computation.algorithm
            let computed = computation.finish()
            let trailer = trailers.first { $0.name == algorithm.headerName }.flatMap { Base64.decode($0.value) }
            guard let expected = (plan.checksums[algorithm] ?? nil) ?? trailer, expected == computed else {
                throw S3Error(
                    .badDigest, "The \(algorithm.rawValue) you specified did not match the calculated checksum.")
            }
            digests.checksums[algorithm.rawValue.lowercased()] = computed
        }
        return digests
    }
}
