/// Decides whether a history of puts of unique values and gets is linearizable, in O(n log n).
///
/// After Gibbons & Korach, "Testing shared memories" (1997). The operations of one value, its put and its gets, lie
/// together in every explaining order. With f the first return among them and s the last call, the value must hold the
/// register all the time from f to s when f < s (a forward zone); otherwise some instant between s and f is enough (a
/// backward zone). So two forward zones may not overlap and no backward zone may lie within a forward one.
public enum ZoneChecker {
    private struct Zone {
        var value: String?
        /// Begin of the put; nothing reads the value before.
        var begin: Int64
        var first: Int64
        var last: Int64
        var isForward: Bool { first < last }
    }

    /// nil when the history has other operations or a value that is put twice: these need the search.
    public static func check(_ operations: [HistoryOperation]) -> HistoryVerdict? {
        let operations = operations.filter { !$0.isSilent }
        guard var zones = putZones(operations) else { return nil }
        var seen = Set<String>()
        // The key was absent before everything else.
        var absent = Zone(value: nil, begin: .min, first: .min, last: .min)
        for get in operations where get.kind == .get {
            guard let value = get.value else {
                absent.last = max(absent.last, get.call)
                continue
            }
            guard var zone = zones[value], get.deadline >= zone.begin else {
                return .violation("\(value) was read but not put, or read before it was put")
            }
            zone.first = min(zone.first, get.deadline)
            zone.last = max(zone.last, get.call)
            zones[value] = zone
            seen.insert(value)
        }
        for put in operations where put.kind == .put && put.deadline == .max && !seen.contains(put.value!) {
            // Never seen, and nobody knows whether it happened: then it did not.
            zones[put.value!] = nil
        }
        return conflict(Array(zones.values) + [absent])
    }

    private static func putZones(_ operations: [HistoryOperation]) -> [String: Zone]? {
        var zones: [String: Zone] = [:]
        for operation in operations where operation.kind != .get {
            guard operation.kind == .put, let value = operation.value, zones[value] == nil else { return nil }
            zones[value] = Zone(value: value, begin: operation.call, first: operation.deadline, last: operation.call)
        }
        return zones
    }

    private static func conflict(_ zones: [Zone]) -> HistoryVerdict {
        let forward = zones.filter(\.isForward).sorted { ($0.first, $0.last) < ($1.first, $1.last) }
        for (a, b) in zip(forward, forward.dropFirst()) where b.first < a.last {
            return .violation("\(name(a)) and \(name(b)) were each seen after the other")
        }
        for zone in zones where !zone.isForward && zone.value != nil {
            // Forward zones do not overlap: only the last that begins before can contain this one.
            let after = forward.partitionIndex { $0.first >= zone.last }
            if after > 0, zone.first < forward[after - 1].last {
                return .violation("\(name(zone)) was put while \(name(forward[after - 1])) was there all the time")
            }
        }
        return .linearizable
    }

    private static func name(_ zone: Zone) -> String { zone.value ?? "absence" }
}

extension Array {
    /// Index of the first element for which the predicate holds, if it holds for all that follow.
    fileprivate func partitionIndex(_ predicate: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
