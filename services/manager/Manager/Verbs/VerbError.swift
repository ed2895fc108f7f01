import Wire

/// Why the manager refused a verb: a status for programs, a sentence for the operator.
struct VerbError: Error, Sendable, Equatable {
    var status: Status
    var message: String

    init(_ status: Status, _ message: String) {
        self.status = status
        self.message = message
    }
}
