import ArgumentParser
import Configuration
import Foundation
import Model

/// The command line of every process.
public struct ProcessOptions: ParsableCommand {
    public static var configuration: CommandConfiguration {
        let program = URL(fileURLWithPath: CommandLine.arguments.first ?? "martlet").lastPathComponent
        return CommandConfiguration(
            commandName: program, abstract: "A process of a Martlet cluster.",
            discussion: """
                Settings come from --set, then the environment (MARTLET_SECTION_KEY), then the file, then defaults.

                EXAMPLE: \(program) --config /etc/martlet/martlet.toml --set log.level=debug
                """, version: Version.current)
    }

    @Option(help: ArgumentHelp("TOML file with settings.", valueName: "file"), completion: .file(extensions: ["toml"]))
    public var config: String?
    @Option(help: ArgumentHelp("One setting; repeatable.", valueName: "key=value"))
    public var set: [String] = []
    @Flag(help: "Check the configuration and exit.")
    public var checkConfig = false
    @Flag(help: "Print all settings with the origin of each value, and exit.")
    public var printConfig = false
    @Flag(help: "With --print-config: the reference of all keys as a Markdown table.")
    public var markdown = false

    public init() {}

    /// Reads the settings; answers --check-config and --print-config itself, and ends the process on any problem.
    public func loadConfiguration(_ settings: [any AnySetting]) -> Configuration {
        let loader = ConfigurationLoader(settings: settings, foreignSections: CommonSettings.serviceSections)
        do throws(ConfigurationError) {
            let configuration = try loader.load(file: config, flags: set)
            if printConfig { print(markdown ? configuration.markdown() : configuration.printed(), terminator: "") }
            if checkConfig { print("the configuration is good") }
            if printConfig || checkConfig { Foundation.exit(0) }
            return configuration
        } catch {
            FileHandle.standardError.write(Data("\(error)\n".utf8))
            Foundation.exit(78)
        }
    }
}
