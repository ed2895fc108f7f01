import Linearizability

/// What a key may hold after a run whose writes are known: by the times of the operations, without knowing their order.
struct FinalState: Sendable, Equatable {
    /// Versions of which one may be there.
    var versions: Set<String>
    /// Whether the key may be absent.
    var mayBeAbsent: Bool

    init(versions: Set<String>, mayBeAbsent: Bool) {
        self.versions = versions
        self.mayBeAbsent = mayBeAbsent
    }

    /// - Parameter operations: all writes of one key.
    init(_ operations: [HistoryOperation]) {
        let acknowledged = operations.filter { $0.outcome == .ok && $0.kind != .get }
        // Whatever ended before the last begin of an acknowledged write has been overwritten by it.
        let latestBegin = acknowledged.map(\.call).max()
        let candidates = operations.filter { operation in
            switch operation.outcome {
            case .ok: operation.kind != .get && latestBegin.map { (operation.returned ?? .max) >= $0 } ?? true
            case .unknown: operation.kind != .get
            case .failed, .refused: false
            }
        }
        versions = Set(candidates.filter { $0.kind != .delete }.compactMap(\.value))
        mayBeAbsent = acknowledged.isEmpty || candidates.contains { $0.kind == .delete }
    }

    /// nil when this is as it may be.
    func fault(found version: String?) -> String? {
        guard let version else {
            return mayBeAbsent ? nil : "absent, but a write was acknowledged (one of \(versions.sorted()))"
        }
        return versions.contains(version) ? nil : "holds \(version), not one of \(versions.sorted())"
    }
}
