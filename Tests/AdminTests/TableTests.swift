import ClusterState
import Testing

@testable import Admin

@Suite("Tables of martlet-adm")
struct TableTests {
    @Test("status looks as leofs-adm's does")
    func status() {
        let report = StatusReport(
            systemInfo: .init(
                version: "0.1.0", clusterId: "c1", dcId: "dc_1", n: 3, r: 2, w: 2, d: 2, rackAwarenessReplicas: 0,
                ringSize: 128, partitions: 1024, ringEpoch: 1, ringHashCur: "a8f8e3b4", ringHashPrev: "a8f8e3b4",
                linearizable: true),
            nodeList: [
                .init(
                    type: "S", node: "storage-1", state: "running", rackId: "", ringCur: "a8f8e3b4",
                    ringPrev: "a8f8e3b4", when: "2019-12-05 08:36:52 +0000", version: "0.1.0", liveness: "alive",
                    silentMilliseconds: 312)
            ])
        let expected = """
             [System Confiuration]
            -----------------------------------+----------
             Item                              | Value
            -----------------------------------+----------
             Basic/Consistency level
            -----------------------------------+----------
                                system version | 0.1.0
                                    cluster Id | c1
                                         DC Id | dc_1
                                Total replicas | 3
                      number of successes of R | 2
                      number of successes of W | 2
                      number of successes of D | 2
             number of rack-awareness replicas | 0
                                     ring size | 2^128
                          number of partitions | 1024
                                  linearizable | yes
            -----------------------------------+----------
             Manager RING hash
            -----------------------------------+----------
                             current ring-hash | a8f8e3b4
                            previous ring-hash | a8f8e3b4
                                    ring epoch | 1
            -----------------------------------+----------

             [State of Node(s)]
            -------+--------------------------+--------------+---------+----------------+----------------+----------------------------+--------------
             type  |           node           |    state     | rack id |  current ring  |   prev ring    |         updated at         |  last heard
            -------+--------------------------+--------------+---------+----------------+----------------+----------------------------+--------------
              S    | storage-1                | running      |         | a8f8e3b4       | a8f8e3b4       | 2019-12-05 08:36:52 +0000  |        0.3 s
            -------+--------------------------+--------------+---------+----------------+----------------+----------------------------+--------------
            """
        #expect(StatusText.cluster(report) == expected)
    }

    @Test("whereis shows a tombstone, a blank row and failed nodes")
    func whereis() {
        var replica = WhereisReport.Replica(node: "storage-1", present: true)
        replica.del = true
        replica.ringAddress = "0123456789abcdef0123456789abcdef"
        replica.size = 2_500
        replica.checksum = "d41d8cd98f"
        replica.hasChildren = false
        replica.totalChunks = 0
        replica.clock = "1f.3"
        replica.when = "2019-12-05 08:36:52 +0000"
        let report = WhereisReport(
            path: "b/k", partition: 7, assignedInfo: [replica, .init(node: "storage-2", present: false)],
            failureNodes: [.init(node: "storage-3", cause: "unreachable")])
        let rule =
            "-------+--------------------------+----------------------------------+------------+--------------"
            + "+--------------+--------------+----------------+----------------------------"
        let expected = [
            rule,
            " del?  |           node           |           ring address           |    size    |   checksum   "
                + "| has children | total chunks |     clock      |            when",
            rule,
            "   *   | storage-1                | 0123456789abcdef0123456789abcdef |         2K | d41d8cd98f   "
                + "| false        |            0 | 1f.3           | 2019-12-05 08:36:52 +0000",
            "       | storage-2                |                                  |            |              "
                + "|              |              |                |",
            rule, "", "[Failure Nodes]", "storage-3:unreachable",
        ].joined(separator: "\n")
        #expect(WhereisText.table(report) == expected)
    }

    @Test("Users and their keys")
    func users() {
        let created = CreatedUserReport(userId: "alice", accessKeyId: "05236", secretAccessKey: "802562235")
        #expect(UserText.keys(created) == "  access-key-id: 05236\n  secret-access-key: 802562235")
        let users = UsersReport(users: [
            .init(userId: "alice", roleId: 9, accessKeyId: "05236", createdAt: "2012-12-06 10:27:39 +0000")
        ])
        let expected = """
             user_id | role_id | access_key_id          | created_at
            ---------+---------+------------------------+---------------------------
             alice   | 9       | 05236                  | 2012-12-06 10:27:39 +0000
            """
        #expect(UserText.table(users) == expected)
    }

