import Synchronization

/// How many writes a second one account and one container may have. 0: as many as come.
struct WriteRateLimits: Sendable, Equatable {
    /// PUT, POST and DELETE of containers.
    var account = 0
    /// PUT, POST, DELETE and COPY of objects.
    var container = 0
    /// Whoever would have to wait longer is sent away.
    var waitMax = Duration.seconds(60)

    var isOn: Bool { account > 0 || container > 0 }
}

/// When the next write of one name may begin. Pure.
struct WriteRate: Sendable, Equatable {
    private(set) var next: ContinuousClock.Instant

    init(now: ContinuousClock.Instant) { next = now }

    enum Decision: Sendable, Equatable {
        case wait(Duration)
        case refuse
    }

    /// Takes the next place, or none.
    mutating func admit(_ perSecond: Int, waitMax: Duration, now: ContinuousClock.Instant) -> Decision {
        if next < now { next = now }
        let wait = next - now
        guard wait <= waitMax else { return .refuse }
        next += .nanoseconds(1_000_000_000 / max(1, perSecond))
        return .wait(wait)
    }
}

/// Slows writes down to the rates that the operator has set. Each gateway counts for itself.
final class WriteRates: Sendable {
    /// Names that have written last; who is forgotten starts anew, which is a moment too early at worst.
    private static let namesMax = 10_000

    let limits: WriteRateLimits
    private let known = Mutex<[String: WriteRate]>([:])

    init(_ limits: WriteRateLimits) { self.limits = limits }

    /// Returns when the write may begin. Throws 498 when that would take too long.
    func admit(_ call: SwiftCall) async throws {
        guard limits.isOn, let (name, rate) = subject(of: call), rate > 0 else { return }
        let now = ContinuousClock.now
        let decision = known.withLock { known -> WriteRate.Decision in
            if known.count >= Self.namesMax, known[name] == nil { known = known.filter { $0.value.next > now } }
            if known.count >= Self.namesMax { known.removeAll() }
            return known[name, default: WriteRate(now: now)].admit(rate, waitMax: limits.waitMax, now: now)
        }
        switch decision {
        case .wait(let time):
            guard time > .zero else { return }
            guard let admitted = call.request.admitted else { return try await Task.sleep(for: time) }
            try await admitted.whileWaiting { try await Task.sleep(for: time) }
        case .refuse: throw SwiftError(498, "Slow down")
        }
    }

    private func subject(of call: SwiftCall) -> (String, Int)? {
        switch call.operation {
        case .putContainer, .postContainer, .deleteContainer: (call.account, limits.account)
        case .putObject, .postObject, .deleteObject, .copyObject:
            (call.account + "/" + (call.containerName ?? ""), limits.container)
        default: nil
        }
    }
}
