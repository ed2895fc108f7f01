import ClusterState
import Testing

@testable import Admin

/// Tools read these keys: they never change.
@Suite("JSON keys of martlet-adm")
struct JSONTests {
    private func json(_ report: some Encodable) throws -> String {
        String(decoding: try ReportCoding.encode(report), as: UTF8.self)
    }

    @Test("create-user") func createUser() throws {
        let report = CreatedUserReport(userId: "a", accessKeyId: "k", secretAccessKey: "s")
        #expect(try json(report) == #"{"access_key_id":"k","secret_access_key":"s","user_id":"a"}"#)
    }

    @Test("status") func status() throws {
        let report = StatusReport(
            systemInfo: .init(
                version: "1", clusterId: "c", dcId: "d", n: 3, r: 2, w: 2, d: 2, rackAwarenessReplicas: 0,
                ringSize: 128, partitions: 8, ringEpoch: 1, ringHashCur: "h", ringHashPrev: "h", linearizable: true),
            nodeList: [
                .init(
                    type: "S", node: "n", state: "running", rackId: "r", ringCur: "h", ringPrev: "h", when: "t",
                    version: "1", liveness: "alive", silentMilliseconds: 7)
            ])
        #expect(
            try json(report)
                == #"{"node_list":[{"liveness":"alive","node":"n","rack_id":"r","ring_cur":"h","ring_prev":"h","#
                + #""silent_milliseconds":7,"state":"running","type":"S","version":"1","when":"t"}],"system_info":{"cluster_id":"c","d":2,"dc_id":"d","#
                + #""linearizable":true,"n":3,"partitions":8,"r":2,"rack_awareness_replicas":0,"ring_epoch":1,"#
                + #""ring_hash_cur":"h","ring_hash_prev":"h","ring_size":128,"version":"1","w":2}}"#)
    }

    @Test("whereis") func whereis() throws {
        var replica = WhereisReport.Replica(node: "n", present: true)
        replica.hasChildren = false
        replica.totalChunks = 0
        let report = WhereisReport(
            path: "b/k", partition: 1, assignedInfo: [replica], failureNodes: [.init(node: "m", cause: "c")])
        #expect(
            try json(report)
                == #"{"assigned_info":[{"has_children":false,"node":"n","present":true,"total_chunks":0}],"#
                + #""failure_nodes":[{"cause":"c","node":"m"}],"partition":1,"path":"b/k"}"#)
    }

    @Test("Verbs that only act") func done() throws { #expect(try json(DoneReport()) == #"{"result":"OK"}"#) }

    @Test("Every report survives the way there and back")
    func roundTrip() throws {
        let token = TokenReport(id: "i", token: "t", expiresAt: "e", reusable: true)
        #expect(try report(TokenReport.self, ReportCoding.encode(token)) == token)
        let usage = DiskUsageReport(
            disks: [.init(path: "/d", activeObjects: 1, totalObjects: 2, activeSize: 3, totalSize: 4, state: "ok")])
        #expect(try report(DiskUsageReport.self, ReportCoding.encode(usage)) == usage)
        let users = UsersReport(users: [.init(userId: "u", roleId: 1, accessKeyId: "k", createdAt: "t")])
        #expect(try report(UsersReport.self, ReportCoding.encode(users)) == users)
    }
}
