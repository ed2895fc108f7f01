import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Wire

/// FormPOST: files that a browser sends to a container, by a form that somebody with a key has signed.
extension SwiftOperations {
    static func isForm(_ request: SwiftRequest) -> Bool {
        request.method == "POST"
            && request.header("content-type").map { FormDataParser(contentType: $0) != nil } ?? false
    }

    func formPost(_ call: SwiftCall) async throws -> S3Response {
        guard let parser = call.request.header("content-type").flatMap(FormDataParser.init(contentType:)) else {
            throw SwiftError.badRequest
        }
        let form = FileForm(parser, call.request.body)
        var count = 0
        do {
            while let file = try await form.nextFile() {
                let terms = try FormTerms(form.fields, call, now: clock() / 1000)
                count += 1
                guard count <= terms.fileCountMax else {
                    return terms.response(SwiftError.line(400), "max file count exceeded")
                }
                do {
                    try await store(file, form, terms, call)
                } catch FormFault.tooLarge {
                    return terms.response(SwiftError.line(400), "max_file_size exceeded")
                } catch {
                    let error = SwiftError(error)
                    return terms.response(SwiftError.line(error.status), error.message ?? "")
                }
            }
            let terms = try FormTerms(form.fields, call, now: clock() / 1000)
            return count > 0
                ? terms.response("201 Created", "") : terms.response(SwiftError.line(400), "no files to process")
        } catch let fault as FormFault {
            throw fault.answer(account: call.account)
        } catch let error as S3Error where error.status < 500 {
            throw SwiftError(400, "FormPost: invalid form")
        }
    }

    private func store(_ file: FileForm.File, _ form: FileForm, _ terms: FormTerms, _ call: SwiftCall) async throws {
        var one = call
        one.operation = .putObject
        // What comes after the container is the beginning of all names.
        one.object = (call.object ?? []) + Array(file.name.utf8)
        one.request.headers = terms.headers
        if let type = file.contentType { one.request.headers.add(name: "Content-Type", value: type) }
        guard let object = one.object, !object.contains(0) else { throw SwiftError.invalidName }
        try Self.checkObjectName(object)
        let container = try one.requiredContainer()
        try await checkQuotas(one, container, adding: 0)
        var plan = BodyPlan(declaredLength: nil)
        plan.computesMD5 = true
        let content = FileFormContent(form, sizeMax: terms.fileSizeMax)
        var record = try newObject(one)
        do {
            try await write(
                RequestBody(plan, source: content, budget: nil), as: &record, one, container, condition: .none)
        } catch {
            throw content.isTooLarge ? FormFault.tooLarge : error
        }
    }
}

enum FormFault: Error {
    /// 401 and 400, with what is wrong.
    case unauthorized(String)
    case invalid(String)
    case tooLarge

    func answer(account: String) -> SwiftError {
        switch self {
        case .unauthorized(let text):
            SwiftError(401, "FormPost: \(text)", headers: SwiftAuthorization.unauthorized(account).headers)
        case .invalid(let text): SwiftError(400, "FormPost: \(text)")
        case .tooLarge: SwiftError(400, "FormPost: max_file_size exceeded")
        }
    }
}

/// What whoever has signed a form allows.
struct FormTerms: Sendable {
    var redirect: String
    var fileSizeMax: UInt64
    var fileCountMax: Int
    /// For every object that the form makes.
    var headers = HTTPHeaders()

    /// - Parameter now: seconds since 1970.
    init(_ fields: [String: String], _ call: SwiftCall, now: Int64) throws(FormFault) {
        guard let expires = Int64(fields["expires"] ?? "0") else { throw .invalid("expired not an integer") }
        guard expires > now else { throw .unauthorized("form expired") }
        guard let size = UInt64(fields["max_file_size"] ?? "0") else { throw .invalid("max_file_size not an integer") }
        guard let count = Int(fields["max_file_count"] ?? "0"), count >= 0 else {
            throw .invalid("max_file_count not an integer")
        }
        (redirect, fileSizeMax, fileCountMax) = (fields["redirect"] ?? "", size, count)
        guard !redirect.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { throw .invalid("invalid redirect") }
        let text = [
            String(decoding: call.request.path, as: UTF8.self), redirect, fields["max_file_size"] ?? "0",
            fields["max_file_count"] ?? "0", fields["expires"] ?? "0",
        ].joined(separator: "\n")
        guard let signature = KeySignature(fields["signature"] ?? ""),
            SignatureKey.all(of: call).contains(where: { signature.matches(text, $0.value) })
        else { throw .unauthorized("invalid signature") }
        for name in ["x_delete_at", "x_delete_after"] {
            guard let value = fields[name] else { continue }
            guard Int64(value) != nil else { throw .invalid("\(name) not an integer: Unix timestamp required.") }
            headers.add(name: name.replacing("_", with: "-"), value: value)
        }
    }

    func response(_ status: String, _ message: String) -> S3Response {
        let code = String(status.prefix { $0 != " " })
        guard !redirect.isEmpty else {
            let text = message.isEmpty ? status : status + "\r\nFormPost: " + SwiftHeaders.titled(message)
            return .text(
                text,
                status: HTTPResponseStatus(statusCode: Int(code) ?? 500, reasonPhrase: String(status.dropFirst(4))),
                type: "text/plain")
        }
        let query = "status=\(code)&message=\(PercentEncoding.encode(message))"
        let target = redirect + (redirect.contains("?") ? "&" : "?") + query
        let shown = XMLWriter.escaped(target)
        var response = S3Response.text(
            "<html><body><p><a href=\"\(shown)\">Click to continue...</a></p></body></html>", status: .seeOther,
            type: "text/html; charset=UTF-8")
        response.headers.add(name: "Location", value: target)
        return response
    }
}
