/// One operation of one client on one key, as the client saw it.
public struct HistoryOperation: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case put
        case get
        case delete
        /// A put that is to happen only under `condition`.
        case conditionalPut
    }

    /// What a conditional put wants the key to hold.
    public enum Condition: Sendable, Hashable {
        /// `If-None-Match: *`
        case absent
        /// `If-Match`: the value with this id.
        case holds(String)
    }

    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// It took effect; a get has read `value`.
        case ok
        /// A conditional put was told that its condition does not hold.
        case refused
        /// It certainly did not happen and will not.
        case failed
        /// It may have happened, or may yet: a timeout, a lost connection, a 5xx.
        case unknown
    }

    public var client: Int
    public var key: String
    public var kind: Kind
    /// Unique id of the value that a put writes or a get has read; nil: the get found nothing.
    public var value: String?
    public var condition: Condition?
    /// When the client sent the request, on a clock that all clients share, in nanoseconds.
    public var call: Int64
    /// When the client had the answer; nil: it never came.
    public var returned: Int64?
    public var outcome: Outcome

    public init(
        client: Int, key: String, kind: Kind, value: String? = nil, condition: Condition? = nil, call: Int64,
        returned: Int64? = nil, outcome: Outcome = .unknown
    ) {
        self.client = client
        self.key = key
        self.kind = kind
        self.value = value
        self.condition = condition
        self.call = call
        self.returned = returned
        self.outcome = outcome
    }

    /// When it must have happened at the latest.
    var deadline: Int64 { outcome == .unknown ? .max : returned ?? .max }

    /// It cannot tell anything: it did not happen, or was a read without an answer.
    var isSilent: Bool { outcome == .failed || kind == .get && outcome != .ok }
}
