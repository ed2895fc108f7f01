import Foundation

/// What the JSON gateway of etcd says. Bytes are base64; 64-bit numbers are strings; fields with default values are absent.

struct EtcdHeader: Decodable, Sendable {
    var revision: String?
}

struct EtcdKeyValue: Decodable, Sendable {
    var key: String
    var value: String?
    var modRevision: String?
    var lease: String?

    enum CodingKeys: String, CodingKey {
        case key, value, lease
        case modRevision = "mod_revision"
    }
}

struct EtcdRangeRequest: Encodable, Sendable {
    var key: String
    var rangeEnd: String?
    var limit: String?
    var revision: String?

    enum CodingKeys: String, CodingKey {
        case key, limit, revision
        case rangeEnd = "range_end"
    }
}

struct EtcdRangeAnswer: Decodable, Sendable {
    var header: EtcdHeader?
    var kvs: [EtcdKeyValue]?
    var more: Bool?
}

/// A key's last change must be this revision; 0: there is no such key.
struct EtcdCompare: Encodable, Sendable {
    var key: String
    var target = "MOD"
    var result = "EQUAL"
    var modRevision: String

    enum CodingKeys: String, CodingKey {
        case key, target, result
        case modRevision = "mod_revision"
    }
}

struct EtcdPut: Encodable, Sendable {
    var key: String
    var value: String
    var lease: String?
}

struct EtcdKeyOnly: Encodable, Sendable {
    var key: String
    /// nil: this key alone.
    var rangeEnd: String?

    enum CodingKeys: String, CodingKey {
        case key
        case rangeEnd = "range_end"
    }
}

/// One of them is set.
struct EtcdOperation: Encodable, Sendable {
    var put: EtcdPut?
    var delete: EtcdKeyOnly?
    var range: EtcdKeyOnly?

    enum CodingKeys: String, CodingKey {
        case put = "request_put"
        case delete = "request_delete_range"
        case range = "request_range"
    }
}

struct EtcdTransactionRequest: Encodable, Sendable {
    var compare: [EtcdCompare] = []
    var success: [EtcdOperation] = []
    var failure: [EtcdOperation] = []
}

struct EtcdTransactionAnswer: Decodable, Sendable {
    struct Part: Decodable, Sendable {
        var range: EtcdRangeAnswer?

        enum CodingKeys: String, CodingKey {
            case range = "response_range"
        }
    }

    var header: EtcdHeader
    var succeeded: Bool?
    var responses: [Part]?
}

struct EtcdCompactionRequest: Encodable, Sendable {
    var revision: String
}

struct EtcdLeaseRequest: Encodable, Sendable {
    var id: String?
    var seconds: String?

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case seconds = "TTL"
    }
}

struct EtcdLeaseAnswer: Decodable, Sendable {
    var id: String?
    /// Absent in the answer to a renewal: there is no such lease.
    var seconds: String?

    enum CodingKeys: String, CodingKey {
        case id = "ID"
        case seconds = "TTL"
    }
}

/// An answer whose fields do not matter.
struct EtcdEmptyAnswer: Decodable, Sendable {}

/// Streamed answers come in these.
struct EtcdStreamed<Result: Decodable & Sendable>: Decodable, Sendable {
    var result: Result?
    var error: EtcdRefusal?
}

struct EtcdWatchRequest: Encodable, Sendable {
    struct Create: Encodable, Sendable {
        var key: String
        var rangeEnd: String
        var startRevision: String

        enum CodingKeys: String, CodingKey {
            case key
            case rangeEnd = "range_end"
            case startRevision = "start_revision"
        }
    }

    var create: Create

    enum CodingKeys: String, CodingKey {
        case create = "create_request"
    }
}

struct EtcdWatchAnswer: Decodable, Sendable {
    struct Event: Decodable, Sendable {
        /// "DELETE"; absent: put.
        var type: String?
        var kv: EtcdKeyValue
    }

    var canceled: Bool?
    var compactRevision: String?
    var events: [Event]?

    enum CodingKeys: String, CodingKey {
        case canceled, events
        case compactRevision = "compact_revision"
    }
}

/// The body of an answer that is not 200.
struct EtcdRefusal: Decodable, Sendable {
    var message: String?
    var error: String?
    /// A code of gRPC.
    var code: Int?
    /// In streams the code has another name.
    var grpcCode: Int?

    enum CodingKeys: String, CodingKey {
        case message, error, code
        case grpcCode = "grpc_code"
    }

    var text: String { message ?? error ?? "no reason given" }

    /// Another member, or the same one a moment later, may answer.
    var isPassing: Bool {
        switch code ?? grpcCode ?? 2 {
        // Cancelled, unknown, deadline exceeded, aborted, unavailable; resource exhausted means too many requests…
        case 1, 2, 4, 10, 14: true
        // …or no space left, which another attempt does not change.
        case 8: !text.contains("space exceeded")
        default: false
        }
    }
}

func base64(_ bytes: some Sequence<UInt8>) -> String { Data(bytes).base64EncodedString() }

func base64Bytes(_ text: String?) -> [UInt8] { text.flatMap { Data(base64Encoded: $0) }.map { Array($0) } ?? [] }
