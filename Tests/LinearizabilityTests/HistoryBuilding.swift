import Linearizability

/// Short ways to write down a history of one key.
func put(_ value: String, _ call: Int64, _ returned: Int64?) -> HistoryOperation {
    HistoryOperation(
        client: 0, key: "k", kind: .put, value: value, call: call, returned: returned,
        outcome: returned == nil ? .unknown : .ok)
}

func get(_ value: String?, _ call: Int64, _ returned: Int64) -> HistoryOperation {
    HistoryOperation(client: 0, key: "k", kind: .get, value: value, call: call, returned: returned, outcome: .ok)
}

func delete(_ call: Int64, _ returned: Int64?) -> HistoryOperation {
    HistoryOperation(
        client: 0, key: "k", kind: .delete, call: call, returned: returned, outcome: returned == nil ? .unknown : .ok)
}

func putIf(
    _ condition: HistoryOperation.Condition, _ value: String, _ call: Int64, _ returned: Int64?,
    _ outcome: HistoryOperation.Outcome = .ok
) -> HistoryOperation {
    HistoryOperation(
        client: 0, key: "k", kind: .conditionalPut, value: value, condition: condition, call: call,
        returned: returned, outcome: returned == nil ? .unknown : outcome)
}

extension HistoryVerdict {
    var isViolation: Bool { if case .violation = self { true } else { false } }
}
