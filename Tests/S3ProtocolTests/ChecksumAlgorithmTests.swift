import S3Protocol
import Testing

@Suite struct ChecksumAlgorithmTests {
    private func compute(_ algorithm: ChecksumAlgorithm, _ bytes: [UInt8]) -> [UInt8] {
        var computation = ChecksumComputation(algorithm)
        computation.update(bytes)
        return computation.finish()
    }

    @Test(
        "check values of the catalogue for 123456789",
        arguments: [
            (ChecksumAlgorithm.crc32, "y/Q5Jg=="), (.crc32c, "4waSgw=="), (.crc64nvme, "rosUhgp5mIg="),
            (.sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="), (.sha256, "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU="),
        ])
    func checkValues(_ algorithm: ChecksumAlgorithm, _ expected: String) {
        #expect(Base64.encode(compute(algorithm, Array("123456789".utf8))) == expected)
    }

    @Test("pieces give the same as the whole", arguments: ChecksumAlgorithm.allCases)
    func pieces(_ algorithm: ChecksumAlgorithm) {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var computation = ChecksumComputation(algorithm)
        for start in stride(from: 0, to: 1000, by: 37) {
            computation.update(Array(bytes[start..<min(start + 37, 1000)]))
        }
        #expect(computation.finish() == compute(algorithm, bytes))
    }

    @Test(
        "the checksum of the whole follows from those of its parts",
        arguments: [
            ChecksumAlgorithm.crc32, .crc32c, .crc64nvme,
        ])
    func combined(_ algorithm: ChecksumAlgorithm) {
        let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ $0 / 256) }
        let cuts = [0..<1, 1..<1, 1..<700, 700..<4999, 4999..<5000]
        let parts = cuts.map { (bytes: compute(algorithm, Array(bytes[$0])), size: UInt64($0.count)) }
        #expect(algorithm.combine(parts) == compute(algorithm, bytes))
    }

    @Test("hashes cannot be combined")
    func hashes() {
        #expect(ChecksumAlgorithm.sha1.combine([]) == nil)
        #expect(ChecksumAlgorithm.crc32.combine([(bytes: [1], size: 1)]) == nil)
    }

    @Test("names in headers and documents")
    func names() {
        #expect(ChecksumAlgorithm(header: "X-Amz-Checksum-Crc32c") == .crc32c)
        #expect(ChecksumAlgorithm(header: "x-amz-checksum-mode") == nil)
        #expect(ChecksumAlgorithm(name: "crc64nvme") == .crc64nvme)
        #expect(ChecksumAlgorithm.sha256.elementName == "ChecksumSHA256")
    }
}
