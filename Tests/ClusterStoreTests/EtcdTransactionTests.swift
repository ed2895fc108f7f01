import ClusterStore
import Foundation
import Testing

@testable import EtcdStore

@Suite("Transactions in etcd's words")
struct EtcdTransactionTests {
    private let keys = EtcdKeys(root: "/m/")
    private let mark = EtcdTransaction.Mark(key: "bWFyaw==", revision: 7, number: "bnVtYmVy")

    private func answer(_ json: String) throws -> EtcdTransactionAnswer {
        try JSONDecoder().decode(EtcdTransactionAnswer.self, from: Data(json.utf8))
    }

    @Test("A repetition finds its own mark and knows that it was done")
    func repeated() throws {
        let done = try answer(
            """
            {"header":{"revision":"20"},"responses":[{"response_range":
            {"kvs":[{"key":"bWFyaw==","mod_revision":"12","value":"bnVtYmVy"}]}}]}
            """)
        #expect(EtcdTransaction.verdict(done, mark) == .committed(12))
    }

    @Test("A mark that has not moved means that a condition failed; one that moved, that it is to be sent again")
    func conflicts() throws {
        let unmoved = try answer(
            """
            {"header":{"revision":"20"},"responses":[{"response_range":
            {"kvs":[{"key":"bWFyaw==","mod_revision":"7","value":"b3RoZXI="}]}}]}
            """)
        #expect(EtcdTransaction.verdict(unmoved, mark) == .conflict(20))
        let moved = try answer(
            """
            {"header":{"revision":"20"},"responses":[{"response_range":
            {"kvs":[{"key":"bWFyaw==","mod_revision":"9","value":"b3RoZXI="}]}}]}
            """)
        #expect(EtcdTransaction.verdict(moved, mark) == .again(markRevision: 9))
        let fresh = EtcdTransaction.Mark(key: mark.key, revision: 0, number: mark.number)
        let absent = try answer(#"{"header":{"revision":"20"},"responses":[{"response_range":{}}]}"#)
        #expect(EtcdTransaction.verdict(absent, fresh) == .conflict(20))
    }

    @Test("Only what surely changes something is marked; the last operation on a key counts")
    func marking() {
        let deletion = EtcdTransaction(StoreTransaction([.delete(key: "a")]), keys, offset: 0)
        #expect(!deletion.surelyChanges && deletion.request(nil).failure.isEmpty)
        let known = EtcdTransaction(
            StoreTransaction(when: [.revision(key: "a", is: 5)], [.delete(key: "a")]), keys, offset: 3)
        #expect(known.surelyChanges)
        #expect(known.request(mark).compare.map(\.modRevision) == ["2", "7"])
        let twice = EtcdTransaction(
            StoreTransaction([.put(key: "a", value: [1], lease: nil), .delete(key: "a")]), keys, offset: 0)
        #expect(twice.request(nil).success.count == 1 && twice.request(nil).success[0].delete != nil)
    }

    @Test("A revision from before the state came to etcd is no key's")
    func beforeTheMove() {
        let old = EtcdTransaction(StoreTransaction(when: [.revision(key: "a", is: 5)]), keys, offset: 5)
        #expect(old.request(nil).compare.map(\.modRevision) == ["\(Int64.max)"])
    }

    @Test("Keys stay within their prefix")
    func bounds() {
        #expect(keys.key(keys.entry("users/a")) == "users/a")
        #expect(keys.bounds(KeyRange(first: "b", end: "b")) == nil)
        #expect(keys.bounds(KeyRange(first: "", end: "")) == nil)
        let all = keys.bounds(.all)
        #expect(base64Bytes(all?.first) == Array("/m/state/".utf8) && base64Bytes(all?.end) == Array("/m/state0".utf8))
    }

    @Test("Endpoints", arguments: ["http://a:1", "https://[::1]:2379", "https://host.example:2379/"])
    func endpoints(_ text: String) {
        #expect(EtcdEndpoint(text)?.description == (text.hasSuffix("/") ? String(text.dropLast()) : text))
    }

    @Test(
        "What is no endpoint", arguments: ["a:1", "http://a", "http://:1", "http://a:0", "tcp://a:1", "http://a/b:1"])
    func malformed(_ text: String) { #expect(EtcdEndpoint(text) == nil) }
}
