import Model

/// Whether a new bucket may have the name: AWS's rules for general purpose buckets.
public func isValidBucketName(_ name: String) -> Bool {
    let bytes = Array(name.utf8)
    guard (3...63).contains(bytes.count), bytes.allSatisfy({ isLetterOrDigit($0) || $0 == dot || $0 == hyphen }),
        isLetterOrDigit(bytes[0]), isLetterOrDigit(bytes[bytes.count - 1]), !name.contains("..")
    else { return false }
    if ["xn--", "sthree-", "amzn-s3-demo-"].contains(where: name.hasPrefix) { return false }
    if ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].contains(where: name.hasSuffix) { return false }
    return !isAddress(name)
}

/// Whether an object may have the key: 1 to 1,024 bytes of UTF-8.
public func checkKey(_ key: String) throws(S3Error) {
    guard !key.isEmpty else { throw S3Error(.invalidURI) }
    let size = key.utf8.count
    guard size <= Limits.keySizeMax else {
        throw S3Error(
            .keyTooLong, fields: [.init("Size", String(size)), .init("MaxSizeAllowed", String(Limits.keySizeMax))])
    }
}

private let dot = UInt8(ascii: ".")
private let hyphen = UInt8(ascii: "-")

private func isLetterOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
}

/// Looks like `192.168.5.4`.
private func isAddress(_ name: String) -> Bool {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts.allSatisfy { (1...3).contains($0.utf8.count) && Int($0) != nil }
}
