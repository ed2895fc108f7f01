import Model
import ProcessRuntime
import Ring
import Testing

@Suite("Health of the cluster")
struct ClusterProbeTests {
    private let ring = RingTable(
        epoch: 1, hashKey: [UInt8](repeating: 7, count: 16),
        partitions: [
            PartitionReplicas(current: ["a", "b", "c"]), PartitionReplicas(current: ["b", "c", "d"]),
        ])!

    @Test("Good with all, degraded but good with a quorum, bad without one")
    func verdicts() {
        let all = ClusterProbe.judge(ring, level: .majority(of: 3), reachable: ["a", "b", "c", "d"])
        #expect(all.isGood && all.json.contains("\"status\":\"ok\""))
        let one = ClusterProbe.judge(ring, level: .majority(of: 3), reachable: ["b", "c", "d"])
        #expect(
            one.isGood && one.json.contains("\"status\":\"degraded\"") && one.json.contains("\"partitions_degraded\":1")
        )
        let two = ClusterProbe.judge(ring, level: .majority(of: 3), reachable: ["a", "b"])
        #expect(!two.isGood && two.json.contains("\"partitions_without_quorum\":1"))
    }

    @Test("While a partition moves, both sets need their quorum")
    func moving() {
        let moving = RingTable(
            epoch: 2, hashKey: [UInt8](repeating: 7, count: 16),
            partitions: [PartitionReplicas(current: ["a", "b", "c"], next: ["d", "e", "f"])])!
        #expect(!ClusterProbe.judge(moving, level: .majority(of: 3), reachable: ["a", "b", "c", "d"]).isGood)
        #expect(ClusterProbe.judge(moving, level: .majority(of: 3), reachable: ["a", "b", "d", "e"]).isGood)
    }

    @Test("An advertised host replaces the bound one, and keeps the port")
    func advertised() {
        #expect(AdvertisedAddress.make(bound: "tcp://0.0.0.0:7000", host: "store-3") == "tcp://store-3:7000")
        #expect(AdvertisedAddress.make(bound: "tcp://[::]:7000", host: "2001:db8::1") == "tcp://[2001:db8::1]:7000")
        #expect(AdvertisedAddress.make(bound: "tcp://127.0.0.1:7000", host: nil) == "tcp://127.0.0.1:7000")
    }

    @Test("Log levels go by their own names and by the predecessor's")
    func levels() {
        #expect(LogLevelWord.level("warn") == .warning)
        #expect(LogLevelWord.level("FATAL") == .critical)
        #expect(LogLevelWord.level("debug") == .debug)
        #expect(LogLevelWord.level("loud") == nil)
    }
}