    @Test("Buckets, all and those of one user")
    func buckets() {
        let report = BucketsReport(buckets: [
            .init(
                clusterId: "c1", bucket: "photos", owner: "alice", permissions: "Me(full_control), Everyone(read)",
                acl: "public-read", redundancyMethod: "copy, {n:3, w:2, r:2, d:2}",
                createdAt: "2012-12-06 10:27:39 +0000", state: "active")
        ])
        let all = """
             cluster id | bucket | owner | permissions                      | redundancy method          | created at
            ------------+--------+-------+----------------------------------+----------------------------+---------------------------
             c1         | photos | alice | Me(full_control), Everyone(read) | copy, {n:3, w:2, r:2, d:2} | 2012-12-06 10:27:39 +0000
            """
        #expect(BucketText.all(report) == all)
        #expect(BucketText.own(report).hasPrefix(" bucket | permissions "))
    }

    @Test("du sums the disks; unknown times are underscores")
    func diskUsage() {
        let report = DiskUsageReport(
            disks: [
                .init(path: "/d1", activeObjects: 3, totalObjects: 4, activeSize: 30, totalSize: 60, state: "ok"),
                .init(path: "/d2", activeObjects: 1, totalObjects: 1, activeSize: 30, totalSize: 60, state: "ok"),
            ], lastCompactionStart: 1_575_535_012_000)
        let expected = """
             active number of objects: 4
              total number of objects: 5
               active size of objects: 60
                total size of objects: 120
                 ratio of active size: 50.00%
                last compaction start: 2019-12-05 08:36:52 +0000
                  last compaction end: ____-__-__ __:__:__
            """
        #expect(DiskUsageText.summary(report) == expected)
        #expect(DiskUsageText.detail(report).hasPrefix("[du(storage stats)]\n\nfile path: /d1\n"))
    }

    @Test("compact-status sums the disks and says why they wait")
    func compaction() throws {
        let disk = CompactionReport.Disk(
            path: "/d1", status: "running", totalTargets: 9, numOfPendingTargets: 4, numOfOngoingTargets: 1,
            numOfOutOfTargets: 4, doubtfulSegments: 2, rate: 1000, obstacle: "the disk is full")
        let report = CompactionReport(
            compactionStatus: .init(
                status: "running", lastCompactionStart: 1_575_535_012_000, totalTargets: 9, numOfPendingTargets: 4,
                numOfOngoingTargets: 1, numOfOutOfTargets: 4, removedSegments: 3, movedBytes: 10, freedBytes: 20,
                disks: [disk]))
        let expected = """
                    current status: running
             last compaction start: 2019-12-05 08:36:52 +0000
               last compaction end: ____-__-__ __:__:__
                     total targets: 9
              # of pending targets: 4
              # of ongoing targets: 1
               # of out of targets: 4
                  removed segments: 3
                       moved bytes: 10
                       freed bytes: 20
                               /d1: 2 segments wait for lost records
                               /d1: the disk is full
            """
        #expect(CompactionText.status(report) == expected)
        let json = String(decoding: try ReportCoding.encode(report), as: UTF8.self)
        #expect(json.contains("\"num_of_pending_targets\":4"))
        #expect(json.contains("\"compaction_status\""))
    }

    @Test("start tells each node, as a part of all")
    func start() {
        let report = StartReport(ringHashCur: "a8f8e3b4", ringEpoch: 1, nodes: ["s1", "s2", "s3"])
        #expect(StatusText.started(report) == "Generated RING\nOK  33% - s1\nOK  66% - s2\nOK 100% - s3\nOK")
    }

    @Test("status of a node shows known values in order and all others by name")
    func node() throws {
        let json = #"{"role":"storage","name":"s1","pid":7,"disks":[{"path":"/d1","state":"ok"}],"ready":true}"#
        let text = try NodeText.status(Array(json.utf8))
        let lines = text.split(separator: "\n").map { $0.trimmingPrefix { $0 == " " } }
        #expect(lines.contains("name | s1"))
        #expect(lines.contains("disks.1.path | /d1"))
        #expect(lines.contains("Status-3: storage"))
        #expect(try #require(text.range(of: "Config-1")).lowerBound < #require(text.range(of: "Status-2")).lowerBound)
    }

    @Test(
        "Sizes are rounded down to a unit",
        arguments: [
            (UInt64(0), "0B"), (1_023, "1023B"), (2_500, "2K"), (24 << 20, "24M"), (UInt64.max, "16383P"),
        ])
    func sizes(bytes: UInt64, text: String) {
        #expect(WhereisText.sizeText(bytes) == text)
    }
}
