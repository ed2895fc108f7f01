import NIOHTTP1
import Synchronization
import Testing
import Wire

@testable import Gateway

/// A Keystone by the book: one account that may ask, and tokens that tests make.
private final class ScriptedKeystone: KeystoneAsking {
    struct State {
        var isDown = false
        var ownToken = "own-1"
        var logins = 0
        var questions = 0
        var tokens: [String: String] = [:]
    }

    let state = Mutex(State())

    func send(_ request: KeystoneQuestion) async throws -> KeystoneReply {
        try state.withLock { state in
            guard !state.isDown else { throw KeystoneClient.Failure(description: "down") }
            if request.method == .POST {
                state.logins += 1
                let isRight = String(decoding: request.body, as: UTF8.self).contains(#""password":"right""#)
                return KeystoneReply(
                    status: isRight ? 201 : 401, headers: isRight ? ["X-Subject-Token": state.ownToken] : [:], body: [])
            }
            state.questions += 1
            guard request.headers.first(name: "x-auth-token") == state.ownToken else {
                return KeystoneReply(status: 401, headers: [:], body: [])
            }
            guard let body = state.tokens[request.headers.first(name: "x-subject-token") ?? ""] else {
                return KeystoneReply(status: 404, headers: [:], body: [])
            }
            return KeystoneReply(status: 200, headers: [:], body: Array(body.utf8))
        }
    }

    func put(_ token: String, user: String, expires: String = "2023-11-14T23:13:20.000000Z") {
        let domain = #""domain":{"id":"default","name":"Default"}"#
        let body = """
            {"token":{"user":{"id":"id-\(user)","name":"\(user)",\(domain)},"expires_at":"\(expires)",
            "project":{"id":"p9","name":"theirs",\(domain)},"roles":[{"id":"1","name":"reader"}]}}
            """
        state.withLock { $0.tokens[token] = body }
    }
}

@Suite("Another Keystone")
struct ExternalKeystoneTests {
    private let keystone = ScriptedKeystone()
    private let time = WallTime()

    private func makeSource(password: String = "right") -> ExternalKeystone {
        ExternalKeystone(
            client: keystone, account: .init(user: "swift", password: password, project: "service", domain: "default"),
            rememberedFor: .seconds(300), clock: { [time] in time.milliseconds })
    }

    @Test("A token is asked about once, until what was said is too old")
    func remembered() async throws {
        let source = makeSource()
        keystone.put("good", user: "alice")
        for _ in 0..<3 { #expect(try await source.token("good")?.user.name == "alice") }
        #expect(keystone.state.withLock { ($0.logins, $0.questions) } == (1, 1))
        keystone.state.withLock { $0.tokens = [:] }
        time.pass(299_000)
        #expect(try await source.token("good") != nil)
        time.pass(2_000)
        #expect(try await source.token("good") == nil)
    }

    @Test("A token ends at its own time, though what was said about it is young")
    func expiry() async throws {
        let source = makeSource()
        // 100 s after the clock of the test.
        keystone.put("short", user: "alice", expires: "2023-11-14T22:15:00.000000Z")
        #expect(try await source.token("short") != nil)
        keystone.state.withLock { $0.tokens = [:] }
        time.pass(100_000)
        #expect(try await source.token("short") == nil)
    }

    @Test("A bad token is not asked about with each request, but again after a while")
    func refused() async throws {
        let source = makeSource()
        for _ in 0..<3 { #expect(try await source.token("bad") == nil) }
        #expect(keystone.state.withLock { $0.questions } == 1)
        keystone.put("bad", user: "alice")
        time.pass(11_000)
        #expect(try await source.token("bad") != nil)
        for text in ["", "two words", String(repeating: "x", count: 9000), "line\r\nX-Evil: 1"] {
            #expect(try await source.token(text) == nil)
        }
        #expect(keystone.state.withLock { $0.questions } == 2)
    }

    @Test("Our own token is renewed when it has ended")
    func renewal() async throws {
        let source = makeSource()
        keystone.put("good", user: "alice")
        keystone.put("other", user: "bob")
        _ = try await source.token("good")
        keystone.state.withLock { $0.ownToken = "own-2" }
        #expect(try await source.token("other")?.user.name == "bob")
        #expect(keystone.state.withLock { $0.logins } == 2)
    }

    @Test("What the Keystone cannot tell is neither yes nor no")
    func unavailable() async throws {
        let source = makeSource()
        keystone.put("good", user: "alice")
        keystone.state.withLock { $0.isDown = true }
        await #expect(throws: ExternalKeystone.Unavailable.self) { try await source.token("good") }
        #expect(
            SwiftError(ExternalKeystone.Unavailable(description: "")).response.headers.contains(name: "Retry-After"))
        keystone.state.withLock { $0.isDown = false }
        #expect(try await source.token("good") != nil)
        // Nor is it the user's fault that we cannot log in.
        let locked = makeSource(password: "wrong")
        await #expect(throws: ExternalKeystone.Unavailable.self) { try await locked.token("good") }
    }

    @Test("Many requests with one token ask once")
    func together() async throws {
        let source = makeSource()
        keystone.put("good", user: "alice")
        let names = try await withThrowingTaskGroup(of: String?.self) { group in
            for _ in 0..<50 { group.addTask { try await source.token("good")?.user.name } }
            return try await group.reduce(into: Set<String?>()) { $0.insert($1) }
        }
        #expect(names == ["alice"])
        #expect(keystone.state.withLock { $0.questions } == 1)
    }

    @Test(
        "Documents that are no answer are not understood",
        arguments: [
            "", "{}", #"{"token":{}}"#, #"{"token":{"user":{"id":"1","name":"n"}}}"#,
            #"{"token":{"user":{"id":"","name":"n"},"expires_at":"2023-11-14T22:15:00.000000Z"}}"#,
            #"{"token":{"user":{"id":"1","name":"n"},"expires_at":"soon"}}"#,
        ])
    func documents(_ text: String) {
        #expect(KeystoneToken(JSON(parsing: text.utf8)) == nil)
    }
}
