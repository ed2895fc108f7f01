import Checksums
import Foundation

/// Where a listing goes on. Opaque to clients, and recognised when it comes back changed.
public enum ContinuationToken {
    private static let version: UInt8 = 1

    /// - Parameter afterPrefix: the position is a common prefix: everything below it has been listed.
    public static func encode(position: [UInt8], afterPrefix: Bool = false) -> String {
        let body = [version, afterPrefix ? 1 : 0] + position
        let check = withUnsafeBytes(of: crc32c(body).bigEndian) { Array($0) }
        return Base64.encode(check + body).replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_")
    }

    public static func decode(_ token: String) throws(S3Error) -> (position: [UInt8], afterPrefix: Bool) {
        let standard = token.replacingOccurrences(of: "-", with: "+").replacingOccurrences(of: "_", with: "/")
        guard let bytes = Base64.decode(standard), bytes.count >= 6,
            withUnsafeBytes(of: crc32c(Array(bytes[4...])).bigEndian, { Array($0) }) == Array(bytes[..<4]),
            bytes[4] == version, bytes[5] <= 1
        else {
            throw S3Error.invalidArgument(
                "The continuation token provided is incorrect", name: "continuation-token", value: token)
        }
        return (Array(bytes[6...]), bytes[5] == 1)
    }
}
