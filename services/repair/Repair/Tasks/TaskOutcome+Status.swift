// What the results of the single works prove.

extension RepairProgress {
    var outcome: TaskOutcome {
        if allEqual { return .proved("the digests of all replicas of \(partitionsTotal) partitions are equal") }
        if failures > 0 { return .failed("\(failures) failures, the last one: \(lastError)") }
        if partitionsIncomplete > 0 {
            return .unproved("of \(partitionsIncomplete) partitions a replica did not answer, or has no memory yet")
        }
        return .unproved("some partitions still differed, as they do for a moment under writes")
    }
}

extension DamageRepair.Status {
    var outcome: TaskOutcome {
        guard unreachable.isEmpty else { return .unproved("no answer from \(unreachable.joined(separator: ", "))") }
        if damaged == 0 { return .proved("no node lists a record that it cannot read") }
        return .unproved("\(damaged) records cannot be healed yet; \(lastError)")
    }
}

extension ReleaseCollection.Status {
    var outcome: TaskOutcome {
        guard unreachable.isEmpty else { return .unproved("no answer from \(unreachable.joined(separator: ", "))") }
        if postponed == 0 { return .proved("nothing that is old enough is left") }
        return .unproved("\(postponed) wait for a replica; \(lastError)")
    }
}

extension MemoryRecoveryStatus {
    var outcome: TaskOutcome {
        let left = disks.filter { $0.state != .trusted }
        guard let first = left.first else { return .proved("every disk that answers remembers everything") }
        return .unproved("\(left.count) disks have no memory yet; \(first.node) \(first.path): \(first.reason)")
    }
}

extension LifecycleExpiry.Status {
    var outcome: TaskOutcome {
        if failures > 0 { return .unproved("\(failures) failures, the last one: \(lastError)") }
        return .proved("nothing is left in \(buckets) buckets that is over")
    }
}

extension GarbageCollection.Status {
    var outcome: TaskOutcome {
        if failures > 0 { return .unproved("\(failures) failures, the last one: \(lastError)") }
        if blobsSuspected > 0 {
            return .unproved("\(blobsSuspected) contents without an object will be looked at again")
        }
        return .proved("no content that is old enough is without an object")
    }
}
