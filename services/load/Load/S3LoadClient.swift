import Checksums
import Foundation
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import Signatures

/// Where requests go and who sends them.
struct LoadTarget: Sendable {
    var host: String
    var port: Int
    var bucket: String
    var accessKey: String
    var secretKey: String
    var region: String
    /// Signature v2 instead of v4.
    var signsV2: Bool
    /// Bodies are not hashed for the signature (`UNSIGNED-PAYLOAD`): less work here, and for the gateway.
    var unsignedPayload: Bool
}

/// An S3 client just large enough to make load: one connection, signed requests.
struct S3LoadClient: Sendable {
    let target: LoadTarget
    private let connection: HTTPConnection
    private let signer: RequestSigner

    init(target: LoadTarget, group: any EventLoopGroup, timeout: TimeAmount) {
        self.target = target
        connection = HTTPConnection(host: target.host, port: target.port, group: group, timeout: timeout)
        signer = RequestSigner(accessKeyID: target.accessKey, secret: target.secretKey, region: target.region)
    }

    func close() { connection.close() }

    func send(
        _ method: HTTPMethod, key: String? = nil, query: String = "", headers: [(String, String)] = [],
        body: ByteBuffer? = nil
    ) async throws -> HTTPAnswer {
        let path = "/\(target.bucket)" + (key.map { "/" + Self.escaped($0) } ?? "")
        let length = (method == .PUT || method == .POST) ? [("Content-Length", "\(body?.readableBytes ?? 0)")] : []
        var fields = HTTPHeaders([("Host", "\(target.host):\(target.port)")] + length + headers)
        try sign(method, path, query, &fields, body)
        let uri = query.isEmpty ? path : "\(path)?\(query)"
        return try await connection.send(
            HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: fields), body: body)
    }

    private func sign(
        _ method: HTTPMethod, _ path: String, _ query: String, _ headers: inout HTTPHeaders, _ body: ByteBuffer?
    ) throws {
        let now = SigningTime(seconds: Int64(Date().timeIntervalSince1970))
        if target.signsV2 { headers.add(name: "Date", value: Self.httpDate()) }
        let request = SignableRequest(
            method: method.rawValue, rawPath: path, rawQuery: query,
            headers: headers.map { .init($0.name, $0.value) })
        guard !target.signsV2 else {
            headers.add(name: "Authorization", value: try signer.signV2(request))
            return
        }
        let payload =
            target.unsignedPayload ? "UNSIGNED-PAYLOAD" : hexDigits(of: HashAlgorithm.sha256.hash(body ?? ByteBuffer()))
        for header in try signer.signV4(request, payload: payload, at: now).headers {
            headers.add(name: header.name, value: header.value)
        }
    }

    /// Now, as RFC 9110 writes it.
    private static func httpDate() -> String {
        var seconds = time(nil)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 40)
        strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Percent-encoding of a key in a path: all but unreserved characters and slashes.
    static func escaped(_ key: String) -> String {
        var text = ""
        for byte in key.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"), UInt8(ascii: "/"):
                text.unicodeScalars.append(Unicode.Scalar(byte))
            default: text += "%" + hexDigits(of: [byte]).uppercased()
            }
        }
        return text
    }
}
