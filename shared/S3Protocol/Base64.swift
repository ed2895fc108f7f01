import Foundation

/// Base64 of RFC 4648, strict.
public enum Base64 {
    public static func encode(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

    /// nil for characters outside the alphabet or wrong padding.
    public static func decode(_ text: String) -> [UInt8]? { Data(base64Encoded: text).map(Array.init) }
}
