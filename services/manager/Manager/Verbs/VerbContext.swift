import Checksums
import ClusterState
import Foundation
import Model

/// What verbs need besides the state: time, randomness and keys are injected, so that they are pure.
struct VerbContext: Sendable {
    /// Milliseconds since 1970.
    var now: Int64
    var masterKey: MasterKey
    var version: String
    var managerName: NodeName
    var managerKey: [UInt8]
    var bucketsPerUserMax: Int
    var random: @Sendable (Int) -> [UInt8] = { randomBytes($0) }
    var liveness: [NodeName: Liveness] = [:]
}

/// "2019-12-05 08:36:52 +0000", as LeoFS shows time.
func timeText(milliseconds: Int64) -> String {
    var seconds = time_t(milliseconds / 1_000)
    var parts = tm()
    guard milliseconds > 0, gmtime_r(&seconds, &parts) != nil else { return "" }
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday)) "
        + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) +0000"
}
