import ArgumentParser
import MessageBus
import Testing

@testable import Admin

@Suite("Command line of martlet-adm")
struct CommandLineTests {
    private func parse(_ line: String) throws -> (verb: String, arguments: [String], json: Bool) {
        let command = try AdminTool.parseAsRoot(line.split(separator: " ").map(String.init))
        let verb = try #require(command as? any VerbCommand)
        return (verb.verb, verb.verbArguments, verb.options.json)
    }

    @Test(
        "Verbs go to the manager with their arguments",
        arguments: [
            ("status", "status", []), ("status storage-1 --json", "status", ["storage-1"]),
            ("create-user alice", "create-user", ["alice"]), ("create-user alice secret", "create-user", ["alice"]),
            ("import-user -f a k s", "import-user", ["a", "k", "s", "force"]),
            ("update-consistency-level 1 2 3", "update-consistency-level", ["1", "2", "3"]),
            ("du detail storage-1", "du", ["storage-1"]), ("whereis b/a/c", "whereis", ["b/a/c"]),
            ("create-token --replace s3 --hours 2", "create-token", ["hours=2", "replace", "name=s3"]),
            ("disk list s1", "disk-list", ["s1"]), ("disk add s1 /d --weight 7", "disk-add", ["s1", "/d", "7"]),
            ("disk weight s1 /d 8", "disk-weight", ["s1", "/d", "8"]),
            ("disk drain s1 /d --cancel --json", "disk-drain", ["s1", "/d", "--cancel"]),
            ("disk replace s1 /d", "disk-replace", ["s1", "/d"]),
            ("disk remove s1 /d --lost", "disk-remove", ["s1", "/d", "--lost"]),
            ("disk trust s1 /d --accept-loss", "disk-trust", ["s1", "/d", "--accept-loss"]),
            ("scrub-start s1 --rate 100", "scrub-start", ["s1", "100"]), ("scrub-status s1", "scrub-status", ["s1"]),
            ("suspend s1 --force", "suspend", ["s1", "force"]), ("resume s1", "resume", ["s1"]),
            ("remove-gateway g2", "remove-gateway", ["g2"]), ("cluster health", "cluster-health", []),
            ("durability --json", "durability", []), ("diagnose-start s1", "diagnose-start", ["s1"]),
            ("update-acl b k public-read", "update-acl", ["b", "k", "public-read"]),
        ] as [(String, String, [String])])
    func verbs(line: String, verb: String, arguments: [String]) throws {
        let parsed = try parse(line)
        #expect(parsed.verb == verb && parsed.arguments == arguments)
        #expect(parsed.json == line.hasSuffix("--json"))
    }

    @Test(
        "Wrong usage is refused before anything is sent",
        arguments: [
            "nonsense", "update-acl b k everyone", "update-user-role alice 2", "du a b c", "status --timeout 0",
            "version some", "disk add s1", "disk weight s1 /d much", "create-token --name a --replace b",
        ])
    func usage(line: String) {
        #expect(throws: (any Error).self) { try parse(line) }
    }

    @Test("Options may stand before the verb")
    func optionsFirst() {
        #expect(
            AdminTool.verbFirst(["--json", "--admin", "f", "--timeout=3", "status", "n"])
                == ["status", "--json", "--admin", "f", "--timeout=3", "n"])
        for same in [["status", "--json"], ["--help"], ["--json"], ["--admin", "f"], []] {
            #expect(AdminTool.verbFirst(same) == same)
        }
    }

    @Test("Every verb has an abstract, an example and --json")
    func help() {
        for group in AdminTool.configuration.groupedSubcommands {
            // A verb of several words is a command with subcommands.
            for command in group.subcommands.flatMap({ [$0] + $0.configuration.subcommands }) {
                #expect(!command.configuration.abstract.isEmpty)
                #expect(command.configuration.discussion.contains("EXAMPLE"), "\(command)")
                #expect(command is any VerbCommand.Type || !command.configuration.subcommands.isEmpty)
            }
        }
    }

    @Test("No answer is told apart from a refusal")
    func statuses() {
        #expect(Failure(BusError(.unreachable, "x"), asJSON: false).status == .unreachable)
        #expect(Failure(BusError(.deadlineExceeded, ""), asJSON: false).status == .unreachable)
        #expect(Failure(BusError(.conflict, "Already exists"), asJSON: false).status == .refused)
        #expect(Failure(BusError(.conflict, "Already exists"), asJSON: false).message == "Already exists")
    }
}
