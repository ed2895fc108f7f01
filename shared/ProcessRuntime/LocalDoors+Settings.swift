import Configuration
import Logging
import MessageBus

extension LocalDoors {
    /// The local doors that the configuration asks for. nil: none, or the folder cannot be used, which the log tells: the
    /// network does as well.
    public init?(_ configuration: Configuration, logger: Logger) {
        let directory = configuration[CommonSettings.busLocalSockets]
        guard directory != "none" else { return nil }
        do {
            try self.init(directory: directory == "auto" ? Self.accountDirectory : directory)
        } catch {
            logger.warning(
                "no local sockets: processes of this machine are reached by the network",
                metadata: ["error": "\(error)"])
            return nil
        }
    }
}
