import Model
import Wire

/// How the containers of Swift's accounts are named among the buckets.
///
/// The name of a bucket is unique in the cluster, that of a container only in its account. So a container has either its own
/// name, when S3 allows it and nobody else has it, or a qualified one: `PROJECT/CONTAINER`, where all but letters, digits and
/// `-._~` of the container's name is percent-encoded. The slash keeps it apart from all names of S3, and plain ASCII from
/// names that differ in bytes only. Managers see to it that an account never has both.
extension BucketRecord {
    public static func qualifiedName(_ container: String, project: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var name = Array(project.utf8) + [slash]
        for byte in container.utf8 {
            if isPlain(byte) {
                name.append(byte)
            } else {
                name += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: name, as: UTF8.self)
    }

    /// Whether the name is one that clients of S3 can ask for.
    public var isNamedForS3: Bool { !name.utf8.contains(Self.slash) }

    /// The bucket's name as a container of its project's account.
    public var containerName: String {
        let bytes = Array(name.utf8)
        guard let start = bytes.firstIndex(of: Self.slash) else { return name }
        var decoded: [UInt8] = []
        var index = start + 1
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = hexValue(bytes[index + 1]),
                let low = hexValue(bytes[index + 2])
            {
                decoded.append(high << 4 | low)
                index += 3
            } else {
                decoded.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    private static let slash = UInt8(ascii: "/")

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: Array("-._~".utf8).contains(byte)
        }
    }
}
