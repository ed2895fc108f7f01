/// Path encoding as signatures want it: everything but unreserved characters and slashes.
enum PercentEncoding {
    static func path(_ text: String) -> String { encode(text, keeping: "/") }
    static func query(_ text: String) -> String { encode(text, keeping: "") }

    private static func encode(_ text: String, keeping kept: String) -> String {
        let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~\(kept)".utf8)
        guard !text.utf8.allSatisfy(plain.contains) else { return text }
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            if plain.contains(byte) {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}
